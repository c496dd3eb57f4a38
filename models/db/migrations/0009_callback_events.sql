-- Of what a callback_url is told: patterns, "" for everything.
ALTER TABLE tasks ADD COLUMN callback_events TEXT NOT NULL DEFAULT '';
