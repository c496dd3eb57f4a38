package services

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
)

// TestStoreFaults (reliability 2, another instance): a statement fails for a while, at each of the moments that matter to what is told.
// Once it works again the end of the task comes, to its callback URL as to a webhook, and nothing waits for ever.
func TestStoreFaults(t *testing.T) {
	for name, statement := range map[string]string{
		"a step is recorded":           "INSERT ON updates WHEN NEW.type = 'order.progress'",
		"progress is made":             "INSERT ON deliveries WHEN NEW.type = 'order.progress'",
		"the end is recorded":          "INSERT ON deliveries WHEN NEW.type = 'order.completed'",
		"progress is given up":         "UPDATE OF status ON deliveries WHEN NEW.status = 'superseded'",
		"late progress has an outcome": "UPDATE OF status ON deliveries WHEN NEW.type = 'order.progress' AND NEW.status = 'delivered'",
		"the end has an outcome":       "UPDATE OF status ON deliveries WHEN NEW.type = 'order.completed' AND NEW.status = 'delivered'",
	} {
		t.Run(name, func(t *testing.T) { storeFault(t, statement) })
	}
}

func storeFault(t *testing.T, statement string) {
	t.Helper()
	e := newHookEngine(t, time.Hour)
	warned := captureLog(t, slog.LevelWarn)
	var cancel context.CancelFunc
	e.ctx, cancel = context.WithTimeout(e.ctx, 20*time.Second) // before a sweep that would find all
	t.Cleanup(cancel)
	slow := make(chan struct{})
	rc := newHookReceiver(t, func(u callbacks.Update) int {
		if u.Type == "order.progress" {
			<-slow
		}
		return http.StatusOK
	})
	e.register(rc.URL+"/webhook", "order.*")
	e.exec("CREATE TRIGGER fault BEFORE " + statement + " BEGIN SELECT RAISE(ABORT, 'a fault'); END")
	begun := e.begin(rc.URL+"/callback", models.Metadata{"steps": "10", "step": "50000000"})
	var now models.Task
	failed := func() bool { return len(warned) > 0 || now.Errors > 0 }
	look := func() (err error) { now, err = e.tasks.Get(e.ctx, begun.ID); return err }
	e.until("the task has ended, or could not", func() bool { return look() == nil && (now.Ended() || failed()) })
	close(slow)
	e.until("the statement has failed", func() bool { return look() == nil && failed() })
	e.exec("DROP TRIGGER fault")
	e.ended(begun)
	e.settled()
	var told int64
	err := e.store.Read(e.ctx).Model(&models.Delivery{}).Where("type = 'order.completed' AND status = 'delivered'").Count(&told).Error
	if err != nil || told != 2 {
		t.Errorf("%d were told the end, %v", told, err)
	}
}

// exec runs a statement, to have the database fail.
func (e *hookEngine) exec(statement string) {
	e.t.Helper()
	if err := e.store.InTx(e.ctx, func(tx *models.Tx) error { return tx.Exec(statement).Error }); err != nil {
		e.t.Fatal(err)
	}
}
