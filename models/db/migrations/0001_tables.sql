CREATE TABLE products (
	id          TEXT PRIMARY KEY,
	slug        TEXT NOT NULL UNIQUE,
	name        TEXT NOT NULL,
	description TEXT NOT NULL,
	category    TEXT NOT NULL,
	price       INTEGER NOT NULL CHECK (price >= 0),
	currency    TEXT NOT NULL,
	stock       INTEGER NOT NULL CHECK (stock >= 0),
	image_url   TEXT NOT NULL,
	version     INTEGER NOT NULL,
	created_at  DATETIME NOT NULL,
	updated_at  DATETIME NOT NULL
);
CREATE INDEX products_category ON products (category, id);

CREATE TABLE product_tags (
	product_id TEXT NOT NULL REFERENCES products (id) ON DELETE CASCADE,
	tag        TEXT NOT NULL,
	position   INTEGER NOT NULL,
	PRIMARY KEY (product_id, tag)
) WITHOUT ROWID;
CREATE INDEX product_tags_tag ON product_tags (tag);

CREATE TABLE tasks (
	id            TEXT PRIMARY KEY,
	kind          TEXT NOT NULL,
	resource_id   TEXT NOT NULL,
	-- Not IN: SQLite would build that list anew for each row.
	status        TEXT NOT NULL CHECK (status = 'processing' OR status = 'completed' OR status = 'failed' OR status = 'cancelled'),
	progress      INTEGER NOT NULL CHECK (progress BETWEEN 0 AND 100),
	message       TEXT NOT NULL,
	sequence      INTEGER NOT NULL,
	metadata      TEXT NOT NULL,
	callback_url  TEXT NOT NULL,
	revision      INTEGER NOT NULL,
	result        BLOB,
	error_code    TEXT NOT NULL,
	error_message TEXT NOT NULL,
	created_at    DATETIME NOT NULL,
	updated_at    DATETIME NOT NULL
) WITHOUT ROWID;
CREATE INDEX tasks_resource ON tasks (resource_id);

CREATE TABLE orders (
	id         TEXT PRIMARY KEY,
	-- No foreign key: to delete a task, a database would look through all orders. So it is
	-- with updates and deliveries.
	task_id    TEXT NOT NULL,
	total      INTEGER NOT NULL,
	currency   TEXT NOT NULL,
	created_at DATETIME NOT NULL,
	updated_at DATETIME NOT NULL
) WITHOUT ROWID;

CREATE TABLE order_items (
	order_id   TEXT NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
	position   INTEGER NOT NULL,
	product_id TEXT NOT NULL,
	slug       TEXT NOT NULL,
	name       TEXT NOT NULL,
	category   TEXT NOT NULL,
	quantity   INTEGER NOT NULL CHECK (quantity > 0),
	price      INTEGER NOT NULL,
	PRIMARY KEY (order_id, position)
) WITHOUT ROWID;
CREATE INDEX order_items_product ON order_items (slug, order_id);

CREATE TABLE updates (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	callback_id TEXT NOT NULL,
	task_id     TEXT NOT NULL,
	kind        TEXT NOT NULL,
	resource_id TEXT NOT NULL,
	sequence    INTEGER NOT NULL,
	type        TEXT NOT NULL,
	status      TEXT NOT NULL,
	body        TEXT NOT NULL,
	created_at  DATETIME NOT NULL,
	UNIQUE (task_id, sequence)
);

CREATE TABLE deliveries (
	id              TEXT PRIMARY KEY,
	update_id       INTEGER NOT NULL,
	callback_id     TEXT NOT NULL,
	task_id         TEXT NOT NULL,
	type            TEXT NOT NULL,
	url             TEXT NOT NULL,
	status          TEXT NOT NULL CHECK (status = 'pending' OR status = 'delivered' OR status = 'superseded' OR status = 'exhausted' OR status = 'gone'),
	attempts        INTEGER NOT NULL,
	round           INTEGER NOT NULL,
	next_attempt_at DATETIME,
	status_code     INTEGER NOT NULL,
	error           TEXT NOT NULL,
	created_at      DATETIME NOT NULL,
	updated_at      DATETIME NOT NULL,
	delivered_at    DATETIME
) WITHOUT ROWID;
CREATE INDEX deliveries_task ON deliveries (task_id);
CREATE INDEX deliveries_callback ON deliveries (callback_id);
CREATE INDEX deliveries_given_up ON deliveries (status, id) WHERE status IN ('exhausted', 'gone');

CREATE TABLE attempts (
	delivery_id TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
	number      INTEGER NOT NULL,
	started_at  DATETIME NOT NULL,
	duration    INTEGER NOT NULL,
	address     TEXT NOT NULL,
	status_code INTEGER NOT NULL,
	headers     TEXT NOT NULL,
	body        TEXT NOT NULL,
	error       TEXT NOT NULL,
	PRIMARY KEY (delivery_id, number)
) WITHOUT ROWID;
