package models

import (
	"database/sql"
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
	ID          string
	Kind        string // order, …
	ResourceID  string
	Status      string
	Progress    int // 0 to 100
	Message     string
	Sequence    int64    // of its latest update
	Metadata    Metadata `gorm:"serializer:json"`
	CallbackURL string
	// CallbackEvents are patterns of what CallbackURL is told, see MatchesEvent; none is everything.
	CallbackEvents []string `gorm:"serializer:json"`
	Revision       int64    // counts the changes of Metadata, CallbackURL and CallbackEvents
	Result         []byte   // JSON, once completed
	ErrorCode      string
	ErrorMessage   string
	CreatedAt      time.Time
	UpdatedAt      time.Time
	Errors         int // of the server's own, in runs so far
	// Resource is what the task works on, if whoever made the task has passed it
	// on; nil when it has to be read by its ResourceID.
	Resource any `gorm:"-"`
	// Resumed says that this is not the task's first run.
	Resumed bool `gorm:"-"`
}

// Ended reports whether nothing more will happen to the task.
func (t Task) Ended() bool { return t.Status != StatusProcessing }

// CallbackFor is the URL that updates of a type are sent to, "" for none.
func (t Task) CallbackFor(updateType string) string {
	if len(t.CallbackEvents) > 0 && !matchesAny(t.CallbackEvents, updateType) {
		return ""
	}
	return t.CallbackURL
}

// eventsColumn is how the events of a task are stored.
func (t Task) eventsColumn() (string, error) {
	if len(t.CallbackEvents) == 0 {
		return "", nil
	}
	column, err := json.Marshal(t.CallbackEvents)
	return string(column), err
}

// ErrTaskEnded says that a task cannot go on: it is completed, failed or cancelled.
var ErrTaskEnded = errors.New("the task has ended")

// FindTask finds a task by its id.
func FindTask(db *gorm.DB, id string) (Task, error) {
	return take[Task](db.Where("id = ?", id), "task", id)
}

// TaskSequences are the numbers of the newest updates of tasks, by their ids.
func TaskSequences(db *gorm.DB, ids []string) (map[string]int64, error) {
	var tasks []Task
	err := db.Select("id, sequence").Where("id IN ?", ids).Find(&tasks).Error
	sequences := make(map[string]int64, len(tasks))
	for _, t := range tasks {
		sequences[t.ID] = t.Sequence
	}
	return sequences, wrap(err, "reading how far %d tasks are", len(ids))
}

// The statements on the way of every task are written by hand, here and in
// update.go and delivery.go: GORM's Create and Take find the columns by
// reflection at every call, which costs several times what the statement does.

// CreateTask stores a new task.
func CreateTask(tx *Tx, t *Task) error {
	metadata, err := json.Marshal(t.Metadata)
	if err != nil {
		return fmt.Errorf("encoding metadata of task %s: %w", t.ID, err)
	}
	events, err := t.eventsColumn()
	if err != nil {
		return fmt.Errorf("encoding the events of task %s: %w", t.ID, err)
	}
	_, err = tx.Write(`INSERT INTO tasks (id, kind, resource_id, status, progress, message, sequence, metadata, callback_url, callback_events,
		revision, result, error_code, error_message, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.ID, t.Kind, t.ResourceID, t.Status, t.Progress, t.Message, t.Sequence, string(metadata), t.CallbackURL, events,
		t.Revision, t.Result, t.ErrorCode, t.ErrorMessage, t.CreatedAt, t.UpdatedAt)
	return wrap(err, "storing task %s", t.ID)
}

// AdvanceTask stores the Status, Progress, Message, Result and error of t as the
// task's newest; t.Sequence is the number of the update that says so, one more than
// that of the update before it. If the task was changed meanwhile, what has changed
// is read into t: the Sequence, whom to call back, and the metadata. A task that has
// ended does not change any more: ErrTaskEnded.
func AdvanceTask(tx *Tx, t *Task) (changed bool, err error) {
	for {
		advanced, err := tx.Write(`UPDATE tasks SET sequence = sequence + 1, status = ?, progress = ?, message = ?, result = ?,
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
		t.Sequence, t.Revision, t.Metadata = now.Sequence+1, now.Revision, now.Metadata
		t.CallbackURL, t.CallbackEvents = now.CallbackURL, now.CallbackEvents
	}
}

// ChangeTask stores whom a running task has to tell, and what to tell them with
// every update. What it has told keeps the metadata that it was told with.
func ChangeTask(tx *Tx, t *Task) error {
	if t.Metadata == nil {
		t.Metadata = Metadata{}
	}
	t.UpdatedAt = Now()
	encoded, err := json.Marshal(t.Metadata)
	if err == nil {
		_, err = tx.Write(`INSERT INTO task_metadata (task_id, revision, metadata)
			SELECT DISTINCT t.id, u.revision, t.metadata FROM tasks t JOIN updates u ON u.task_id = t.id
			WHERE t.id = ? AND t.metadata <> ? AND NOT EXISTS (SELECT 1 FROM task_metadata m WHERE m.task_id = t.id AND m.revision = u.revision)`,
			t.ID, string(encoded))
	}
	events, encoding := t.eventsColumn()
	if err = errors.Join(err, encoding); err == nil {
		_, err = tx.Write("UPDATE tasks SET callback_url = ?, callback_events = ?, metadata = ?, revision = revision + 1, updated_at = ? WHERE id = ?",
			t.CallbackURL, events, string(encoded), t.UpdatedAt, t.ID)
	}
	return wrap(err, "changing task %s", t.ID)
}

// ResumeTask notes that a task is taken up again, and returns how often in a row it was at
// the progress that it has now.
func ResumeTask(tx *Tx, id string) (starts int, err error) {
	return count(tx, id, `UPDATE tasks SET starts = CASE WHEN started_at_progress = progress THEN starts + 1 ELSE 1 END, started_at_progress = progress
		WHERE id = ? AND status = 'processing' RETURNING starts`)
}

// MarkCrashRisk notes that a run of a task is about to do what may be too much for the
// server, and returns how often in a row that was cut off at the progress that the task
// has now. It was cut off if it was noted before, and no end of it (StopTask).
func MarkCrashRisk(tx *Tx, id string) (crashes int, err error) {
	return count(tx, id, `UPDATE tasks SET crash_risk = TRUE, crashed_at_progress = CASE WHEN crash_risk THEN progress ELSE crashed_at_progress END,
		crashes = CASE WHEN NOT crash_risk THEN crashes WHEN crashed_at_progress = progress THEN crashes + 1 ELSE 1 END
		WHERE id = ? AND status = 'processing' RETURNING crashes`)
}

func count(tx *Tx, id, query string) (n int, err error) {
	err = tx.QueryRow(query, id).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrTaskEnded
	}
	return n, wrap(err, "starting task %s", id)
}

// StopTask notes that a run has ended that counts for nothing: the server has
// interrupted it itself, or lacked what it needed. The next is due at runAt, nil for now.
func StopTask(tx *Tx, id string, runAt *time.Time) error {
	_, err := tx.Write(`UPDATE tasks SET crash_risk = FALSE, starts = CASE WHEN starts > 0 THEN starts - 1 ELSE 0 END, run_at = ?
		WHERE id = ? AND status = 'processing'`, runAt, id)
	return wrap(err, "stopping task %s", id)
}

// CountError notes that a run of a task has failed for a reason of the server's own,
// and when the next is due.
func CountError(tx *Tx, id string, runAt time.Time) error {
	_, err := tx.Write("UPDATE tasks SET errors = errors + 1, run_at = ?, crash_risk = FALSE WHERE id = ? AND status = 'processing'", runAt, id)
	return wrap(err, "counting an error of task %s", id)
}

// WaitingTask is a task that is to be worked on.
type WaitingTask struct {
	ID, ResourceID string
	RunAt          *time.Time // nil for now
}

// WaitingTasks lists the tasks of a kind that have not ended, in the order of
// their resources, which is that of their creation; from the one after a resource,
// limit at most.
func WaitingTasks(db *gorm.DB, kind, after string, limit int) (tasks []WaitingTask, err error) {
	err = db.Model(&Task{}).Where("kind = ? AND status = 'processing' AND resource_id > ?", kind, after).
		Order("resource_id").Limit(limit).Find(&tasks).Error
	return tasks, wrap(err, "listing the work that is left")
}
