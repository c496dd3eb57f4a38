CREATE TABLE webhooks (
	id              TEXT PRIMARY KEY,
	url             TEXT NOT NULL,
	events          TEXT NOT NULL,
	description     TEXT NOT NULL,
	secrets         TEXT NOT NULL,
	disabled_at     DATETIME,
	disabled_reason TEXT NOT NULL,
	failing_since   DATETIME,
	version         INTEGER NOT NULL,
	created_at      DATETIME NOT NULL,
	updated_at      DATETIME NOT NULL
) WITHOUT ROWID;

ALTER TABLE deliveries ADD COLUMN webhook_id TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX deliveries_webhook_update ON deliveries (webhook_id, update_id) WHERE webhook_id <> '';
CREATE INDEX deliveries_webhook_pending ON deliveries (webhook_id, id) WHERE webhook_id <> '' AND status = 'pending';
