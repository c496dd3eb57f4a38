ALTER TABLE orders ADD COLUMN payment_id TEXT NOT NULL DEFAULT '';

CREATE TABLE payments (
	id             TEXT PRIMARY KEY,
	task_id        TEXT NOT NULL REFERENCES tasks (id),
	order_id       TEXT NOT NULL,
	claims_order   BOOLEAN NOT NULL,
	amount         INTEGER NOT NULL CHECK (amount > 0),
	currency       TEXT NOT NULL,
	provider       TEXT NOT NULL,
	provider_id    TEXT NOT NULL,
	payment_method TEXT NOT NULL,
	description    TEXT NOT NULL,
	refunded       INTEGER NOT NULL CHECK (refunded BETWEEN 0 AND amount),
	created_at     DATETIME NOT NULL,
	updated_at     DATETIME NOT NULL
);
CREATE UNIQUE INDEX payments_claim ON payments (order_id) WHERE claims_order;
CREATE INDEX payments_order ON payments (order_id, id) WHERE order_id <> '';

CREATE TABLE refunds (
	id          TEXT PRIMARY KEY,
	payment_id  TEXT NOT NULL REFERENCES payments (id) ON DELETE CASCADE,
	task_id     TEXT NOT NULL REFERENCES tasks (id),
	amount      INTEGER NOT NULL CHECK (amount > 0),
	reason      TEXT NOT NULL,
	provider_id TEXT NOT NULL,
	created_at  DATETIME NOT NULL,
	updated_at  DATETIME NOT NULL
);
CREATE INDEX refunds_payment ON refunds (payment_id, id);
