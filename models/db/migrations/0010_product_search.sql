-- Name, description and slug as they are searched: folded by Unicode, which SQLite's lower() does for ASCII only.
ALTER TABLE products ADD COLUMN search TEXT NOT NULL DEFAULT '';
