// Package task is the life of slow work: it is begun, run, reported on, and ended.
//
// A task is a row. While its status is processing it is work that is left, whatever
// happens to the server; so nothing else has to be stored for it to be done. What it
// tells is an Update, stored in the transaction that changes it, and so are the
// deliveries of its last update.
//
// An Operation is a plain function with a name. Nothing here knows the operations by
// name.
package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/models/db"
	"petstore/services/dispatch"
	"petstore/services/stream"
)

// Operation is one kind of slow work.
type Operation struct {
	// Kind names it: in tasks, in types of updates ("order.completed").
	Kind string
	// Concurrency is how many run at the same time; others wait, and keep no other kind
	// waiting. 0 is 4,000.
	Concurrency int
	// Run does the work. It reports progress as it goes, and returns what to
	// tell as the result: any value that JSON can hold. A *callbacks.Error ends the
	// task as failed. Any other error is the server's own, and Run is called
	// again later; so what Run has done already must not be done twice.
	Run func(ctx context.Context, t *models.Task, report Progress) (any, error)
	// Ended, if set, is called in the transaction that ends the task, however
	// it ends: t.Status tells.
	Ended func(tx *models.Tx, t *models.Task) error
}

// Progress tells how far the work has come: progress in percent (0 to 99), and a
// sentence. What also does is stored with it or not at all. It returns
// models.ErrTaskEnded when the task was cancelled meanwhile. One goroutine at a
// time may report.
type Progress func(progress int, message string, also ...func(tx *models.Tx) error) error

// Queue runs tasks.
type Queue interface {
	// Add has a task run that tx stores. It may be called twice for one transaction,
	// of which one is not committed.
	Add(tx *models.Tx, t *models.Task)
	// Full reports whether so many tasks of a kind wait already that no more should
	// be accepted for now.
	Full(kind string) bool
}

// Engine runs slow work and tells about it.
type Engine struct {
	store      *models.Store
	hub        *stream.Hub
	dispatcher *dispatch.Dispatcher
	queue      Queue
	operations map[string]Operation

	mu      sync.Mutex
	running map[string]context.CancelCauseFunc // by task id
}

// NewEngine returns the engine, which knows no operation and no queue yet.
func NewEngine(store *models.Store, hub *stream.Hub, dispatcher *dispatch.Dispatcher) *Engine {
	return &Engine{
		store: store, hub: hub, dispatcher: dispatcher,
		operations: map[string]Operation{}, running: map[string]context.CancelCauseFunc{},
	}
}

// defaultConcurrency is how many tasks of a kind run at once that mostly wait: for a step,
// for somebody's answer.
const defaultConcurrency = 4000

// Register makes an operation known, before the queue is made.
func (e *Engine) Register(op Operation) {
	if op.Concurrency == 0 {
		op.Concurrency = defaultConcurrency
	}
	e.operations[op.Kind] = op
}

// Operations are those that are known, by kind.
func (e *Engine) Operations() map[string]Operation { return e.operations }

// SetQueue says who runs tasks.
func (e *Engine) SetQueue(q Queue) { e.queue = q }

// Draft is a task as it is about to be, and the update that will say so. Where it
// can, it is made before the transaction that stores it: while one writes, all
// others wait.
type Draft struct {
	Task   models.Task
	event  string // what happens to the task
	update models.Update
}

// ErrOverloaded says that more work is waiting than the server should accept.
var ErrOverloaded = &models.Error{Code: db.CodeOverloaded, Message: "The server has too much to do. Nothing of this request was stored; try again in a moment."}

// Draft makes a task that is to begin. t says of what Kind it is, on what it works (ResourceID, and
// Resource, if that is at hand), whom to tell, and the Message of its first update. It returns
// ErrOverloaded when too much is waiting.
func (e *Engine) Draft(t models.Task) (*Draft, error) {
	if e.store.Overloaded() || e.queue.Full(t.Kind) {
		slog.Warn("Requests are refused: too much is waiting.", "kind", t.Kind)
		return nil, ErrOverloaded
	}
	return e.DraftFollowing(t)
}

// DraftFollowing is Draft for a task that follows from another, whatever else waits.
func (e *Engine) DraftFollowing(t models.Task) (*Draft, error) {
	t.ID, t.Status, t.Sequence = models.NewID(models.PrefixTask), models.StatusProcessing, 1
	t.CreatedAt = models.Now()
	t.UpdatedAt = t.CreatedAt
	if t.Metadata == nil {
		t.Metadata = models.Metadata{}
	}
	d := &Draft{Task: t, event: callbacks.EventCreated}
	return d, e.compose(d)
}

// next drafts what a task tells after what it has told.
func (e *Engine) next(t models.Task, event string) (*Draft, error) {
	t.Sequence++
	t.UpdatedAt = models.Now()
	d := &Draft{Task: t, event: event}
	return d, e.compose(d)
}

// Begin stores a task and its first update, and has the queue run it, as
// part of the transaction that stores the resource. The first update goes to
// those who follow live, and to webhooks; a client that called knows already from
// the answer.
func (e *Engine) Begin(tx *models.Tx, d *Draft) error {
	if err := models.CreateTask(tx, &d.Task); err != nil {
		return err
	}
	if err := e.storeUpdate(tx, &d.update); err != nil {
		return err
	}
	if err := e.deliver(tx, d.update, ""); err != nil {
		return err
	}
	t := d.Task
	e.queue.Add(tx, &t)
	return nil
}

// Create begins a task, see Draft, in one transaction with what it works on, which store stores.
// Checks come before both. All of them may be called twice.
func (e *Engine) Create(ctx context.Context, t models.Task, store func(tx *models.Tx, t models.Task) error, checks ...func(tx *models.Tx) error) error {
	draft, err := e.Draft(t)
	if err != nil {
		return err
	}
	return e.store.InTx(ctx, func(tx *models.Tx) error {
		if err := runAll(tx, checks); err != nil {
			return err
		}
		if err := e.Begin(tx, draft); err != nil {
			return err
		}
		return store(tx, draft.Task)
	})
}

// runAll runs functions until one fails.
func runAll(tx *models.Tx, fns []func(tx *models.Tx) error) error {
	for _, fn := range fns {
		if err := fn(tx); err != nil {
			return err
		}
	}
	return nil
}

// deliver stores the deliveries of an update, and has them sent.
func (e *Engine) deliver(tx *models.Tx, u models.Update, callbackURL string) error {
	ds := e.dispatcher.Deliveries(u, callbackURL)
	for _, d := range ds {
		if _, err := models.CreateDelivery(tx, d); err != nil {
			return err
		}
	}
	if len(ds) > 0 {
		tx.AfterCommit(func() { e.dispatcher.Add(ds...) })
	}
	return nil
}

// Get finds a task.
func (e *Engine) Get(ctx context.Context, id string) (models.Task, error) {
	return models.FindTask(e.store.Read(ctx), id)
}

// Updates lists what a task has told so far, first to last.
func (e *Engine) Updates(ctx context.Context, id string, page models.Page) (models.List[models.Update], error) {
	if _, err := e.Get(ctx, id); err != nil {
		return models.List[models.Update]{}, err
	}
	return models.TaskUpdates(e.store.Read(ctx), id, page)
}

// Wait waits until a task has ended, for wait at the most, and returns it as it
// is then.
func (e *Engine) Wait(ctx context.Context, id string, wait time.Duration) (models.Task, error) {
	t, err := e.Get(ctx, id)
	if err != nil || t.Ended() || wait <= 0 {
		return t, err
	}
	live := e.hub.Subscribe(id, 64)
	defer live.Close()
	if err := e.hub.Ready(ctx); err != nil {
		return t, err
	}
	if t, err = e.Get(ctx, id); err != nil || t.Ended() {
		return t, err // it ended before we listened
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
			return t, ctx.Err()
		}
	}
	return e.Get(ctx, id)
}

// errCancelled interrupts work whose task was cancelled.
var errCancelled = errors.New("the task was cancelled")

// Cancel ends a task that is processing. What it has told before stays told; its
// last update says that it was cancelled. An error of a check, which is made in
// the same transaction, keeps it from being cancelled.
func (e *Engine) Cancel(ctx context.Context, id string, checks ...func(tx *models.Tx) error) (models.Task, error) {
	var t models.Task
	err := e.store.InTx(ctx, func(tx *models.Tx) (err error) {
		if t, err = models.FindTask(tx.ForUpdate(), id); err != nil {
			return err
		}
		if t.Ended() {
			return models.Conflict("The task is %s already.", t.Status)
		}
		if err = runAll(tx, checks); err != nil {
			return err
		}
		t.Status, t.Message = models.StatusCancelled, "Cancelled"
		d, err := e.next(t, t.Status)
		if err != nil {
			return err
		}
		err = e.end(tx, d)
		t = d.Task
		return err
	})
	if err != nil {
		return models.Task{}, err
	}
	e.interrupt(id, errCancelled)
	return t, nil
}

// end tells the last update of a task, stores that it is to be delivered, and
// lets the operation tidy up. There may be nobody to deliver it to.
func (e *Engine) end(tx *models.Tx, d *Draft) error {
	if err := e.advance(tx, d); err != nil {
		return err
	}
	id := d.Task.ID
	if e.dispatcher.HasPending(id) || d.Task.Errors > 0 || d.Task.Resumed {
		if err := models.SupersedeProgress(tx, id, d.Task.Sequence); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() { e.dispatcher.TaskEnded(id) })
	if err := e.deliver(tx, d.update, d.Task.CallbackFor(d.update.Type)); err != nil {
		return err
	}
	if ended := e.operations[d.Task.Kind].Ended; ended != nil {
		if err := ended(tx, &d.Task); err != nil {
			return fmt.Errorf("tidying up after task %s: %w", id, err)
		}
	}
	return nil
}

// advance stores a task as it is drafted, and the update that says so.
func (e *Engine) advance(tx *models.Tx, d *Draft) error {
	changed, err := models.AdvanceTask(tx, &d.Task)
	if err == nil && changed {
		err = e.compose(d)
	}
	if err != nil {
		return err
	}
	return e.storeUpdate(tx, &d.update)
}

// compose makes the update that says how a task is, and writes it if somebody follows;
// otherwise it is written when it is sent, if it is.
func (e *Engine) compose(d *Draft) error {
	t := d.Task
	d.update = models.Update{
		CallbackID: models.NewID(models.PrefixCallback), TaskID: t.ID, Kind: t.Kind, ResourceID: t.ResourceID,
		Sequence: t.Sequence, Type: callbacks.EventType(t.Kind, d.event), Status: t.Status, Progress: t.Progress, Message: t.Message,
		Revision: t.Revision, CreatedAt: t.UpdatedAt, Snapshot: &t,
	}
	if e.hub.Followed() || d.update.Terminal() {
		var err error
		d.update, err = d.update.WithBody()
		return err
	}
	return nil
}

// storeUpdate stores an update and publishes it once it is committed.
func (e *Engine) storeUpdate(tx *models.Tx, update *models.Update) error {
	if err := models.CreateUpdate(tx, update); err != nil {
		return err
	}
	stored := *update
	tx.AfterCommit(func() { e.hub.Publish(stored) })
	return nil
}

// RecordEvent stores an update of a task that begins and ends by telling it: a ping.
func (e *Engine) RecordEvent(tx *models.Tx, t *models.Task, event string) (models.Update, error) {
	d := &Draft{Task: *t, event: event}
	err := e.compose(d)
	if err == nil {
		err = models.CreateTask(tx, t)
	}
	if err == nil {
		err = e.storeUpdate(tx, &d.update)
	}
	return d.update, err
}

// interrupt ends the run of a task, if it runs in this process.
func (e *Engine) interrupt(id string, why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if cancel, ok := e.running[id]; ok {
		cancel(why)
	}
}
