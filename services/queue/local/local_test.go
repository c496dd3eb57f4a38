package local

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/models/db"
	"petstore/services/dispatch"
	"petstore/services/stream"
	"petstore/services/task"
)

// newQueue returns a queue that does one kind of work, two at a time.
func newQueue(t *testing.T, run func(ctx context.Context) error) (context.Context, *Queue) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	store, err := db.Open(ctx, filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	sender := callbacks.NewSender(callbacks.SenderOptions{})
	dispatcher := dispatch.New(store, dispatch.Options{Sender: sender})
	engine := task.NewEngine(store, stream.NewHub(store), dispatcher)
	engine.Register(task.Operation{Kind: "order", Concurrency: 2, Run: func(ctx context.Context, _ *models.Task, _ task.Progress) (any, error) {
		return map[string]string{"summary": "Done"}, run(ctx)
	}})
	q := New(store, engine)
	t.Cleanup(func() {
		if err := q.Stop(ctx); err != nil {
			t.Error(err)
		}
		dispatcher.Stop()
		sender.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return ctx, q
}

// TestFoundBeforeAdded has the queue find a task in the table before it hears that it was
// stored: it runs once.
func TestFoundBeforeAdded(t *testing.T) {
	var runs atomic.Int32
	ctx, q := newQueue(t, func(context.Context) error { runs.Add(1); return nil })
	draft, err := q.engine.Draft(models.Task{Kind: "order", ResourceID: "ord_1"})
	if err != nil {
		t.Fatal(err)
	}
	err = q.store.InTx(ctx, func(tx *models.Tx) error {
		tx.AfterCommit(func() { // before the queue's own
			if err := q.Start(ctx); err != nil {
				t.Error(err)
			}
			for ctx.Err() == nil && !q.knows(draft.Task.ID) {
				<-time.NewTimer(time.Millisecond).C
			}
		})
		return q.engine.Begin(tx, draft)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.engine.Wait(ctx, draft.Task.ID, 30*time.Second); err != nil {
		t.Error(err)
	}
	if err := q.Stop(ctx); err != nil {
		t.Error(err)
	}
	if runs.Load() != 1 {
		t.Errorf("it ran %d times", runs.Load())
	}
}

func (q *Queue) knows(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.kinds["order"].known[id]
}

// TestAddedWhileTheTableIsRead holds that a task which is committed while the queue reads
// the table is known after that.
func TestAddedWhileTheTableIsRead(t *testing.T) {
	ctx, q := newQueue(t, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if err := q.Start(ctx); err != nil {
		t.Fatal(err)
	}
	n := 0
	for round := range 80 {
		if round > 0 {
			go q.refill(q.kinds["order"])
		}
		var adding sync.WaitGroup
		for range 8 {
			n++
			id := fmt.Sprintf("ord_%06d", n)
			adding.Go(func() {
				draft, err := q.engine.Draft(models.Task{Kind: "order", ResourceID: id})
				if err == nil {
					err = q.store.InTx(ctx, func(tx *models.Tx) error { return q.engine.Begin(tx, draft) })
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		adding.Wait()
		for ctx.Err() == nil && q.knownTasks() < n {
			if idle := q.idle(); idle && q.knownTasks() < n {
				t.Fatalf("round %d: %d of %d tasks are known, and nobody looks for the rest", round, q.knownTasks(), n)
			}
			<-time.NewTimer(time.Millisecond).C
		}
	}
}

func (q *Queue) knownTasks() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.kinds["order"].known)
}

// idle reports whether the table is neither read nor about to be.
func (q *Queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.kinds["order"].loading && !q.kinds["order"].more
}
