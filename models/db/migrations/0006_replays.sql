ALTER TABLE deliveries ADD COLUMN claimed BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE deliveries ADD COLUMN replaying BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX deliveries_claimed ON deliveries (id) WHERE status = 'pending' AND claimed;
CREATE INDEX deliveries_replaying ON deliveries (webhook_id, update_id) WHERE status = 'pending' AND replaying;
