package models

import (
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Update is one thing that a task has to tell. It is written once and never
// changed; callbacks, streams and polling all carry its Body.
type Update struct {
	ID         int64  // its position among all updates; grows in the order of commits
	CallbackID string // names the update wherever it is received
	TaskID     string
	Kind       string // of the task
	ResourceID string // of the task
	Sequence   int64  // 1, 2, 3, … within the task
	Type       string // order.progress, order.completed, …
	Status     string
	Body       string // the JSON that goes out, to the byte
	CreatedAt  time.Time
}

// Terminal reports whether it is the last update of its task.
func (u Update) Terminal() bool { return u.Status != StatusProcessing }

// Passing reports whether a newer update makes this one worthless. Progress does
// pass; that a task has begun and how it ended are told whatever comes later.
func (u Update) Passing() bool { return !u.Terminal() && u.Sequence > 1 }

// CreateUpdate stores an update and gives it its position.
func CreateUpdate(tx *Tx, u *Update) error {
	err := queryRow(tx.DB, `INSERT INTO updates (callback_id, task_id, kind, resource_id, sequence, type, status, body, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		u.CallbackID, u.TaskID, u.Kind, u.ResourceID, u.Sequence, u.Type, u.Status, u.Body, u.CreatedAt).Scan(&u.ID)
	if err != nil {
		return fmt.Errorf("storing update %d of task %s: %w", u.Sequence, u.TaskID, err)
	}
	return nil
}

// FindUpdate finds an update by its position.
func FindUpdate(db *gorm.DB, id int64) (Update, error) {
	var u Update
	err := db.Where("id = ?", id).Take(&u).Error
	return u, notFound(err, "update", fmt.Sprint(id))
}

// TaskUpdates lists what a task has told so far, in order.
func TaskUpdates(db *gorm.DB, taskID string) ([]Update, error) {
	updates := []Update{}
	if err := db.Where("task_id = ?", taskID).Order("sequence").Find(&updates).Error; err != nil {
		return nil, fmt.Errorf("listing updates of task %s: %w", taskID, err)
	}
	return updates, nil
}
