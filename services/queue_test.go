package services

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river/riverdriver"

	"petstore/models"
)

// endingContext ends when it is asked for the first time whether it has, which
// is when its transaction's turn has come.
type endingContext struct {
	context.Context
	once sync.Once
	end  context.CancelFunc
}

func (c *endingContext) Err() (err error) {
	err = c.Context.Err()
	c.once.Do(c.end)
	return err
}

// TestQueueStatementsAreNotInterrupted: River bounds its statements with
// contexts. One that ends while the group is being written must not interrupt
// SQLite, which would roll back what everybody in the group wrote.
func TestQueueStatementsAreNotInterrupted(t *testing.T) {
	e := newEngine(t, options{idle: true, operations: quick()})
	e.begin("")
	ctx, cancel := context.WithCancel(within(t))
	ending := &endingContext{Context: ctx, end: cancel}
	pool, ok := e.store.Pool().(*sql.DB)
	if !ok {
		t.Fatalf("the pool is a %T", e.store.Pool())
	}
	executor := newSQLiteDriver(e.store, pool, newBell()).GetExecutor()
	res, err := executor.JobGetAvailable(ending, &riverdriver.JobGetAvailableParams{
		ClientID: "test", MaxAttemptedBy: 10, MaxToLock: 10, Queue: queueTasks,
	})
	if err != nil || len(res.Jobs) != 1 {
		t.Errorf("got %+v, %v", res, err)
	}
	if ctx.Err() == nil {
		t.Error("the context did not end: this test has shown nothing")
	}
}

func TestTaskWithoutItsJobIsNotStored(t *testing.T) {
	e := newEngine(t, options{idle: true})
	e.store.SetJobInserter(func(_ context.Context, _ any, _ []models.Job) (func(), error) {
		return nil, errors.New("the queue is away")
	})
	err := e.store.InTx(within(t), func(tx *models.Tx) error {
		_, err := e.tasks.Begin(tx, kindOrder, Request{ResourceID: "ord_1"})
		return err
	})
	if err == nil {
		t.Error("a task without its job was stored")
	}
	var stored int64
	if err := e.store.Read(within(t)).Model(&models.Task{}).Count(&stored).Error; err != nil || stored != 0 {
		t.Errorf("stored %d, %v", stored, err)
	}
}

func TestStopWithoutStart(t *testing.T) {
	e := newEngine(t, options{idle: true})
	e.drain()
	e.drain()
}

// TestBellWakesWorkers: a new task is begun by the bell, not by the poll.
func TestBellWakesWorkers(t *testing.T) {
	begun := make(chan time.Time, 1)
	e := newEngine(t, options{operations: []Operation{operation(func(context.Context, *models.Task, Report) (any, error) {
		begun <- time.Now()
		return nil, nil
	})}})
	best := time.Hour
	for range 20 {
		at := time.Now()
		task := e.begin("")
		best = min(best, await(t, begun, "the run").Sub(at))
		e.ended(task.ID)
	}
	if best > 100*time.Millisecond { // the poll takes 100 ms on average
		t.Errorf("at best a task waits %v", best)
	}
}
