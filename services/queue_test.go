package services

import (
	"context"
	"log/slog"
	"testing"

	"petstore/models"
	"petstore/services/task"
)

func TestStopWithoutStart(t *testing.T) {
	e := newEngine(t, options{idle: true})
	e.drain()
	e.drain()
}

// TestWorkThatCannotBeRead holds that work is found though the table could not be read when
// the queue was started.
func TestWorkThatCannotBeRead(t *testing.T) {
	e := newEngine(t, options{idle: true, operations: []task.Operation{operation(
		func(context.Context, *models.Task, task.Progress) (any, error) { return nil, nil })}}) //nolint:nilnil // no result is one
	begun := e.begin("")
	e.exec("ALTER TABLE tasks RENAME TO mislaid")
	logged := captureLog(t, slog.LevelInfo)
	e.start()
	<-logged // that it could not be read
	e.exec("ALTER TABLE mislaid RENAME TO tasks")
	e.ended(begun.ID)
}

// logChannel is where a log goes. Lines that nobody reads are lost: a test must not hold up who logs.
type logChannel chan string

func (c logChannel) Write(line []byte) (int, error) {
	select {
	case c <- string(line):
	default:
	}
	return len(line), nil
}

// captureLog has what is logged at a level or above until the test ends.
func captureLog(t *testing.T, level slog.Level) logChannel {
	t.Helper()
	logged, before := make(logChannel, 100), slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: level})))
	t.Cleanup(func() { slog.SetDefault(before) })
	return logged
}

// TestKindsHaveWorkersOfTheirOwn (security 2, another instance): work of one kind that waits for somebody, a provider of payments, say, holds
// up no order.
func TestKindsHaveWorkersOfTheirOwn(t *testing.T) {
	hanging := operation(func(ctx context.Context, _ *models.Task, _ task.Progress) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	hanging.Concurrency = 1
	e := newEngine(t, options{operations: []task.Operation{hanging}})
	e.product("dog-food", 10)
	var waiting []models.Task
	for range 3 {
		waiting = append(waiting, e.begin(""))
	}
	e.ended(e.order("", "dog-food").TaskID)
	for _, w := range waiting {
		if _, err := e.tasks.Cancel(within(t), w.ID); err != nil {
			t.Error(err)
		}
	}
}
