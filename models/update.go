package models

import (
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Update is one thing that a task has to tell. It is written once and never
// changed; callbacks, streams and polling all carry its Body.
type Update struct {
	ID         int64  // its position among all updates; see CreateUpdate
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

// CreateUpdate stores an update and gives it its position. Its task must have been
// written in the same transaction. On SQLite positions grow in the order of
// commits: who has seen one will never see a lower one appear. On PostgreSQL that
// holds for the updates of one task; for those of several see Horizon.
func CreateUpdate(tx *Tx, u *Update) error {
	var err error
	u.ID, err = tx.insert(`INSERT INTO updates (callback_id, task_id, kind, resource_id, sequence, type, status, body, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		u.CallbackID, u.TaskID, u.Kind, u.ResourceID, u.Sequence, u.Type, u.Status, u.Body, u.CreatedAt)
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

// Overtaken reports whether the task has told anything after u. If not, it tells
// nothing until this transaction ends.
func Overtaken(tx *Tx, u Update) (overtaken bool, err error) {
	if err = tx.lock("tasks", u.TaskID); err != nil {
		return false, err
	}
	err = queryRow(tx.DB, "SELECT EXISTS (SELECT 1 FROM updates WHERE task_id = ? AND sequence > ?)", u.TaskID, u.Sequence).Scan(&overtaken)
	if err != nil {
		return false, fmt.Errorf("looking for what follows update %d of task %s: %w", u.Sequence, u.TaskID, err)
	}
	return overtaken, nil
}

// TaskUpdates lists what a task has told so far, in order.
func TaskUpdates(db *gorm.DB, taskID string) ([]Update, error) {
	updates := []Update{}
	if err := db.Where("task_id = ?", taskID).Order("sequence").Find(&updates).Error; err != nil {
		return nil, fmt.Errorf("listing updates of task %s: %w", taskID, err)
	}
	return updates, nil
}

// UpdateFilter picks updates; zero values pick all.
type UpdateFilter struct {
	TaskID string
	Kind   string // of the task
	Status string
}

// Picks reports whether f picks u.
func (f UpdateFilter) Picks(u Update) bool {
	return (f.TaskID == "" || f.TaskID == u.TaskID) &&
		(f.Kind == "" || f.Kind == u.Kind) &&
		(f.Status == "" || f.Status == u.Status)
}

// NewestUpdate is the position of the newest update, 0 if there is none.
func NewestUpdate(db *gorm.DB) (int64, error) {
	var id int64
	if err := db.Raw("SELECT COALESCE(MAX(id), 0) FROM updates").Row().Scan(&id); err != nil {
		return 0, fmt.Errorf("finding the newest update: %w", err)
	}
	return id, nil
}

const (
	// updatePage is how many updates are read at once.
	updatePage = 100
	// updateSpan is how many positions are searched at once: a filter that picks
	// next to nothing must not turn one query into a scan of the whole table.
	updateSpan = 20_000
)

// UpdatePage is a part of the updates that a filter picks.
type UpdatePage struct {
	Items    []Update // in order
	Position int64    // where the next page begins
	More     bool     // there is, or may be, a next page
}

// UpdatesAfter reads the next updates that f picks after a position, up to the one
// that is the newest.
func UpdatesAfter(db *gorm.DB, f UpdateFilter, after, newest int64) (UpdatePage, error) {
	if newest <= after {
		return UpdatePage{Position: after}, nil
	}
	page := UpdatePage{Position: newest}
	q := db.Limit(updatePage)
	if f.TaskID != "" {
		// Few rows, which the index on (task_id, sequence) finds. The plus keeps
		// SQLite from walking along the primary key instead.
		q = q.Where("task_id = ? AND +id > ? AND +id <= ?", f.TaskID, after, newest).Order("sequence")
	} else {
		page.Position = min(newest, after+updateSpan)
		q = q.Where("id > ? AND id <= ?", after, page.Position).Order("id")
	}
	if f.Kind != "" {
		q = q.Where("kind = ?", f.Kind)
	}
	if f.Status != "" {
		q = q.Where("status = ?", f.Status)
	}
	if err := q.Find(&page.Items).Error; err != nil {
		return UpdatePage{}, fmt.Errorf("reading updates after %d: %w", after, err)
	}
	if len(page.Items) == updatePage {
		page.Position = page.Items[updatePage-1].ID
	}
	page.More = page.Position < newest
	return page, nil
}
