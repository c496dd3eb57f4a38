package services

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"petstore/models"
	"petstore/models/postgrestest"
	"petstore/services/task"
)

func TestWait(t *testing.T) {
	proceed := make(chan struct{})
	e := newEngine(t, options{operations: []task.Operation{operation(func(ctx context.Context, _ *models.Task, _ task.Progress) (any, error) {
		select {
		case <-proceed:
		case <-ctx.Done():
		}
		return nil, ctx.Err()
	})}})
	task := e.begin("")
	if got, err := e.tasks.Wait(within(t), task.ID, 0); err != nil || got.Ended() {
		t.Errorf("without waiting: %+v, %v", got, err)
	}
	if got, err := e.tasks.Wait(within(t), task.ID, time.Millisecond); err != nil || got.Ended() {
		t.Errorf("waiting too short: %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	if _, err := e.tasks.Wait(ctx, task.ID, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that left: %v", err)
	}
	waited := make(chan models.Task, 1)
	go func() {
		got, _ := e.tasks.Wait(within(t), task.ID, patienceOfTests)
		waited <- got
	}()
	close(proceed)
	if got := await(t, waited, "the end of the task"); got.Status != models.StatusCompleted {
		t.Errorf("got %+v", got)
	}
}

// TestTailIsLive: a replica that does no work hears of what another does.
func TestTailIsLive(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	works, watches := newEngine(t, options{url: url}), newEngine(t, options{url: url, idle: true})
	works.product("dog-food", 5)
	live := watches.hub.Subscribe("", 100)
	defer live.Close()
	if err := watches.hub.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	order := works.order("", "dog-food")
	watches.ended(order.TaskID)
	want := watches.updates(order.TaskID)
	var got []models.Update
	for len(got) < len(want) {
		got = append(got, await(t, live.C, "an update")...)
	}
	for i, u := range want {
		if got[i].ID != u.ID || got[i].Body != u.Body {
			t.Errorf("update %d came as %+v, want %+v", i, got[i], u)
		}
	}
}

// TestTailWaitsForNobodyElse: a transaction of somebody else that writes for long,
// elsewhere on the server, holds up nothing.
func TestTailWaitsForNobodyElse(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	ctx := within(t)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(ctx, "BEGIN; CREATE TABLE elsewhere (); SELECT pg_current_xact_id()"); err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, options{url: url, operations: quick()})
	e.ended(e.begin("").ID) // hears of it live
}
