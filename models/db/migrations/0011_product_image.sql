-- Which image's picture a product shows: a deletion of the image asks for it, while all other writes wait.
ALTER TABLE products ADD COLUMN image_id TEXT NOT NULL DEFAULT '';
CREATE INDEX products_image ON products (image_id) WHERE image_id <> '';
