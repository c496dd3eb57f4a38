CREATE TABLE images (
	id         TEXT PRIMARY KEY,
	task_id    TEXT NOT NULL REFERENCES tasks (id),
	image_url  TEXT NOT NULL,
	operations TEXT NOT NULL,
	format     TEXT NOT NULL,
	quality    INTEGER NOT NULL,
	created_at DATETIME NOT NULL
);
CREATE INDEX images_url ON images (image_url, id) WHERE image_url <> '';

CREATE TABLE image_variants (
	image_id     TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
	name         TEXT NOT NULL,
	position     INTEGER NOT NULL,
	content_type TEXT NOT NULL,
	width        INTEGER NOT NULL,
	height       INTEGER NOT NULL,
	size         INTEGER NOT NULL,
	sha256       TEXT NOT NULL,
	created_at   DATETIME NOT NULL,
	PRIMARY KEY (image_id, name)
) WITHOUT ROWID;

CREATE TABLE loose_blobs (
	blob   TEXT PRIMARY KEY,
	due_at DATETIME NOT NULL
);
CREATE INDEX loose_blobs_due ON loose_blobs (due_at);
