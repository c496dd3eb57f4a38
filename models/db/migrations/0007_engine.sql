-- Updates keep what only they know. The rest of their JSON is their task's.
ALTER TABLE updates ADD COLUMN progress INTEGER NOT NULL DEFAULT 0;
ALTER TABLE updates ADD COLUMN message TEXT NOT NULL DEFAULT '';
ALTER TABLE updates ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
CREATE TABLE task_metadata (
	task_id  TEXT NOT NULL REFERENCES tasks (id),
	revision INTEGER NOT NULL,
	metadata TEXT NOT NULL,
	PRIMARY KEY (task_id, revision)
) WITHOUT ROWID;
UPDATE updates SET progress = COALESCE(CAST(body ->> 'progress' AS INTEGER), 0), message = COALESCE(body ->> 'message', ''),
	revision = COALESCE((SELECT CASE WHEN t.revision > 0 THEN -updates.sequence END FROM tasks t WHERE t.id = updates.task_id), 0);
INSERT INTO task_metadata (task_id, revision, metadata) SELECT task_id, revision, COALESCE(body ->> 'metadata', '{}') FROM updates WHERE revision < 0;
ALTER TABLE updates DROP COLUMN body;
ALTER TABLE updates DROP COLUMN resource_id;

ALTER TABLE tasks ADD COLUMN starts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN started_at_progress INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN braced BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE tasks ADD COLUMN cuts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN cut_at_progress INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN errors INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN run_at DATETIME;
DROP INDEX tasks_resource;
CREATE INDEX tasks_work ON tasks (kind, status, resource_id);

ALTER TABLE orders ADD COLUMN reserved_at DATETIME;
ALTER TABLE orders ADD COLUMN packing INTEGER NOT NULL DEFAULT 0;
UPDATE orders SET reserved_at = created_at, packing = (SELECT t.sequence - 1 FROM tasks t WHERE t.id = orders.task_id)
	WHERE task_id IN (SELECT id FROM tasks WHERE status = 'processing' AND sequence > 1) OR task_id IN (SELECT id FROM tasks WHERE status = 'completed');

-- A list of orders by product, and by product and status, is a walk along an index.
CREATE TABLE product_slugs (
	slug       TEXT NOT NULL,
	product_id TEXT NOT NULL,
	PRIMARY KEY (product_id, slug)
) WITHOUT ROWID;
INSERT INTO product_slugs (slug, product_id) SELECT slug, product_id FROM order_items GROUP BY slug, product_id;
INSERT INTO product_slugs (slug, product_id) SELECT slug, id FROM products WHERE true ON CONFLICT DO NOTHING;
ALTER TABLE order_items ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
UPDATE order_items SET outcome = (SELECT t.status FROM orders o JOIN tasks t ON t.id = o.task_id WHERE o.id = order_items.order_id)
	WHERE order_id IN (SELECT o.id FROM orders o JOIN tasks t ON t.id = o.task_id WHERE t.status = 'failed' OR t.status = 'cancelled');
DROP INDEX order_items_product;
CREATE INDEX order_items_product ON order_items (slug, outcome, order_id);

ALTER TABLE deliveries ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN passing BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE deliveries ADD COLUMN claimed_by TEXT NOT NULL DEFAULT '';
UPDATE deliveries SET sequence = (SELECT u.sequence FROM updates u WHERE u.id = deliveries.update_id);
UPDATE deliveries SET passing = TRUE WHERE type LIKE '%.progress';
DROP INDEX deliveries_claimed;
DROP INDEX deliveries_task;
CREATE INDEX deliveries_task ON deliveries (task_id, sequence);
DROP INDEX deliveries_given_up;
DROP INDEX deliveries_webhook_pending;
ALTER TABLE deliveries DROP COLUMN claimed;
UPDATE deliveries SET next_attempt_at = NULL WHERE status = 'pending' AND webhook_id <> '' AND EXISTS
	(SELECT 1 FROM deliveries e WHERE e.task_id = deliveries.task_id AND e.webhook_id = deliveries.webhook_id AND e.status = 'pending' AND NOT e.passing AND e.sequence < deliveries.sequence);
CREATE INDEX deliveries_due ON deliveries (host, next_attempt_at, id) WHERE status = 'pending' AND next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_status ON deliveries (status, id);
CREATE INDEX deliveries_url ON deliveries (url, status, id);
CREATE INDEX deliveries_webhook ON deliveries (webhook_id, status, id) WHERE webhook_id <> '';
CREATE INDEX deliveries_waiting ON deliveries (id) WHERE status = 'pending' AND next_attempt_at IS NULL;
