package services

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

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

// TestQueueStatementsAreRivers does the same to two queues, by River's statements
// and by ours, and compares what is in them after each step.
func TestQueueStatementsAreRivers(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 345_000_000, time.UTC)
	later, earlier := now.Add(time.Millisecond), now.Add(-time.Hour)
	jobs := []*riverdriver.JobInsertFastParams{
		{EncodedArgs: []byte(`{"task_id":"task_1"}`), Kind: "task", MaxAttempts: 25, Priority: 1, Queue: queueTasks, CreatedAt: &now, ScheduledAt: &now},
		{EncodedArgs: []byte(`{"task_id":"ü\u0000\""}`), Kind: "task", MaxAttempts: 3, Priority: 4, Queue: queueTasks, CreatedAt: &now, ScheduledAt: &earlier, Tags: []string{"a", "b"}},
		{EncodedArgs: []byte(`{}`), Kind: "task", MaxAttempts: 1, Priority: 2, Queue: queueTasks, CreatedAt: &now, ScheduledAt: &earlier, Metadata: []byte(`{"snoozes":3}`)},
		{EncodedArgs: []byte(`{}`), Kind: "task", MaxAttempts: 25, Priority: 1, Queue: queueTasks, CreatedAt: &now, ScheduledAt: &later},
		{EncodedArgs: []byte(`{}`), Kind: "delivery", MaxAttempts: 25, Priority: 1, Queue: queueDeliveries, CreatedAt: &now, ScheduledAt: &now},
		{EncodedArgs: []byte(`{"n":5}`), Kind: "task", MaxAttempts: 25, Priority: 2, Queue: queueTasks, CreatedAt: &now, ScheduledAt: &now},
	}
	for _, job := range jobs {
		job.State = rivertype.JobStateAvailable
		if job.Tags == nil {
			job.Tags = []string{}
		}
	}
	rivers, ours := newEngine(t, options{idle: true}), newEngine(t, options{idle: true})
	var taken [2][]*rivertype.JobRow
	for i, e := range []*engine{rivers, ours} {
		pool, ok := e.store.Pool().(*sql.DB)
		if !ok {
			t.Fatalf("the pool is a %T", e.store.Pool())
		}
		driver := newSQLiteDriver(e.store, pool, newBell())
		inTx, exec := driver.Driver.UnwrapExecutor, driver.Driver.GetExecutor()
		if e == ours {
			inTx, exec = driver.UnwrapExecutor, driver.GetExecutor()
		}
		err := e.store.InTx(within(t), func(tx *models.Tx) error {
			_, err := inTx(tx.QueueTx().(*sql.Tx)).JobInsertFastManyNoReturning(within(t), &riverdriver.JobInsertFastManyParams{Jobs: jobs})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		// The third job has been tried before.
		_, err = pool.ExecContext(within(t), `UPDATE river_job SET attempt = 2, attempted_by = jsonb('["x","y"]'),
			errors = jsonb('[{"at":"2026-11-23T11:00:00Z","attempt":1,"error":"no","trace":""}]') WHERE id = 3`)
		if err != nil {
			t.Fatal(err)
		}
		res, err := exec.JobGetAvailable(within(t), &riverdriver.JobGetAvailableParams{
			ClientID: "z", MaxAttemptedBy: 3, MaxToLock: 3, Queue: queueTasks, Now: &now,
		})
		if err != nil {
			t.Fatal(err)
		}
		taken[i] = res.Jobs
		slices.SortFunc(taken[i], func(a, b *rivertype.JobRow) int { return int(a.ID - b.ID) })
		_, err = exec.JobSetStateIfRunningMany(within(t), &riverdriver.JobSetStateIfRunningManyParams{
			ID: []int64{1, 4}, Attempt: []*int{nil, nil}, ErrData: [][]byte{nil, nil}, FinalizedAt: []*time.Time{&later, &later},
			MetadataDoMerge: []bool{false, false}, MetadataUpdates: [][]byte{nil, nil}, ScheduledAt: []*time.Time{nil, nil},
			State: []rivertype.JobState{rivertype.JobStateCompleted, rivertype.JobStateCompleted},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(taken[0], taken[1], cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("River's statements take other jobs than ours:\n%s", diff)
	}
	if len(taken[1]) != 3 || taken[1][0].ID != 1 {
		t.Errorf("took %v", taken[1])
	}
	if diff := cmp.Diff(jobTable(t, rivers), jobTable(t, ours)); diff != "" {
		t.Errorf("River's statements leave other rows than ours:\n%s", diff)
	}
}

// jobTable is the queue's table, each row as text.
func jobTable(t *testing.T, e *engine) (rows []string) {
	t.Helper()
	err := e.store.Read(within(t)).Raw(`SELECT json_array(id, json(args), typeof(args), attempt, attempted_at, json(attempted_by), typeof(attempted_by),
		created_at, json(errors), finalized_at, kind, max_attempts, json(metadata), typeof(metadata), priority, queue, state, scheduled_at,
		json(tags), typeof(tags), hex(unique_key), unique_states) FROM river_job ORDER BY id`).Scan(&rows).Error
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
