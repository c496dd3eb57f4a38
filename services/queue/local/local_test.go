package local

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/services/dispatch"
	"petstore/services/stream"
	"petstore/services/task"
)

// TestFoundBeforeAdded has the queue find a task in the table before it hears that it was
// stored: it runs once.
func TestFoundBeforeAdded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	store, err := models.Open(ctx, filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	sender := callbacks.NewSender(callbacks.SenderOptions{})
	defer sender.Close()
	dispatcher := dispatch.New(store, dispatch.Options{Sender: sender})
	engine := task.NewEngine(store, stream.NewHub(store), dispatcher)
	var runs atomic.Int32
	engine.Register(task.Operation{Kind: "order", Run: func(context.Context, *models.Task, task.Progress) (any, error) {
		runs.Add(1)
		return map[string]string{"summary": "Done"}, nil
	}})
	q := New(store, engine)
	draft, err := engine.Draft("order", task.Request{ResourceID: "ord_1"})
	if err != nil {
		t.Fatal(err)
	}
	err = store.InTx(ctx, func(tx *models.Tx) error {
		tx.AfterCommit(func() { // before the queue's own
			if err := q.Start(ctx); err != nil {
				t.Error(err)
			}
			for ctx.Err() == nil && !q.knows(draft.Task.ID) {
				<-time.NewTimer(time.Millisecond).C
			}
		})
		return engine.Begin(tx, draft)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Wait(ctx, draft.Task.ID, 30*time.Second); err != nil {
		t.Error(err)
	}
	if err := q.Stop(ctx); err != nil {
		t.Error(err)
	}
	dispatcher.Stop()
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	if runs.Load() != 1 {
		t.Errorf("it ran %d times", runs.Load())
	}
}

func (q *Queue) knows(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lines["order"].known[id]
}
