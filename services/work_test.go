package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/models/db"
	"petstore/services/task"
)

// TestOwnErrors gives a task one run after another. Five errors of our own are
// forgiven; then the client is told, without the reason.
func TestOwnErrors(t *testing.T) {
	for name, fails := range map[string]func(ctx context.Context) (any, error){
		"error":             func(context.Context) (any, error) { return nil, errors.New("secret of the house") },
		"panic":             func(context.Context) (any, error) { panic("secret of the house") },
		"nil map":           func(context.Context) (any, error) { var m map[string]int; m["x"] = 1; return m, nil }, //nolint:staticcheck // so it shall
		"not to be encoded": func(context.Context) (any, error) { return func() {}, nil },
		"too slow":          func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, options{idle: true, operations: []task.Operation{operation(
				func(ctx context.Context, _ *models.Task, _ task.Progress) (any, error) { return fails(ctx) })}})
			begun := e.begin("")
			run := func() (again time.Duration, err error) {
				ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
				defer cancel()
				return e.tasks.Run(ctx, begun.ID, nil)
			}
			for i := range 5 {
				if again, err := run(); again == 0 || err != nil {
					t.Fatalf("run %d is not to be repeated (%v)", i+1, err)
				}
			}
			if again, err := run(); again != 0 || err != nil {
				t.Fatal(again, err)
			}
			now, err := e.tasks.Get(within(t), begun.ID)
			if err != nil || now.Status != models.StatusFailed || now.ErrorCode != task.CodeProcessing {
				t.Errorf("got %+v, %v", now, err)
			}
			for _, u := range e.updates(begun.ID) {
				if strings.Contains(u.Body, "secret") {
					t.Errorf("told the world %s", u.Body)
				}
			}
		})
	}
}

// TestShortage holds that a task outlives any number of runs for which this machine lacked
// something: that is no error of its own. (Reliability 5.)
func TestShortage(t *testing.T) {
	for name, shortage := range map[string]error{
		"descriptors": &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)},
		// other instances
		"room for a blob":         &models.Error{Code: db.CodeFull, Err: syscall.ENOSPC},
		"a folder to be written":  &models.Error{Code: db.CodeUnavailable, Err: syscall.EROFS},
		"descriptors for a blob":  &os.PathError{Op: "openat", Path: "images/a", Err: syscall.ENFILE},
		"memory for a connection": fmt.Errorf("asking: %w", os.NewSyscallError("connect", syscall.ENOMEM)),
	} {
		t.Run(name, func(t *testing.T) { outlives(t, shortage) })
	}
}

func outlives(t *testing.T, shortage error) {
	t.Helper()
	lacks := true
	e := newEngine(t, options{idle: true, operations: []task.Operation{operation(func(context.Context, *models.Task, task.Progress) (any, error) {
		if lacks {
			return nil, shortage
		}
		return map[string]string{"summary": "Done"}, nil
	})}})
	begun := e.begin("")
	for i := range 150 {
		if i == 149 {
			lacks = false
		}
		if again, err := e.tasks.Run(within(t), begun.ID, nil); (again > 0) != lacks || err != nil {
			t.Fatalf("run %d: again after %v, %v", i+1, again, err)
		}
	}
	if now, err := e.tasks.Get(within(t), begun.ID); err != nil || now.Status != models.StatusCompleted {
		t.Errorf("got %+v, %v", now, err)
	}
}

// TestPoison: work that has killed the server twice at one step, of which it had warned,
// is not begun a third time; other work, which is unlikely to be why, is begun more often.
// A step that is passed, or a run that the server interrupts itself, is forgiven. (Reliability 11.)
func TestPoison(t *testing.T) {
	for warns, want := range map[bool]int{true: 2, false: 100} {
		t.Run(fmt.Sprintf("warns=%t", warns), func(t *testing.T) {
			runs, pass := 0, 0
			e := newEngine(t, options{idle: true, operations: []task.Operation{operation(func(ctx context.Context, _ *models.Task, report task.Progress) (any, error) {
				if warns {
					if err := task.GuardCrash(ctx); err != nil {
						return nil, err
					}
				}
				if runs++; runs == pass {
					if err := report(50, "Half"); err != nil {
						return nil, err
					}
				}
				return nil, errors.Join(ctx.Err(), errors.New("killed"))
			})}})
			begun := e.begin("")
			kill := func() { // a run, and what a kill leaves of it
				if _, err := e.tasks.Run(within(t), begun.ID, nil); err != nil {
					t.Fatal(err)
				}
				e.exec("UPDATE tasks SET crash_risk = ?, errors = 0, run_at = NULL", warns)
			}
			for range 30 { // interruptions count for nothing
				interrupted, cancel := context.WithCancel(within(t))
				e.store.Read(interrupted)
				time.AfterFunc(0, cancel)
				_, _ = e.tasks.Run(interrupted, begun.ID, nil)
				cancel()
				e.exec("UPDATE tasks SET crash_risk = FALSE, errors = 0, run_at = NULL, starts = 0")
			}
			runs, pass = 0, 2
			for range want + 1 { // the second of these passes the step
				kill()
			}
			if runs != want+1 {
				t.Fatalf("%d runs, want %d", runs, want+1)
			}
			now, err := e.tasks.Get(within(t), begun.ID)
			if err != nil || now.Status != models.StatusProcessing {
				t.Fatalf("got %+v, %v", now, err)
			}
			for range 2 { // one more than may be
				if _, err := e.tasks.Run(within(t), begun.ID, nil); err != nil {
					t.Fatal(err)
				}
			}
			now, err = e.tasks.Get(within(t), begun.ID)
			if err != nil || now.Status != models.StatusFailed || runs > want+2 {
				t.Errorf("after %d runs: %+v, %v", runs, now, err)
			}
			if !strings.HasSuffix(now.ErrorMessage, ": the server was killed each time it tried") { // reliability 11
				t.Errorf("told %q", now.ErrorMessage)
			}
		})
	}
}

// TestPanicThenSuccess goes through the queue: a run that panics is repeated.
func TestPanicThenSuccess(t *testing.T) {
	t.Parallel()
	var runs atomic.Int64
	e := newEngine(t, options{operations: []task.Operation{operation(func(_ context.Context, _ *models.Task, report task.Progress) (any, error) {
		if err := report(30, "Trying"); err != nil {
			return nil, err
		}
		if runs.Add(1) == 1 {
			panic("once")
		}
		return "done", nil
	})}})
	rc := newReceiver(t, nil)
	task := e.begin(rc.URL)
	if a := rc.last(task.ID); a.Status != callbacks.StatusCompleted || string(a.Result) != `"done"` {
		t.Errorf("got %s", a.Body)
	}
	e.drain()
	if got := e.updates(task.ID); len(got) != 4 || runs.Load() != 2 {
		t.Errorf("%d runs told %d updates", runs.Load(), len(got))
	}
}

func TestReports(t *testing.T) {
	refused := errors.New("refused")
	e := newEngine(t, options{operations: []task.Operation{operation(func(_ context.Context, t *models.Task, report task.Progress) (any, error) {
		for _, progress := range []int{-5, 40, 20, 100} {
			if err := report(progress, "Working"); err != nil {
				return nil, err
			}
		}
		before := *t
		err := report(50, "Never told", func(tx *models.Tx) error {
			if err := tx.Exec("UPDATE tasks SET resource_id = 'spoilt'").Error; err != nil {
				return err
			}
			return refused
		})
		if !errors.Is(err, refused) || t.Sequence != before.Sequence || t.Message != before.Message {
			return nil, &callbacks.Error{Code: "X", Message: "a refused report was told"}
		}
		if err := report(50, "Never told", func(*models.Tx) error { panic("in a report") }); err == nil {
			return nil, &callbacks.Error{Code: "X", Message: "a panic was passed over"}
		}
		return nil, nil
	})}})
	task := e.ended(e.begin("").ID)
	if task.Status != models.StatusCompleted || task.ResourceID != "ord_test" || task.Progress != 100 || string(task.Result) != "null" {
		t.Errorf("got %+v", task)
	}
	var progress []int
	for _, u := range e.updates(task.ID) {
		var told callbacks.Update
		if err := json.Unmarshal([]byte(u.Body), &told); err != nil {
			t.Fatal(err)
		}
		progress = append(progress, told.Progress)
	}
	if want := []int{0, 0, 40, 40, 99, 100}; !slices.Equal(progress, want) {
		t.Errorf("progress %v, want %v", progress, want)
	}
}

// TestEndedIsCalledOnce whichever way the task ends, in the transaction that
// ends it.
func TestEndedIsCalledOnce(t *testing.T) {
	var ended []string
	op := operation(func(_ context.Context, _ *models.Task, report task.Progress) (any, error) {
		return nil, &callbacks.Error{Code: "NO", Message: "No."}
	})
	op.Ended = func(_ *models.Tx, task *models.Task) error { ended = append(ended, task.Status); return nil }
	e := newEngine(t, options{idle: true, operations: []task.Operation{op}})
	failing, cancelled := e.begin(""), e.begin("")
	if _, err := e.tasks.Cancel(within(t), cancelled.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{failing.ID, cancelled.ID, failing.ID} {
		if _, err := e.tasks.Run(within(t), id, nil); err != nil {
			t.Error(err)
		}
	}
	if strings.Join(ended, " ") != "cancelled failed" {
		t.Errorf("ended: %v", ended)
	}
}

// TestShutdownInTheMiddle stops the queue while operations run, progress hangs
// at a receiver, and retries wait; a new queue on the same database finishes all
// of it, each once.
func TestShutdownInTheMiddle(t *testing.T) {
	t.Parallel()
	const tasks = 10
	var down atomic.Bool
	down.Store(true)
	rc := newReceiver(t, func(w http.ResponseWriter, a arrival) {
		if down.Load() {
			hang(w, a)
		}
	})
	var running sync.WaitGroup
	running.Add(tasks)
	e := newEngine(t, options{waits: make([]time.Duration, 50), operations: []task.Operation{operation(func(ctx context.Context, _ *models.Task, report task.Progress) (any, error) {
		if err := report(10, "Working"); err != nil {
			return nil, err
		}
		if down.Load() {
			running.Done()
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return "done", nil
	})}})
	ids := map[string]bool{}
	for range tasks {
		ids[e.begin(rc.URL).ID] = true
	}
	running.Wait()
	began := time.Now()
	e.stop()
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("stopping took %v", took)
	}
	down.Store(false)
	e = e.restart(nil)
	for id := range ids {
		e.delivered(id)
	}
	e.drain()
	for id := range ids {
		ends := 0
		for i, u := range e.updates(id) {
			if u.Terminal() {
				ends++
			}
			if u.Sequence != int64(i+1) {
				t.Errorf("update %d has sequence %d", i+1, u.Sequence)
			}
		}
		d, attempts := e.lastSent(id)
		if ends != 1 || d.Attempts != 1 || len(attempts) != 1 || d.Type != "test.completed" {
			t.Errorf("%d ends; last delivery %+v", ends, d)
		}
		for _, d := range e.sent(id) {
			if d.Status == models.DeliveryPending {
				t.Errorf("left pending: %+v", d)
			}
		}
	}
}

// TestAfterACrash puts the database into the states that a kill can leave, and
// starts.
func TestAfterACrash(t *testing.T) {
	const unsent = "unsent"
	// run runs the task; nothing that it tells is sent, since the dispatcher has not started.
	run := func(e *engine, id string) {
		if _, err := e.tasks.Run(within(e.t), id, nil); err != nil {
			e.t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name  string
		leave func(e *engine, id string)
		tells int // updates
	}{
		{"before it ran", func(*engine, string) {}, 2},
		{"while it ran", func(e *engine, id string) { e.exec("UPDATE tasks SET crash_risk = TRUE") }, 2},
		{"with progress unsent", func(e *engine, id string) {
			e.exec("UPDATE tasks SET message = ?", unsent)
			ctx, cancel := context.WithCancel(context.WithValue(within(e.t), stopsKey{}, true))
			defer cancel()
			_, _ = e.tasks.Run(ctx, id, nil)
		}, 3},
		// reliability 2
		{"with progress that an end has overtaken, by a fault of the disk", func(e *engine, id string) {
			run(e, id)
			e.exec(`INSERT INTO deliveries (id, update_id, callback_id, task_id, sequence, supersedable, type, url, host, status, attempts, round, next_attempt_at,
				status_code, error, created_at, updated_at) SELECT 'dlv_0', update_id, 'cb_old', task_id, 1, TRUE, 'test.progress', url, host, status, 0, 0,
				next_attempt_at, 0, '', created_at, updated_at FROM deliveries`)
		}, 2},
		// reliability 2, another instance
		{"with an end that waits for nothing", func(e *engine, id string) {
			run(e, id)
			e.exec("UPDATE deliveries SET next_attempt_at = NULL")
		}, 2},
		{"after the end was stored, before it was sent", run, 2},
		{"after it was sent, before that was stored", func(e *engine, id string) {
			run(e, id)
			e.exec("UPDATE deliveries SET attempts = 1, round = 1")
		}, 2},
		{"after it was cancelled", func(e *engine, id string) {
			if _, err := e.tasks.Cancel(within(e.t), id); err != nil {
				e.t.Fatal(err)
			}
		}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rc := newReceiver(t, nil)
			e := newEngine(t, options{idle: true, operations: []task.Operation{operation(func(ctx context.Context, t *models.Task, report task.Progress) (any, error) {
				if ctx.Value(stopsKey{}) != nil {
					if err := report(10, "Working"); err != nil {
						return nil, err
					}
					return nil, errors.New("killed")
				}
				return "done", nil
			})}})
			begun := e.begin(rc.URL)
			test.leave(e, begun.ID)
			e.exec("UPDATE tasks SET run_at = NULL, errors = 0")
			e = e.restart(nil)
			e.delivered(begun.ID)
			e.nothingPending()
			e.drain()
			a := rc.next()
			if test.tells == 3 && !a.Terminal() { // what was stored, but not sent; the end may have overtaken it
				a = rc.next()
			}
			if !a.Terminal() {
				t.Errorf("old progress was sent: %s", a.Body)
			}
			rc.nothingMore()
			if got := e.updates(begun.ID); len(got) != test.tells {
				t.Errorf("%d updates, want %d", len(got), test.tells)
			}
		})
	}
}

type stopsKey struct{}

// nothingPending waits until no delivery is pending.
func (e *engine) nothingPending() {
	e.t.Helper()
	for ctx := within(e.t); ; {
		var left int64
		err := e.store.Read(ctx).Raw("SELECT count(*) FROM deliveries WHERE status = 'pending'").Scan(&left).Error
		if err == nil && left == 0 {
			return
		}
		if err == nil {
			err = e.store.InTx(ctx, func(*models.Tx) error { return nil })
		}
		if err != nil {
			e.t.Fatal(err)
		}
	}
}

// TestRestartKeepsWaits: a delivery that is due is sent at the next start; one that
// waits for its retry goes on waiting.
func TestRestartKeepsWaits(t *testing.T) {
	rc := newReceiver(t, statuses(500))
	e := newEngine(t, options{operations: quick(), waits: []time.Duration{time.Hour, time.Hour}})
	due, waits := e.begin(rc.URL), e.begin(rc.URL)
	for _, begun := range []models.Task{due, waits} {
		e.ended(begun.ID)
		rc.next()
	}
	e.drain()
	d, _ := e.lastSent(due.ID)
	if d.Status != models.DeliveryPending {
		t.Fatalf("the delivery is %+v", d)
	}
	if _, err := e.deliveries.Redeliver(within(t), d.ID); err != nil {
		t.Fatal(err)
	}
	retry, _ := e.lastSent(waits.ID)
	e = e.restart(nil)
	if a := rc.next(); a.TaskID != due.ID {
		t.Errorf("%s was sent", a.Body)
	}
	e.drain()
	rc.nothingMore()
	if now, _ := e.lastSent(waits.ID); !now.NextAttemptAt.Equal(*retry.NextAttemptAt) {
		t.Errorf("the retry at %v was moved to %v", retry.NextAttemptAt, now.NextAttemptAt)
	}
}
