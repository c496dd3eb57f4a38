package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/models/db"
)

// CodeProcessing is the code of a failure that has none of its own.
const CodeProcessing = "PROCESSING_ERROR"

const (
	// maxErrors is how many errors of the server's own a task survives.
	maxErrors = 5
	// maxStarts is how often a task is taken up again in a row at one step, and maxCrashes
	// how often what may be too much for the server (GuardCrash) may be cut off: work must
	// not kill the server for ever.
	maxStarts, maxCrashes = 100, 2
	// shortageWait is how long work waits, give or take a half, that this machine lacked
	// descriptors, memory, ports or room on its disk for.
	shortageWait = 20 * time.Second
	// maxBackoff bounds the wait before a run that follows one that failed.
	maxBackoff = time.Minute
)

var errTooOften = errors.New("the server was killed during this step, again")

// Run works on a task, until it has ended or ctx has. newTask is the task if it was
// just stored and has never run; otherwise it is read. When the server itself is to
// blame that the work failed, it has to be run again: after the time returned. An
// error says that this could not be noted.
func (e *Engine) Run(ctx context.Context, id string, newTask *models.Task) (retryAfter time.Duration, err error) {
	// Begun before the task is read: a cancellation either finds this run and
	// interrupts it, or is seen by it.
	working, done := e.begin(ctx, id)
	defer done()
	t, starts, err := e.resume(ctx, id, newTask)
	if errors.Is(err, models.ErrTaskEnded) || models.Code(err) == models.CodeNotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	err = e.perform(working, &t, starts)
	if err == nil {
		return 0, nil
	}
	if errors.Is(ctx.Err(), context.Canceled) { // interrupted by us, not cut off
		return 0, errors.Join(err, e.store.InTx(context.WithoutCancel(ctx), func(tx *models.Tx) error { return models.StopTask(tx, id, nil) }))
	}
	retryAfter, counts := waitAfter(err, t.Errors)
	due := models.Now().Add(retryAfter)
	return retryAfter, e.store.InTx(context.WithoutCancel(ctx), func(tx *models.Tx) error {
		if !counts {
			return models.StopTask(tx, id, &due)
		}
		return models.CountError(tx, id, due)
	})
}

// BusyError is what an operation returns that would have to wait for others: its worker does their work meanwhile, and
// the task is run again after RetryAfter. It is no error of the task.
type BusyError struct{ RetryAfter time.Duration }

func (e *BusyError) Error() string { return fmt.Sprintf("busy for %s", e.RetryAfter) }

// waitAfter is how long to wait before the next run, and whether this one counts among the errors of the task.
func waitAfter(err error, errorsBefore int) (wait time.Duration, counts bool) {
	if busy, ok := errors.AsType[*BusyError](err); ok {
		return busy.RetryAfter, false
	}
	if isShortage(err) {
		return shortageWait/2 + rand.N(shortageWait), false //nolint:gosec // G404: nothing secret
	}
	return backoff(errorsBefore), true
}

// isShortage reports whether work lacked something of this machine's own, such as room for a picture.
func isShortage(err error) bool {
	code := models.Code(err)
	return callbacks.IsLocalResourceError(err) || code == db.CodeFull || code == db.CodeUnavailable
}

// backoff is how long to wait after another error: a second, doubled for each before
// it, with jitter.
func backoff(errorsBefore int) time.Duration {
	wait := min(time.Second<<min(errorsBefore, 10), maxBackoff)
	return wait/2 + rand.N(wait) //nolint:gosec // G404: nothing secret
}

// begin notes that a task runs, so that it can be interrupted.
func (e *Engine) begin(ctx context.Context, id string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	e.mu.Lock()
	e.running[id] = cancel
	e.mu.Unlock()
	return ctx, func() {
		e.mu.Lock()
		delete(e.running, id)
		e.mu.Unlock()
		cancel(nil)
	}
}

// resume finds the task of a run, and counts it, unless it is the first.
func (e *Engine) resume(ctx context.Context, id string, newTask *models.Task) (t models.Task, starts int, err error) {
	if newTask != nil {
		return *newTask, 0, nil
	}
	err = e.store.InTx(ctx, func(tx *models.Tx) (err error) {
		starts, err = models.ResumeTask(tx, id)
		return err
	})
	if err != nil {
		return t, 0, err
	}
	if t, err = e.Get(ctx, id); err != nil { // this start counts for nothing
		err = errors.Join(err, e.store.InTx(context.WithoutCancel(ctx), func(tx *models.Tx) error { return models.StopTask(tx, id, nil) }))
	}
	t.Resumed = true
	return t, starts, err
}

type crashGuard struct{}

// GuardCrash is called by an operation before it does what may be too much for the server:
// what takes much memory. Should the server be killed in it twice at the same step, the
// third call returns an error that ends the task as failed.
func GuardCrash(ctx context.Context) error {
	guard, ok := ctx.Value(crashGuard{}).(func() error)
	if !ok {
		return nil // not run by an engine
	}
	return guard()
}

func (e *Engine) withCrashGuard(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, crashGuard{}, func() error {
		var crashes int
		err := e.store.InTx(ctx, func(tx *models.Tx) (err error) {
			crashes, err = models.MarkCrashRisk(tx, id)
			return err
		})
		if err == nil && crashes >= maxCrashes {
			return errTooOften
		}
		return err
	})
}

// perform runs the operation and ends the task with what came of it. An error is the
// server's own.
func (e *Engine) perform(ctx context.Context, t *models.Task, starts int) error {
	op, known := e.operations[t.Kind]
	if !known {
		return fmt.Errorf("task %s is of the unknown kind %q", t.ID, t.Kind)
	}
	var result []byte
	err := errTooOften
	if starts <= maxStarts {
		result, err = runSafely(e.withCrashGuard(ctx, t.ID), op, t, e.reporter(ctx, t))
	}
	if errors.Is(err, models.ErrTaskEnded) || errors.Is(context.Cause(ctx), errCancelled) {
		e.dispatcher.TaskEnded(t.ID)
		return nil
	}
	// Of a run that took too long what is said here is told; any other end of
	// ctx is a shutdown, and the next start goes on.
	if why := context.Cause(ctx); why != nil && !errors.Is(why, context.DeadlineExceeded) {
		return why
	}
	if _, busy := errors.AsType[*BusyError](err); busy {
		return err
	}
	var failure *callbacks.Error
	if err != nil && !errors.As(err, &failure) {
		if isShortage(err) {
			slog.Warn("This machine is short of descriptors, memory, ports or room on its disk: tasks wait.", "task_id", t.ID, "err", err)
			return fmt.Errorf("task %s: %w", t.ID, err)
		}
		if t.Errors < maxErrors && !errors.Is(err, errTooOften) {
			slog.Warn("A task failed with an internal error; it is retried.", "task_id", t.ID, "err", err)
			return fmt.Errorf("task %s: %w", t.ID, err)
		}
		slog.Error("A task failed with an internal error, for the last time.", "task_id", t.ID, "starts", starts, "errors", t.Errors, "err", err)
		failure = &callbacks.Error{Code: CodeProcessing, Message: "Failed to process " + t.Kind}
		if errors.Is(err, errTooOften) {
			failure.Message += ": the server was killed each time it tried"
		}
	}
	if err := conclude(t, result, failure); err != nil {
		return err
	}
	return e.finish(context.WithoutCancel(ctx), t)
}

// finish stores the end of a task.
func (e *Engine) finish(ctx context.Context, t *models.Task) error {
	d, err := e.next(*t, t.Status)
	if err != nil {
		return err
	}
	e.dispatcher.DropProgress(t.ID)
	err = e.store.InTx(ctx, func(tx *models.Tx) error { return e.end(tx, d) })
	if err != nil && !errors.Is(err, models.ErrTaskEnded) {
		return fmt.Errorf("ending task %s: %w", t.ID, err)
	}
	return nil
}

// reporter is how an operation reports its progress.
func (e *Engine) reporter(ctx context.Context, t *models.Task) Progress {
	return func(progress int, message string, also ...func(tx *models.Tx) error) error {
		now := *t
		now.Progress, now.Message = max(t.Progress, min(progress, 99)), message
		d, err := e.next(now, callbacks.EventProgress)
		if err != nil {
			return err
		}
		err = e.store.InTx(ctx, func(tx *models.Tx) error {
			if err := runAll(tx, also); err != nil {
				return err
			}
			return e.advance(tx, d)
		})
		if err != nil {
			return err
		}
		*t = d.Task
		e.dispatcher.Progress(d.update, t.CallbackFor(d.update.Type))
		return nil
	}
}

// conclude writes the outcome of an operation into its task.
func conclude(t *models.Task, result []byte, failure *callbacks.Error) (err error) {
	if failure == nil {
		t.Status, t.Progress, t.Message, t.Result = models.StatusCompleted, 100, "Completed", result
		return nil
	}
	t.Status, t.Message = models.StatusFailed, failure.Message
	t.ErrorCode, t.ErrorMessage = failure.Code, failure.Message
	// The article shows `error` in its error callback, and reads
	// `result.error` in its handler: both are there.
	t.Result, err = encode(struct {
		Error *callbacks.Error `json:"error"`
	}{failure})
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
func runSafely(ctx context.Context, op Operation, t *models.Task, report Progress) (result []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	value, err := op.Run(ctx, t, report)
	if err != nil {
		return nil, err
	}
	return encode(value)
}
