package services

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
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
			e := newEngine(t, options{idle: true, operations: []Operation{operation(
				func(ctx context.Context, _ *models.Task, _ Report) (any, error) { return fails(ctx) })}})
			task := e.begin("")
			work := func(r run) error {
				ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
				defer cancel()
				return e.tasks.work(ctx, task.ID, r)
			}
			for i := range maxOwnErrors {
				if err := work(run{errors: i, starts: i + 1}); err == nil {
					t.Fatalf("run %d reported no error", i+1)
				}
			}
			if err := work(run{errors: maxOwnErrors, starts: maxOwnErrors + 1}); err != nil {
				t.Fatal(err)
			}
			task, err := e.tasks.Get(within(t), task.ID)
			if err != nil || task.Status != models.StatusFailed || task.ErrorCode != CodeProcessing {
				t.Errorf("got %+v, %v", task, err)
			}
			for _, u := range e.updates(task.ID) {
				if strings.Contains(u.Body, "secret") {
					t.Errorf("told the world %s", u.Body)
				}
			}
		})
	}
}

func TestTaskIsNotBegunForEver(t *testing.T) {
	var runs int
	e := newEngine(t, options{idle: true, operations: []Operation{operation(
		func(context.Context, *models.Task, Report) (any, error) { runs++; return nil, nil })}})
	task := e.begin("")
	if err := e.tasks.work(within(t), task.ID, run{starts: maxStarts}); err != nil || runs != 0 {
		t.Errorf("%d runs, %v", runs, err)
	}
	if task, _ := e.tasks.Get(within(t), task.ID); task.Status != models.StatusFailed {
		t.Errorf("got %+v", task)
	}
}

// TestPanicThenSuccess goes through the queue: a run that panics is repeated.
func TestPanicThenSuccess(t *testing.T) {
	t.Parallel()
	var runs atomic.Int64
	e := newEngine(t, options{operations: []Operation{operation(func(_ context.Context, _ *models.Task, report Report) (any, error) {
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
	e := newEngine(t, options{operations: []Operation{operation(func(_ context.Context, task *models.Task, report Report) (any, error) {
		for _, progress := range []int{-5, 40, 20, 100} {
			if err := report(progress, "Working"); err != nil {
				return nil, err
			}
		}
		before := *task
		err := report(50, "Never told", func(tx *models.Tx) error {
			if err := tx.Exec("UPDATE tasks SET resource_id = 'spoilt'").Error; err != nil {
				return err
			}
			return refused
		})
		if !errors.Is(err, refused) || task.Sequence != before.Sequence || task.Message != before.Message {
			return nil, &Failure{Code: "X", Message: "a refused report was told"}
		}
		if err := report(50, "Never told", func(*models.Tx) error { panic("in a report") }); err == nil {
			return nil, &Failure{Code: "X", Message: "a panic was passed over"}
		}
		return nil, nil
	})}})
	task := e.ended(e.begin("").ID)
	if task.Status != models.StatusCompleted || task.ResourceID != "res_1" || task.Progress != 100 || string(task.Result) != "null" {
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
	op := operation(func(_ context.Context, _ *models.Task, report Report) (any, error) {
		return nil, &Failure{Code: "NO", Message: "No."}
	})
	op.Ended = func(_ *models.Tx, task *models.Task) error { ended = append(ended, task.Status); return nil }
	e := newEngine(t, options{idle: true, operations: []Operation{op}})
	failing, cancelled := e.begin(""), e.begin("")
	if _, err := e.tasks.Cancel(within(t), cancelled.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{failing.ID, cancelled.ID, failing.ID} {
		if err := e.tasks.work(within(t), id, run{starts: 1}); err != nil {
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
	e := newEngine(t, options{waits: make([]time.Duration, 50), operations: []Operation{operation(func(ctx context.Context, _ *models.Task, report Report) (any, error) {
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
	if took := time.Since(began); took > stopPatience+10*time.Second {
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

// crash marks all jobs as a killed process leaves them.
const crash = "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = datetime('now'), attempted_by = jsonb('[\"dead\"]')"

// TestAfterACrash puts the database into the states that a kill can leave, and
// starts.
func TestAfterACrash(t *testing.T) {
	done := func(context.Context, *models.Task, Report) (any, error) { return "done", nil }
	// store stores what a task tells, and is killed before it has sent anything.
	store := func(e *engine, task models.Task, what string, tell func(*models.Tx, *Draft) ([]*models.Delivery, error)) {
		draft, err := e.tasks.next(task, what)
		if err == nil {
			err = e.store.InTx(within(e.t), func(tx *models.Tx) error {
				_, err := tell(tx, draft)
				return err
			})
		}
		if err != nil {
			e.t.Fatal(err)
		}
	}
	end := func(e *engine, task models.Task) {
		if err := conclude(&task, []byte(`"done"`), nil); err != nil {
			e.t.Fatal(err)
		}
		store(e, task, task.Status, e.tasks.end)
	}
	for _, test := range []struct {
		name  string
		leave func(e *engine, task models.Task)
		sends int
		tells int // updates
	}{
		{"before it ran", func(e *engine, _ models.Task) {}, 1, 2},
		{"while it ran", func(e *engine, _ models.Task) { e.exec(crash) }, 1, 2},
		{"with progress unsent", func(e *engine, task models.Task) {
			task.Progress, task.Message = 10, "Unsent"
			store(e, task, "progress", e.tasks.tell)
			e.exec(crash)
		}, 1, 3},
		{"after the end was stored, before it was sent", func(e *engine, task models.Task) { end(e, task); e.exec(crash) }, 1, 2},
		{"after it was handed over", func(e *engine, task models.Task) {
			end(e, task)
			e.exec("DELETE FROM river_job")
			d, _ := e.lastSent(task.ID)
			if err := e.courier.handOver(within(e.t), &d); err != nil {
				e.t.Fatal(err)
			}
		}, 1, 2},
		{"after it was handed over, by a job that is not done", func(e *engine, task models.Task) {
			end(e, task)
			d, _ := e.lastSent(task.ID)
			if err := e.courier.handOver(within(e.t), &d); err != nil {
				e.t.Fatal(err)
			}
			e.exec(crash)
		}, 1, 2},
		{"after it was claimed", func(e *engine, task models.Task) {
			end(e, task)
			d, _ := e.lastSent(task.ID)
			if err := e.courier.handOver(within(e.t), &d); err != nil {
				e.t.Fatal(err)
			}
			e.exec("UPDATE deliveries SET next_attempt_at = ?", models.Now().Add(300*time.Millisecond)) // what is left of the lease
			e.exec(crash)
		}, 1, 2},
		{"after it was delivered", func(e *engine, task models.Task) {
			end(e, task)
			d, _ := e.lastSent(task.ID)
			if _, err := e.courier.attempt(within(e.t), &d, true); err != nil {
				e.t.Fatal(err)
			}
			e.exec(crash)
		}, 1, 2},
		{"after it was cancelled", func(e *engine, task models.Task) {
			if _, err := e.tasks.Cancel(within(e.t), task.ID); err != nil {
				e.t.Fatal(err)
			}
			e.exec(crash)
		}, 1, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rc := newReceiver(t, nil)
			e := newEngine(t, options{idle: true, operations: []Operation{operation(done)}})
			task := e.begin(rc.URL)
			test.leave(e, task)
			e = e.restart(nil)
			e.delivered(task.ID)
			e.jobsDone()
			e.drain()
			for range test.sends {
				if a := rc.next(); !a.Terminal() {
					t.Errorf("old progress was sent: %s", a.Body)
				}
			}
			rc.nothingMore()
			if got := e.updates(task.ID); len(got) != test.tells {
				t.Errorf("%d updates, want %d", len(got), test.tells)
			}
			for _, d := range e.sent(task.ID) {
				if d.Status == models.DeliveryPending {
					t.Errorf("left pending: %+v", d)
				}
			}
		})
	}
}

// jobsDone waits until no job can run any more at once.
func (e *engine) jobsDone() {
	e.t.Helper()
	for ctx := within(e.t); ; {
		var left int64
		err := e.store.Read(ctx).Raw("SELECT count(*) FROM river_job WHERE state IN ('available', 'running')").Scan(&left).Error
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

// TestClaimsOfADeadProcessAreFreed: a delivery that was being sent when the
// process was killed is sent at the next start, not when the lease of its claim
// ends; one that waits for its retry goes on waiting.
func TestClaimsOfADeadProcessAreFreed(t *testing.T) {
	rc := newReceiver(t, statuses(500))
	e := newEngine(t, options{operations: quick(), waits: []time.Duration{time.Hour, time.Hour}})
	killed, waits := e.begin(rc.URL), e.begin(rc.URL)
	for _, task := range []models.Task{killed, waits} {
		e.ended(task.ID)
		rc.next()
	}
	e.drain()
	d, _ := e.lastSent(killed.ID)
	if d.Claimed || d.Status != models.DeliveryPending {
		t.Fatalf("the delivery is %+v", d)
	}
	if _, err := e.deliveries.Redeliver(within(t), d.ID); err != nil {
		t.Fatal(err)
	}
	if claimed, _, err := e.courier.claim(within(t), &d); !claimed || err != nil {
		t.Fatal(claimed, err)
	}
	retry, _ := e.lastSent(waits.ID)
	begun := time.Now()
	e = e.restart(nil)
	if a := rc.next(); a.TaskID != killed.ID {
		t.Errorf("%s was sent", a.Body)
	}
	if took := time.Since(begun); took > lease/2 {
		t.Errorf("it was sent after %v", took)
	}
	e.drain()
	rc.nothingMore()
	if now, _ := e.lastSent(waits.ID); !now.NextAttemptAt.Equal(*retry.NextAttemptAt) {
		t.Errorf("the retry at %v was moved to %v", retry.NextAttemptAt, now.NextAttemptAt)
	}
}
