package task_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/models/db"
	"petstore/services/dispatch"
	"petstore/services/queue/local"
	"petstore/services/stream"
	"petstore/services/task"
)

// An operation is a function. Everything else, that it runs again after a crash, that whoever
// asked for it is told, in order, is the engine's.
func Example() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "example")
	check(err)
	defer os.RemoveAll(folder)
	store, err := db.Open(ctx, filepath.Join(folder, "petstore.db"))
	check(err)
	defer store.Close()
	sender := callbacks.NewSender(callbacks.SenderOptions{Policy: callbacks.DevelopmentPolicy()})
	defer sender.Close()
	hub := stream.NewHub(store)
	defer hub.Close()
	dispatcher := dispatch.New(store, dispatch.Options{Sender: sender, Schedule: callbacks.DevelopmentSchedule(), Secret: callbacks.DevelopmentSecret})
	engine := task.NewEngine(store, hub, dispatcher)

	engine.Register(task.Operation{
		Kind: callbacks.KindOrder.Name,
		Run: func(_ context.Context, t *models.Task, report task.Progress) (any, error) {
			if err := report(50, "Half of it"); err != nil {
				return nil, err
			}
			return map[string]string{"summary": t.ResourceID + " is done"}, nil
		},
	})

	queue := local.New(store, engine)
	check(queue.Start(ctx))
	dispatcher.Start()
	defer dispatcher.Stop()
	defer queue.Stop(ctx)

	draft, err := engine.Draft(models.Task{Kind: callbacks.KindOrder.Name, ResourceID: "ord_1", Message: "Begun"})
	check(err)
	check(store.InTx(ctx, func(tx *models.Tx) error { return engine.Begin(tx, draft) }))
	ended, err := engine.Wait(ctx, draft.Task.ID, 10*time.Second)
	fmt.Println(ended.Status, string(ended.Result), err)
	// Output: completed {"summary":"ord_1 is done"} <nil>
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
