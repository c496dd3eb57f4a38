package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Statuses of a task, and of whatever it works on. A task begins as processing
// and ends in exactly one of the others.
const (
	StatusProcessing = "processing"
	StatusCompleted  = "completed"
	StatusFailed     = "failed"
	StatusCancelled  = "cancelled"
)

// Metadata is what a client hangs on a request and gets back with every update.
type Metadata map[string]string

// Task is a piece of slow work: how far it has come, whom to tell, and how it
// ended. Kind says which operation does the work, and ResourceID on what.
type Task struct {
	ID           string
	Kind         string // order, …
	ResourceID   string
	Status       string
	Progress     int // 0 to 100
	Message      string
	Sequence     int64    // of its latest update
	Metadata     Metadata `gorm:"serializer:json"`
	CallbackURL  string
	Revision     int64  // counts the changes of Metadata and CallbackURL
	Result       []byte // JSON, once completed
	ErrorCode    string
	ErrorMessage string
	CreatedAt    time.Time
	UpdatedAt    time.Time
	// Resource is what the task works on, if whoever made the task has passed it
	// on; nil when it has to be read by its ResourceID.
	Resource any `gorm:"-"`
}

// Ended reports whether nothing more will happen to the task.
func (t Task) Ended() bool { return t.Status != StatusProcessing }

// ErrTaskEnded says that a task cannot go on: it is completed, failed or cancelled.
var ErrTaskEnded = errors.New("the task has ended")

// FindTask finds a task by its id.
func FindTask(db *gorm.DB, id string) (Task, error) {
	var t Task
	var metadata []byte
	query := "SELECT " + taskColumns + " FROM tasks WHERE id = ?"
	if forUpdate(db) {
		query += " FOR UPDATE"
	}
	err := queryRow(db, query, id).Scan(
		&t.ID, &t.Kind, &t.ResourceID, &t.Status, &t.Progress, &t.Message, &t.Sequence, &metadata, &t.CallbackURL,
		&t.Revision, &t.Result, &t.ErrorCode, &t.ErrorMessage, &t.CreatedAt, &t.UpdatedAt)
	if err == nil {
		err = json.Unmarshal(metadata, &t.Metadata)
	}
	return t, notFound(err, "task", id)
}

// The statements on the way of every task are written by hand, here and in
// update.go and delivery.go: GORM's Create and Take find the columns by
// reflection at every call, which costs several times what the statement does.

const taskColumns = "id, kind, resource_id, status, progress, message, sequence, metadata, callback_url, revision, result, error_code, error_message, created_at, updated_at"

// CreateTask stores a new task.
func CreateTask(tx *Tx, t *Task) error {
	metadata, err := json.Marshal(t.Metadata)
	if err != nil {
		return fmt.Errorf("encoding metadata of task %s: %w", t.ID, err)
	}
	_, err = tx.exec("INSERT INTO tasks ("+taskColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		t.ID, t.Kind, t.ResourceID, t.Status, t.Progress, t.Message, t.Sequence, string(metadata), t.CallbackURL,
		t.Revision, t.Result, t.ErrorCode, t.ErrorMessage, t.CreatedAt, t.UpdatedAt)
	if err != nil {
		return fmt.Errorf("storing task %s: %w", t.ID, err)
	}
	return nil
}

// AdvanceTask stores the Status, Progress, Message, Result and error of t as the
// task's newest; t.Sequence is the number of the update that says so, one more than
// that of the update before it. If the task was changed meanwhile, what has changed
// is read into t: the Sequence, whom to call back, and the metadata. A task that has
// ended does not change any more: ErrTaskEnded.
func AdvanceTask(tx *Tx, t *Task) (changed bool, err error) {
	for {
		advanced, err := tx.exec(`UPDATE tasks SET sequence = sequence + 1, status = ?, progress = ?, message = ?, result = ?,
			error_code = ?, error_message = ?, updated_at = ?
			WHERE id = ? AND status = 'processing' AND sequence = ? AND revision = ?`,
			t.Status, t.Progress, t.Message, t.Result, t.ErrorCode, t.ErrorMessage, t.UpdatedAt, t.ID, t.Sequence-1, t.Revision)
		if err != nil {
			return false, fmt.Errorf("advancing task %s: %w", t.ID, err)
		}
		if advanced == 1 {
			return changed, nil
		}
		now, err := FindTask(tx.DB, t.ID)
		if err != nil {
			return false, err
		}
		if now.Ended() {
			return false, ErrTaskEnded
		}
		changed, t.UpdatedAt = true, Now()
		t.Sequence, t.Revision, t.CallbackURL, t.Metadata = now.Sequence+1, now.Revision, now.CallbackURL, now.Metadata
	}
}

// ToldMeanwhile reports whether a task has told more than t knows of, and keeps it
// from telling more until this transaction ends. On SQLite one process works on a
// task, which knows of all that it has told.
func ToldMeanwhile(tx *Tx, t Task) (bool, error) {
	if tx.Name() == "sqlite" {
		return false, nil
	}
	now, err := FindTask(tx.ForUpdate(), t.ID)
	return now.Sequence > t.Sequence, err
}

// ChangeTask stores whom a running task has to tell, and what to tell them with
// every update.
func ChangeTask(tx *Tx, id string, callbackURL string, metadata Metadata) error {
	if metadata == nil {
		metadata = Metadata{}
	}
	encoded, err := json.Marshal(metadata)
	if err == nil {
		_, err = tx.exec("UPDATE tasks SET callback_url = ?, metadata = ?, revision = revision + 1, updated_at = ? WHERE id = ?",
			callbackURL, string(encoded), Now(), id)
	}
	if err != nil {
		return fmt.Errorf("changing task %s: %w", id, err)
	}
	return nil
}
