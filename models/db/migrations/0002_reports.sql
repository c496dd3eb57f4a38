CREATE TABLE reports (
	id         TEXT PRIMARY KEY,
	task_id    TEXT NOT NULL REFERENCES tasks (id),
	type       TEXT NOT NULL CHECK (type IN ('sales', 'inventory', 'callbacks', 'dataset')),
	from_day   TEXT NOT NULL,
	to_day     TEXT NOT NULL,
	created_at DATETIME NOT NULL,
	updated_at DATETIME NOT NULL,
	data       TEXT NOT NULL,
	content    BLOB
);
CREATE INDEX reports_type ON reports (type, id);
