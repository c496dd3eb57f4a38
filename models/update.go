package models

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"petstore/models/db"

	"gorm.io/gorm"

	"petstore/callbacks"
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
	Progress   int
	Message    string
	Revision   int64 // of the task's metadata
	CreatedAt  time.Time
	// Body is the JSON that goes out. It is composed when somebody is to be told and
	// when it is read, always to the same bytes: storing it would double an
	// order's place on the disk, and store metadata once for each update.
	Body string
	// Snapshot is the task as it was then, for Body, while that is "".
	Snapshot *Task `gorm:"-"`
}

// Terminal reports whether it is the last update of its task.
func (u Update) Terminal() bool { return u.Status != StatusProcessing }

// Supersedable reports whether a newer update makes this one worthless. Progress does
// pass; that a task has begun and how it ended are told whatever comes later.
func (u Update) Supersedable() bool { return !u.Terminal() && u.Sequence > 1 }

// WithBody returns u with its Body.
func (u Update) WithBody() (Update, error) {
	if u.Body != "" {
		return u, nil
	}
	return u.composed(*u.Snapshot)
}

// composed returns u with its Body, where t is the task as it was then.
func (u Update) composed(t Task) (Update, error) {
	m := callbacks.Update{
		CallbackID: u.CallbackID, Type: u.Type, TaskID: u.TaskID, Sequence: u.Sequence,
		Status: u.Status, Progress: u.Progress, Message: u.Message, Resource: callbacks.ResourceOf(u.ResourceID),
		Metadata: callbacks.Metadata(t.Metadata), Timestamp: u.CreatedAt,
	}
	if u.Terminal() { // what a task has come to is told by its last update
		m.Result = t.Result
		if t.ErrorCode != "" {
			m.Error = &callbacks.Error{Code: t.ErrorCode, Message: t.ErrorMessage}
		}
	}
	body, err := callbacks.Encode(m)
	if err != nil {
		return u, fmt.Errorf("encoding update %d of task %s: %w", u.Sequence, u.TaskID, err)
	}
	u.Body = string(body)
	return u, nil
}

// CreateUpdate stores an update and gives it its position. Its task must have been
// written in the same transaction. On SQLite positions grow in the order of
// commits: who has seen one will never see a lower one appear. On PostgreSQL that
// holds for the updates of one task; for those of several see Watermark.
func CreateUpdate(tx *Tx, u *Update) error {
	var err error
	u.ID, err = tx.Insert(`INSERT INTO updates (callback_id, task_id, kind, sequence, type, status, progress, message, revision, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		u.CallbackID, u.TaskID, u.Kind, u.Sequence, u.Type, u.Status, u.Progress, u.Message, u.Revision, u.CreatedAt)
	return wrap(err, "storing update %d of task %s", u.Sequence, u.TaskID)
}

// findUpdates reads updates and composes what they say. rest is what follows FROM,
// where u is the update and t its task. Metadata that was replaced later is in
// task_metadata. Once it has read atMost bytes of JSON it stops, and cut is true.
func findUpdates(view *gorm.DB, atMost int, rest string, args ...any) (updates []Update, cut bool, err error) {
	rows, err := db.QueryRows(view, `SELECT u.id, u.callback_id, u.task_id, u.kind, t.resource_id, u.sequence, u.type, u.status, u.progress, u.message,
		u.revision, u.created_at, COALESCE(m.metadata, t.metadata), t.result, t.error_code, t.error_message
		FROM updates u JOIN tasks t ON t.id = u.task_id LEFT JOIN task_metadata m ON m.task_id = u.task_id AND m.revision = u.revision `+rest, args...)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	updates = []Update{}
	for rows.Next() {
		u, err := scanUpdate(rows)
		if err != nil {
			return nil, false, err
		}
		updates = append(updates, u)
		if atMost -= len(u.Body); atMost <= 0 {
			return updates, true, nil
		}
	}
	return updates, false, rows.Err()
}

func scanUpdate(rows *sql.Rows) (u Update, err error) {
	var t Task
	var metadata []byte
	err = rows.Scan(&u.ID, &u.CallbackID, &u.TaskID, &u.Kind, &u.ResourceID, &u.Sequence, &u.Type, &u.Status, &u.Progress, &u.Message,
		&u.Revision, &u.CreatedAt, &metadata, &t.Result, &t.ErrorCode, &t.ErrorMessage)
	if err == nil {
		err = json.Unmarshal(metadata, &t.Metadata)
	}
	if err != nil {
		return u, err
	}
	return u.composed(t)
}

// updatesByID finds updates by their positions.
func updatesByID(db *gorm.DB, ids []int64) (map[int64]Update, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	updates, _, err := findUpdates(db, math.MaxInt, "WHERE u.id IN ("+placeholders(len(ids))+")", args...)
	if err != nil {
		return nil, fmt.Errorf("reading updates: %w", err)
	}
	found := make(map[int64]Update, len(updates))
	for _, u := range updates {
		found[u.ID] = u
	}
	return found, nil
}

// MaxUpdates is how many updates of a task a page has at most.
const MaxUpdates = 1000

// TaskUpdates lists what a task has told so far, in order.
func TaskUpdates(db *gorm.DB, taskID string, page Page) (List[Update], error) {
	after, err := page.number()
	if err != nil {
		return List[Update]{}, err
	}
	limit := min(max(page.Limit, 1), MaxUpdates)
	updates, cut, err := findUpdates(db, maxUpdateBytes, "WHERE u.task_id = ? AND u.sequence > ? ORDER BY u.sequence LIMIT ?", taskID, after, limit+1)
	list := List[Update]{Items: updates, id: func(u Update) string { return strconv.FormatInt(u.Sequence, 10) }}
	if len(updates) > limit {
		cut, list.Items = true, updates[:limit]
	}
	if cut {
		list.Next = list.After(len(list.Items) - 1)
	}
	return list, wrap(err, "listing updates of task %s", taskID)
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
	err := db.Raw("SELECT COALESCE(MAX(id), 0) FROM updates").Row().Scan(&id)
	return id, wrap(err, "finding the newest update")
}

const (
	// updatePage is how many updates are read at once, and maxUpdateBytes how much of
	// their JSON, give or take one.
	updatePage     = 100
	maxUpdateBytes = 1 << 20
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
	condition, order, args := "u.id > ? AND u.id <= ?", "u.id", []any{after, min(newest, after+updateSpan)}
	if f.TaskID == "" {
		page.Position = min(newest, after+updateSpan)
	} else {
		// Few rows, which the index on (task_id, sequence) finds. The plus keeps
		// SQLite from walking along the primary key instead.
		condition, order, args = "u.task_id = ? AND +u.id > ? AND +u.id <= ?", "u.sequence", []any{f.TaskID, after, newest}
	}
	if f.Kind != "" {
		condition, args = condition+" AND u.kind = ?", append(args, f.Kind)
	}
	if f.Status != "" {
		condition, args = condition+" AND u.status = ?", append(args, f.Status)
	}
	var cut bool
	var err error
	if page.Items, cut, err = findUpdates(db, maxUpdateBytes, "WHERE "+condition+" ORDER BY "+order+" LIMIT ?", append(args, updatePage)...); err != nil {
		return UpdatePage{}, fmt.Errorf("reading updates after %d: %w", after, err)
	}
	if n := len(page.Items); n == updatePage || cut {
		page.Position = page.Items[n-1].ID
	}
	page.More = page.Position < newest
	return page, nil
}
