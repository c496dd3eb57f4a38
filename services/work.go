package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"petstore/callbacks"
	"petstore/models"
)

// CodeProcessing is the code of a failure that has none of its own.
const CodeProcessing = "PROCESSING_ERROR"

const (
	// maxOwnErrors is how many errors of the server's own a task survives.
	maxOwnErrors = 5
	// maxStarts is how many runs a task gets in all, those that were killed
	// included: a task that kills the server must not do so for ever.
	maxStarts = 50
)

// run tells the runs of one task's job apart.
type run struct {
	errors int // of the server's own, in runs before this one
	starts int // this one included
}

// work is one run of a task's job: the operation, and beside it the deliveries
// of what it reports.
func (t *Tasks) work(ctx context.Context, id string, r run) error {
	// Begun before the task is read: a cancellation either finds this run and
	// interrupts it, or is seen by it.
	working, done := t.begin(ctx, id)
	defer done()
	task, err := t.takeUp(ctx, id, r)
	if err != nil {
		return err
	}
	if r.starts > 1 || task.Ended() {
		if err := t.resume(ctx, task); err != nil {
			return err
		}
	}
	if task.Ended() {
		return nil
	}
	outbox := newOutbox(ctx, t.courier)
	err = errors.Join(t.perform(working, &task, r, outbox), outbox.close())
	done()
	if err != nil && errors.Is(context.Cause(working), errCancelled) { // too late for perform to see to it
		return t.resume(context.WithoutCancel(ctx), task)
	}
	return err
}

// takeUp finds the task of a run; the first one may get it from whoever stored it.
func (t *Tasks) takeUp(ctx context.Context, id string, r run) (models.Task, error) {
	if task, ok := t.fresh.take(id); ok && r.starts == 1 {
		return task, nil
	}
	return t.Get(ctx, id)
}

var errTooOften = errors.New("the task was begun too often")

// begin notes that a task runs, so that it can be interrupted.
func (t *Tasks) begin(ctx context.Context, id string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	t.mu.Lock()
	t.running[id] = cancel
	t.mu.Unlock()
	return ctx, func() {
		t.mu.Lock()
		delete(t.running, id)
		t.mu.Unlock()
		cancel(nil)
	}
}

// perform runs the operation and ends the task with what came of it.
func (t *Tasks) perform(ctx context.Context, task *models.Task, r run, outbox *outbox) error {
	op, known := t.operations[task.Kind]
	if !known {
		return fmt.Errorf("task %s is of the unknown kind %q", task.ID, task.Kind)
	}
	var result []byte
	err := errTooOften
	if r.starts < maxStarts {
		result, err = runSafely(ctx, op, task, t.reporter(ctx, task, outbox))
	}
	if errors.Is(err, models.ErrTaskEnded) || errors.Is(context.Cause(ctx), errCancelled) {
		return t.sendLast(context.WithoutCancel(ctx), *task, outbox)
	}
	// Of a run that took too long what is said here is told; any other end of
	// ctx is a shutdown, and the next start goes on.
	if why := context.Cause(ctx); why != nil && !errors.Is(why, context.DeadlineExceeded) {
		return why
	}
	var failure *Failure
	if err != nil && !errors.As(err, &failure) {
		if r.errors < maxOwnErrors && r.starts < maxStarts {
			slog.Warn("A task is tried again after an error of our own.", "task_id", task.ID, "err", err)
			return fmt.Errorf("task %s: %w", task.ID, err)
		}
		slog.Error("A task has failed for a reason of our own.", "task_id", task.ID, "starts", r.starts, "err", err)
		failure = &Failure{Code: CodeProcessing, Message: fmt.Sprintf("Failed to process %s", task.Kind)}
	}
	if err := conclude(task, result, failure); err != nil {
		return err
	}
	return t.finish(context.WithoutCancel(ctx), task, outbox)
}

// finish stores the end of a task, and sends the news of it.
func (t *Tasks) finish(ctx context.Context, task *models.Task, outbox *outbox) error {
	var last []*models.Delivery
	d, err := t.next(*task, task.Status)
	if err != nil {
		return err
	}
	err = t.store.InTx(ctx, func(tx *models.Tx) (err error) {
		last, err = t.end(tx, d)
		return err
	})
	if errors.Is(err, models.ErrTaskEnded) {
		return t.sendLast(ctx, *task, outbox)
	}
	if err != nil {
		return fmt.Errorf("ending task %s: %w", task.ID, err)
	}
	*task = d.Task
	outbox.last(last)
	return nil
}

// sendLast sends what a cancellation, which came from outside this run, has told.
func (t *Tasks) sendLast(ctx context.Context, task models.Task, outbox *outbox) error {
	pending, err := models.PendingDeliveries(t.store.Read(ctx), task.ID)
	if err != nil {
		return err
	}
	var last []*models.Delivery
	for i := range pending {
		d := &pending[i]
		if !d.Update.Terminal() {
			continue
		}
		// What a webhook is told is claimed when its turn comes. Where a replica
		// cancelled the task, the rest has jobs of its own, too.
		ours := untilDue(*d) == 0
		if d.WebhookID == "" {
			if ours, _, err = t.courier.claim(ctx, d); err != nil {
				return err
			}
		}
		if ours {
			last = append(last, d)
		}
	}
	outbox.last(last) // none: there is nobody to tell, or another has taken it
	return nil
}

// reporter is how an operation reports its progress.
func (t *Tasks) reporter(ctx context.Context, task *models.Task, outbox *outbox) Report {
	return func(progress int, message string, also ...func(tx *models.Tx) error) error {
		now := *task
		now.Progress, now.Message = max(task.Progress, min(progress, 99)), message
		d, err := t.next(now, "progress")
		if err != nil {
			return err
		}
		var news []*models.Delivery
		err = t.store.InTx(ctx, func(tx *models.Tx) (err error) {
			for _, fn := range also {
				if err = fn(tx); err != nil {
					return err
				}
			}
			news, err = t.tell(tx, d)
			return err
		})
		if err != nil {
			return err
		}
		*task = d.Task
		outbox.progress(news)
		return nil
	}
}

// resume takes up the deliveries that a killed run left pending. Progress has
// been overtaken by the new run; the rest get jobs of their own. A delivery that
// has a job already may get a second one: only one of them can claim it.
func (t *Tasks) resume(ctx context.Context, task models.Task) error {
	pending, err := models.PendingDeliveries(t.store.Read(ctx), task.ID)
	if err != nil || len(pending) == 0 {
		return err
	}
	return t.store.InTx(ctx, func(tx *models.Tx) error {
		for _, d := range pending {
			if !d.Update.Passing() {
				tx.Enqueue(models.Job{DeliveryID: d.ID})
			} else if err := models.SupersedeDelivery(tx, d.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// conclude writes the outcome of an operation into its task.
func conclude(task *models.Task, result []byte, failure *Failure) (err error) {
	if failure == nil {
		task.Status, task.Progress, task.Message, task.Result = models.StatusCompleted, 100, "Completed", result
		return nil
	}
	task.Status, task.Message = models.StatusFailed, failure.Message
	task.ErrorCode, task.ErrorMessage = failure.Code, failure.Message
	// The article shows `error` in its error callback, and reads
	// `result.error` in its handler: both are there.
	task.Result, err = encode(struct {
		Error callbacks.Error `json:"error"`
	}{callbacks.Error{Code: failure.Code, Message: failure.Message}})
	return err
}

func encode(result any) ([]byte, error) {
	body, err := callbacks.Encode(result)
	if err != nil {
		return nil, fmt.Errorf("encoding the result: %w", err)
	}
	return body, nil
}

// runSafely runs an operation and encodes its result. It keeps a panic inside
// the task.
func runSafely(ctx context.Context, op Operation, task *models.Task, report Report) (result []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	value, err := op.Run(ctx, task, report)
	if err != nil {
		return nil, err
	}
	return encode(value)
}
