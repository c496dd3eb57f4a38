-- What is pending is found by when it is due: most of it is pending for moments, in which
-- it should not have to move in more indexes than that.
DROP INDEX deliveries_status;
DROP INDEX deliveries_url;
CREATE INDEX deliveries_status ON deliveries (status, id) WHERE status <> 'pending';
CREATE INDEX deliveries_url ON deliveries (url, status, id) WHERE status <> 'pending';

ALTER TABLE deliveries RENAME COLUMN passing TO supersedable;
ALTER TABLE tasks RENAME COLUMN braced TO crash_risk;
ALTER TABLE tasks RENAME COLUMN cuts TO crashes;
ALTER TABLE tasks RENAME COLUMN cut_at_progress TO crashed_at_progress;

-- What is older than RETENTION is deleted task by task.
CREATE INDEX reports_task ON reports (task_id);
CREATE INDEX images_task ON images (task_id);
CREATE INDEX payments_task ON payments (task_id);
CREATE INDEX refunds_task ON refunds (task_id);
