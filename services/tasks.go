package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"petstore/callbacks"
	"petstore/models"
)

// Operation is one kind of slow work.
type Operation struct {
	// Kind names it: in tasks, in types of updates ("order.completed").
	Kind string
	// SetID puts the id of what the task works on into an update.
	SetID func(u *callbacks.Update, id string)
	// Run does the work. It reports progress as it goes, and returns what to
	// tell as the result: any value that JSON can hold. A *Failure ends the
	// task as failed. Any other error is the server's own, and Run is called
	// again later; so what Run has done already must not be done twice.
	Run func(ctx context.Context, task *models.Task, report Report) (any, error)
	// Ended, if set, is called in the transaction that ends the task, however
	// it ends: task.Status tells.
	Ended func(tx *models.Tx, task *models.Task) error
}

// Report tells how far the work has come: progress in percent (0 to 99), and a
// sentence. What also does is stored with it or not at all. It returns
// models.ErrTaskEnded when the task was cancelled meanwhile. One goroutine at a
// time may report.
type Report func(progress int, message string, also ...func(tx *models.Tx) error) error

// Failure is why work failed, in words meant for the client.
type Failure struct { //nolint:errname // what a client is told, and only beside that an error
	Code    string // stable, for programs: OUT_OF_STOCK
	Message string // a sentence, for people
}

func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// Tasks runs slow work and tells about it.
type Tasks struct {
	store      *models.Store
	hub        *Hub
	courier    *Courier
	operations map[string]Operation
	fresh      *handoff

	mu      sync.Mutex
	running map[string]context.CancelCauseFunc // by task id
}

// NewTasks returns the engine, which knows no operation yet.
func NewTasks(store *models.Store, hub *Hub, courier *Courier) *Tasks {
	return &Tasks{
		store: store, hub: hub, courier: courier,
		operations: map[string]Operation{}, fresh: newHandoff(), running: map[string]context.CancelCauseFunc{},
	}
}

// Register makes an operation known, before the queue starts.
func (t *Tasks) Register(op Operation) { t.operations[op.Kind] = op }

// Request is what begins a task.
type Request struct {
	ResourceID  string
	CallbackURL string // may be empty: nobody to call back
	Metadata    models.Metadata
	Message     string // of the first update
	Resource    any    // for the operation, to save it reading what was just written; may be nil
}

// Draft is a task as it is about to be, and the update that will say so. Where it
// can, it is made before the transaction that stores it: while one writes, all
// others wait.
type Draft struct {
	Task     models.Task
	what     string // happens to the task
	update   models.Update
	resource any
}

// Draft makes a task that is to begin.
func (t *Tasks) Draft(kind string, r Request) (*Draft, error) {
	now := models.Now()
	task := models.Task{
		ID: models.NewID(models.PrefixTask), Kind: kind, ResourceID: r.ResourceID,
		Status: models.StatusProcessing, Message: r.Message, Sequence: 1,
		Metadata: r.Metadata, CallbackURL: r.CallbackURL, CreatedAt: now, UpdatedAt: now,
	}
	if task.Metadata == nil {
		task.Metadata = models.Metadata{}
	}
	update, err := t.compose(task, "created")
	return &Draft{Task: task, what: "created", update: update, resource: r.Resource}, err
}

// next drafts what a task tells after what it has told.
func (t *Tasks) next(task models.Task, what string) (*Draft, error) {
	task.Sequence++
	task.UpdatedAt = models.Now()
	update, err := t.compose(task, what)
	return &Draft{Task: task, what: what, update: update}, err
}

// Begin stores a task, its first update and the job that will work on it, as
// part of the transaction that stores the resource. The first update goes to
// those who follow live; a client that called knows already from the answer.
func (t *Tasks) Begin(tx *models.Tx, d *Draft) error {
	if err := models.CreateTask(tx, &d.Task); err != nil {
		return err
	}
	if err := t.record(tx, &d.update); err != nil {
		return err
	}
	tx.Enqueue(models.Job{TaskID: d.Task.ID})
	handed := d.Task
	handed.Resource = d.resource
	tx.AfterCommit(func() { t.fresh.put(handed) })
	return t.announce(tx, d.update)
}

// announce stores the deliveries of a task's first update to webhooks. Each has a
// job of its own: a receiver that is slow to hear of it must not keep the work.
func (t *Tasks) announce(tx *models.Tx, update models.Update) error {
	for _, d := range t.courier.toWebhooks(update) {
		if err := models.CreateDelivery(tx, d); err != nil {
			return err
		}
		tx.Enqueue(models.Job{DeliveryID: d.ID})
	}
	return nil
}

// Get finds a task.
func (t *Tasks) Get(ctx context.Context, id string) (models.Task, error) {
	return models.FindTask(t.store.Read(ctx), id)
}

// Updates lists what a task has told so far.
func (t *Tasks) Updates(ctx context.Context, id string) ([]models.Update, error) {
	if _, err := t.Get(ctx, id); err != nil {
		return nil, err
	}
	return models.TaskUpdates(t.store.Read(ctx), id)
}

// Wait waits until a task has ended, for wait at the most, and returns it as it
// is then.
func (t *Tasks) Wait(ctx context.Context, id string, wait time.Duration) (models.Task, error) {
	task, err := t.Get(ctx, id)
	if err != nil || task.Ended() || wait <= 0 {
		return task, err
	}
	live := t.hub.Subscribe(id, 64)
	defer live.Close()
	if task, err = t.Get(ctx, id); err != nil || task.Ended() {
		return task, err // it ended before we listened
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for ended := false; !ended; {
		select {
		case updates, open := <-live.C:
			ended = !open || updates[len(updates)-1].Terminal()
		case <-timer.C:
			ended = true
		case <-ctx.Done():
			return task, ctx.Err()
		}
	}
	return t.Get(ctx, id)
}

// errCancelled interrupts work whose task was cancelled.
var errCancelled = errors.New("the task was cancelled")

// Cancel ends a task that is processing. What it has told before stays told; its
// last update says that it was cancelled. An error of a check, which is made in
// the same transaction, keeps it from being cancelled.
func (t *Tasks) Cancel(ctx context.Context, id string, checks ...func(tx *models.Tx) error) (models.Task, error) {
	var task models.Task
	var last []*models.Delivery
	err := t.store.InTx(ctx, func(tx *models.Tx) error {
		var err error
		if task, err = models.FindTask(tx.ForUpdate(), id); err != nil {
			return err
		}
		if task.Ended() {
			return models.Conflict("The %s is %s already.", task.Kind, task.Status)
		}
		for _, check := range checks {
			if err = check(tx); err != nil {
				return err
			}
		}
		task.Status, task.Message = models.StatusCancelled, "Cancelled"
		d, err := t.next(task, task.Status)
		if err != nil {
			return err
		}
		last, err = t.end(tx, d)
		task = d.Task
		return err
	})
	if err != nil {
		return models.Task{}, err
	}
	if !t.interrupt(id, errCancelled) && len(last) > 0 {
		t.tellSoon(ctx, last)
	}
	return task, nil
}

// tellSoon gives the deliveries of the last update of a task that does not run
// here jobs of their own: the task's job may have to wait long for its next run. That one would see
// to it too, so a failure loses time and nothing else.
func (t *Tasks) tellSoon(ctx context.Context, last []*models.Delivery) {
	if err := t.courier.handOver(ctx, last...); err != nil {
		slog.Warn("The news of a cancelled task will be late.", "task_id", last[0].TaskID, "err", err)
	}
}

// end tells the last update of a task, stores that it is to be delivered, and
// lets the operation tidy up. There may be nobody to deliver it to.
func (t *Tasks) end(tx *models.Tx, d *Draft) ([]*models.Delivery, error) {
	last, err := t.tell(tx, d)
	if err != nil {
		return nil, err
	}
	for _, delivery := range last {
		if err := models.CreateDelivery(tx, delivery); err != nil {
			return nil, err
		}
	}
	if ended := t.operations[d.Task.Kind].Ended; ended != nil {
		if err := ended(tx, &d.Task); err != nil {
			return nil, fmt.Errorf("tidying up after task %s: %w", d.Task.ID, err)
		}
	}
	return last, nil
}

// tell stores a task as it is drafted, and the update that says so. It returns to
// whom that update is to be delivered, not stored yet: the callback URL, if there
// is one, and the webhooks that want it.
func (t *Tasks) tell(tx *models.Tx, d *Draft) ([]*models.Delivery, error) {
	changed, err := models.AdvanceTask(tx, &d.Task)
	if err == nil && changed {
		d.update, err = t.compose(d.Task, d.what)
	}
	if err != nil {
		return nil, err
	}
	if err := t.record(tx, &d.update); err != nil {
		return nil, err
	}
	told := t.courier.toWebhooks(d.update)
	if d.Task.CallbackURL != "" {
		told = append(told, newDelivery(d.update, d.Task.CallbackURL))
	}
	return told, nil
}

// newDelivery is a delivery that is due now.
func newDelivery(update models.Update, url string) *models.Delivery {
	return &models.Delivery{
		ID: models.NewID(models.PrefixDelivery), UpdateID: update.ID, Update: update,
		CallbackID: update.CallbackID, TaskID: update.TaskID, Type: update.Type, URL: url,
		Status: models.DeliveryPending, NextAttemptAt: &update.CreatedAt,
		CreatedAt: update.CreatedAt, UpdatedAt: update.CreatedAt,
	}
}

// compose makes the update that says how a task is.
func (t *Tasks) compose(task models.Task, what string) (models.Update, error) {
	update := models.Update{
		CallbackID: models.NewID(models.PrefixCallback), TaskID: task.ID, Kind: task.Kind, ResourceID: task.ResourceID,
		Sequence: task.Sequence, Type: task.Kind + "." + what, Status: task.Status, CreatedAt: task.UpdatedAt,
	}
	body, err := callbacks.Encode(t.message(&task, update))
	if err != nil {
		return update, fmt.Errorf("encoding update %d of task %s: %w", update.Sequence, task.ID, err)
	}
	update.Body = string(body)
	return update, nil
}

// record stores an update and publishes it once it is committed.
func (t *Tasks) record(tx *models.Tx, update *models.Update) error {
	if err := models.CreateUpdate(tx, update); err != nil {
		return err
	}
	stored := *update
	tx.AfterCommit(func() { t.hub.Committed(stored) })
	return nil
}

// message is the update as it goes out.
func (t *Tasks) message(task *models.Task, u models.Update) callbacks.Update {
	m := callbacks.Update{
		CallbackID: u.CallbackID, Type: u.Type, TaskID: task.ID, Sequence: u.Sequence,
		Status: task.Status, Progress: task.Progress, Message: task.Message,
		Metadata: callbacks.Metadata(task.Metadata), Timestamp: u.CreatedAt, Result: task.Result,
	}
	t.operations[task.Kind].SetID(&m, task.ResourceID)
	if task.ErrorCode != "" {
		m.Error = &callbacks.Error{Code: task.ErrorCode, Message: task.ErrorMessage}
	}
	return m
}

// interrupt reports whether the task runs in this process.
func (t *Tasks) interrupt(id string, why error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	cancel, ok := t.running[id]
	if ok {
		cancel(why)
	}
	return ok
}
