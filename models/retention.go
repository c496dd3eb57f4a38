package models

import (
	"fmt"
	"time"

	"petstore/callbacks"

	"gorm.io/gorm"
)

// EndedTask is a task that has ended, and what it worked on.
type EndedTask struct {
	ID, Kind, ResourceID string
}

// EndedTasks lists tasks that ended before a time, in the order of their ids, from the
// one after an id, limit at most. It reads the oldest ids only: an id has the time at
// which its task began (NewID).
func EndedTasks(db *gorm.DB, before time.Time, after string, limit int) ([]EndedTask, error) {
	var tasks []EndedTask
	err := db.Model(&Task{}).Select("id, kind, resource_id").
		Where("id > ? AND id < ? AND status <> 'processing' AND updated_at < ?", after, idAt(PrefixTask, before.Add(idSlack)), before).
		Order("id").Limit(limit).Scan(&tasks).Error
	return tasks, wrap(err, "listing what has ended before %s", before)
}

// inUse are conditions under which something is kept though its task has ended, as
// conditions on its id: an order or a refund while its payment is there, which goes
// first; a payment while something is done about it.
var inUse = map[string]string{
	"order": "EXISTS (SELECT 1 FROM payments p WHERE p.order_id = ? AND p.order_id <> '')",
	"payment": "EXISTS (SELECT 1 FROM tasks t WHERE t.status = 'processing' AND t.kind IN ('payment', 'reversal') AND t.resource_id = ?)" +
		" OR EXISTS (SELECT 1 FROM refunds r JOIN tasks t ON t.id = r.task_id WHERE r.payment_id = ? AND t.status = 'processing')",
	"refund": "EXISTS (SELECT 1 FROM refunds r WHERE r.id = ?)",
	"image":  "EXISTS (SELECT 1 FROM products p WHERE p.image_id = ? AND p.image_id <> '')",
}

// RemoveTask deletes a task that has ended, with its updates, deliveries and attempts, and
// what it worked on. It is kept, and removed is false, while something of it is to be
// delivered, or it is in use.
func RemoveTask(tx *Tx, t EndedTask) (removed bool, err error) {
	kept, args := "EXISTS (SELECT 1 FROM deliveries WHERE task_id = ? AND status = 'pending')", []any{t.ID}
	if use := inUse[t.Kind]; use != "" {
		kept, args = kept+" OR "+use, append(args, t.ResourceID)
		if t.Kind == "payment" {
			args = append(args, t.ResourceID)
		}
	}
	var keep bool
	if err := tx.Raw("SELECT "+kept, args...).Row().Scan(&keep); err != nil || keep {
		return false, err
	}
	statements := []string{
		"DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE task_id = ?)",
		"DELETE FROM deliveries WHERE task_id = ?",
		"DELETE FROM updates WHERE task_id = ?",
		"DELETE FROM task_metadata WHERE task_id = ?",
	}
	for _, kind := range callbacks.Kinds {
		if kind.Name == t.Kind && kind.Collection != "" { // a payment's refunds go with it, and their tasks follow
			statements = append(statements, "DELETE FROM "+kind.Collection+" WHERE id = (SELECT resource_id FROM tasks WHERE id = ?)")
		}
	}
	for _, statement := range append(statements, "DELETE FROM tasks WHERE id = ?") {
		if err := tx.Exec(statement, t.ID).Error; err != nil {
			return false, fmt.Errorf("removing task %s: %w", t.ID, err)
		}
	}
	return true, nil
}
