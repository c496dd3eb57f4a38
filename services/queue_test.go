package services

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/riverqueue/river"
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
	executor := driverOf(t, e).GetExecutor()
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
	draft, err := e.tasks.Draft(kindOrder, Request{ResourceID: "ord_1"})
	if err != nil {
		t.Fatal(err)
	}
	if err = e.store.InTx(within(t), func(tx *models.Tx) error { return e.tasks.Begin(tx, draft) }); err == nil {
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

// TestQueueStatementsAreRivers takes and finishes the same jobs in two queues, by
// River's statements and by ours, and compares what that leaves.
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
		driver := driverOf(t, e)
		exec := driver.Driver.GetExecutor()
		if e == ours {
			exec = driver.GetExecutor()
		}
		err := e.store.InTx(within(t), func(tx *models.Tx) error {
			_, err := driver.UnwrapExecutor(tx.QueueTx().(*sql.Tx)).JobInsertFastManyNoReturning(within(t), &riverdriver.JobInsertFastManyParams{Jobs: jobs})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		// The third job has been tried before.
		e.exec(`UPDATE river_job SET attempt = 2, attempted_by = jsonb('["x","y"]'),
			errors = jsonb('[{"at":"2026-11-23T11:00:00Z","attempt":1,"error":"no","trace":""}]') WHERE id = 3`)
		res, err := exec.JobGetAvailable(within(t), &riverdriver.JobGetAvailableParams{
			ClientID: "z", MaxAttemptedBy: 3, MaxToLock: 3, Queue: queueTasks, Now: &now,
		})
		if err != nil {
			t.Fatal(err)
		}
		taken[i] = res.Jobs
		slices.SortFunc(taken[i], func(a, b *rivertype.JobRow) int { return int(a.ID - b.ID) })
		_, err = exec.JobSetStateIfRunningMany(within(t), &riverdriver.JobSetStateIfRunningManyParams{
			ID: []int64{1, 3, 4}, Attempt: []*int{nil, nil, nil}, FinalizedAt: []*time.Time{&later, nil, &later},
			ErrData:         [][]byte{nil, []byte(`{"at":"2026-11-23T12:00:00Z","attempt":3,"error":"no","trace":""}`), nil},
			MetadataDoMerge: []bool{false, false, false}, MetadataUpdates: [][]byte{nil, nil, nil}, ScheduledAt: []*time.Time{nil, &later, nil},
			State: []rivertype.JobState{rivertype.JobStateCompleted, rivertype.JobStateRetryable, rivertype.JobStateCompleted},
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
	rivers.exec("DELETE FROM river_job WHERE state = 'completed'") // which ours does at once
	if diff := cmp.Diff(jobTable(t, rivers), jobTable(t, ours)); diff != "" {
		t.Errorf("River's statements leave other rows than ours:\n%s", diff)
	}
}

// TestJobsAreStoredAsRivers: a job is stored as River stores it; and one that waits
// in memory as if River had stored and then taken it, and the same is what River
// gets to see.
func TestJobsAreStoredAsRivers(t *testing.T) {
	jobs := []models.Job{{TaskID: `task_"ü"`}, {DeliveryID: "dlv_1"}, {WebhookID: "wh_1"}, {TaskID: "task_2"}}
	rivers, ours, ready := newEngine(t, options{idle: true}), newEngine(t, options{idle: true}), newEngine(t, options{idle: true})
	insert := func(e *engine, driver *sqliteDriver) {
		e.store.SetJobInserter(driver.insert)
		err := e.store.InTx(within(t), func(tx *models.Tx) error {
			for _, job := range jobs {
				tx.Enqueue(job)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	take := func(driver *sqliteDriver, queue string) []*rivertype.JobRow {
		res, err := driver.GetExecutor().JobGetAvailable(within(t), &riverdriver.JobGetAvailableParams{
			ClientID: "test", MaxAttemptedBy: 3, MaxToLock: 3, Queue: queue,
		})
		if err != nil {
			t.Fatal(err)
		}
		return res.Jobs
	}
	client, err := river.NewClient(driverOf(t, rivers).Driver, &river.Config{MaxAttempts: maxJobErrors})
	if err != nil {
		t.Fatal(err)
	}
	var params []river.InsertManyParams
	for _, job := range jobs {
		params = append(params, insertParams(job))
	}
	if _, err := client.InsertManyFast(within(t), params); err != nil {
		t.Fatal(err)
	}
	ourDriver, readyDriver := driverOf(t, ours), driverOf(t, ready)
	insert(ours, ourDriver)
	if diff := cmp.Diff(jobTable(t, rivers), jobTable(t, ours), withoutTimes); diff != "" {
		t.Errorf("River stores other rows than we do:\n%s", diff)
	}
	readyDriver.ready.begin()
	for _, queue := range []string{queueTasks, queueDeliveries} {
		if waiting := take(readyDriver, queue); len(waiting) > 0 {
			t.Errorf("before there are jobs, %v are taken", waiting)
		}
	}
	insert(ready, readyDriver)
	before := jobTable(t, ready)
	for _, queue := range []string{queueTasks, queueDeliveries} {
		want, got := take(ourDriver, queue), take(readyDriver, queue)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(time.Minute)); diff != "" || len(got) != 2 {
			t.Errorf("from memory come other jobs than from the table:\n%s", diff)
		}
	}
	after := jobTable(t, ready)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("taking jobs from memory has changed the table:\n%s", diff)
	}
	if diff := cmp.Diff(jobTable(t, ours), after, withoutTimes); diff != "" {
		t.Errorf("jobs that were taken are in the table otherwise than those that wait in memory:\n%s", diff)
	}
}

var times = regexp.MustCompile(`"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d\d\d"`)

var withoutTimes = cmp.Transformer("withoutTimes", func(row string) []byte { return times.ReplaceAll([]byte(row), []byte("a time")) })

// TestReadyKeepsTheOrder: once jobs wait in the table, because there were too many,
// those that come later wait there, too, until the table is empty.
func TestReadyKeepsTheOrder(t *testing.T) {
	r := newReady()
	if r.welcomes("q") {
		t.Error("a job may wait where nobody fetches")
	}
	r.begin()
	if r.welcomes("q") {
		t.Error("a job may wait before anybody has looked into the table")
	}
	r.look("q")(false)
	for id := range int64(readySize) {
		if !r.welcomes("q") {
			t.Fatalf("job %d may not wait", id)
		}
		r.put([]*rivertype.JobRow{{ID: id, Queue: "q"}})
	}
	if r.welcomes("q") {
		t.Error("one job too many may wait")
	}
	for want := int64(0); want < readySize; {
		jobs, look := r.take("q", 100)
		for _, job := range jobs {
			if job.ID != want {
				t.Fatalf("job %d came when it was the turn of %d", job.ID, want)
			}
			want++
		}
		if look != (len(jobs) < 100) || r.welcomes("q") {
			t.Fatalf("those in the table are the next once there is room for more than %d", len(jobs))
		}
	}
	if jobs, look := r.take("q", 100); len(jobs) > 0 || !look {
		t.Errorf("got %v, look into the table: %v", jobs, look)
	}
	r.look("q")(true)
	if r.welcomes("q") {
		t.Error("a job may overtake those in the table")
	}
	r.look("q")(false)
	if !r.welcomes("q") {
		t.Error("a job may not wait though the table is empty")
	}
	if _, look := r.take("q", 100); look {
		t.Error("the table is looked into again at once")
	}
	r.put([]*rivertype.JobRow{{ID: 1, Queue: "q"}})
	r.queues["q"].looked = time.Now().Add(-fetchPollInterval)
	if jobs, look := r.take("q", 1); len(jobs) != 0 || !look {
		t.Error("new jobs keep the table from being looked into")
	}
	looked := r.look("q")
	r.leave("q") // stored after that look, or beside it
	looked(false)
	if _, look := r.take("q", 100); !look {
		t.Error("a new job in the table is not looked for")
	}
	r.end()
	r.put([]*rivertype.JobRow{{ID: 2, Queue: "q"}})
	r.begin()
	if jobs, _ := r.take("q", 100); len(jobs) > 0 {
		t.Error("a job that was committed after the end is taken after the next start, which takes it up from the table")
	}
}

// driverOf returns another driver of the engine's database.
func driverOf(t *testing.T, e *engine) *sqliteDriver {
	t.Helper()
	pool, ok := e.store.Pool().(*sql.DB)
	if !ok {
		t.Fatalf("the pool is a %T", e.store.Pool())
	}
	return newSQLiteDriver(e.store, pool, "test")
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
