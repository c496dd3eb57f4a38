package services

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"

	"petstore/models"
)

// newSQLiteQueue works on the jobs of a database that this process alone uses.
func newSQLiteQueue(ctx context.Context, pool *sql.DB, config *river.Config, store *models.Store) (*Queue, error) {
	config.ID = models.NewID("server_")
	driver := newSQLiteDriver(store, pool, config.ID)
	client, err := newClient(ctx, driver, config)
	if err != nil {
		return nil, err
	}
	store.SetJobInserter(driver.insert)
	return &Queue{
		client:  client,
		resume:  driver.resume,
		release: driver.ready.end,
	}, nil
}

// sqliteDriver is River's driver for SQLite with three changes. The two frequent
// writes, taking jobs and finishing them, join the store's group commits instead
// of competing with them for SQLite's only write lock. New jobs get to the workers
// in memory instead of by polling: a bell wakes them, and ready has the jobs. (Both
// are possible because one process owns the file.) And what is done to every job is
// done by statements of our own: see queue_sqlite_jobs.go.
type sqliteDriver struct {
	*riversqlite.Driver
	store  *models.Store
	server string // ID of the client
	bell   *bell
	ready  *ready
}

func newSQLiteDriver(store *models.Store, pool *sql.DB, server string) *sqliteDriver {
	return &sqliteDriver{Driver: riversqlite.New(pool), store: store, server: server, bell: newBell(), ready: newReady()}
}

// insert is the store's way to put jobs into the queue.
func (d *sqliteDriver) insert(_ context.Context, tx any, jobs []models.Job) (committed func(), err error) {
	sqlTx, ok := tx.(*sql.Tx)
	if !ok {
		return nil, fmt.Errorf("a transaction of SQLite was expected, not a %T", tx)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	rows := make([]*rivertype.JobRow, len(jobs))
	var taken []*rivertype.JobRow
	touched := map[string]struct{}{}
	for i, job := range jobs {
		row, err := newJob(job, now)
		if err != nil {
			return nil, err
		}
		if d.ready.welcomes(row.Queue) {
			row.State, row.Attempt, row.AttemptedAt, row.AttemptedBy = rivertype.JobStateRunning, 1, &now, []string{d.server}
			taken = append(taken, row)
		}
		rows[i] = row
		touched[row.Queue] = struct{}{}
	}
	if err := insertJobs(sqlTx, rows, d.server); err != nil {
		return nil, fmt.Errorf("storing jobs: %w", err)
	}
	return func() {
		for _, row := range rows {
			if row.State == rivertype.JobStateAvailable {
				d.ready.leave(row.Queue)
			}
		}
		d.ready.put(taken) // from here on they are River's
		for queue := range touched {
			d.bell.ring(queue)
		}
	}, nil
}

// resume makes the jobs available that were running when the process
// before this one was killed, and the deliveries due that they had claimed. This
// process owns the file, so nobody else can be running them, and there is no need
// to wait until River takes them for stuck and until the lease of the claims ends.
// Being killed is no error of the job, so the attempt doesn't count.
func (d *sqliteDriver) resume(ctx context.Context) error {
	return d.store.InTx(ctx, func(tx *models.Tx) error {
		d.ready.begin()
		if err := models.FreeClaims(tx); err != nil {
			return err
		}
		return tx.Exec("UPDATE river_job SET state = 'available', attempt = max(attempt - 1, 0) WHERE state = 'running'").Error
	})
}

// SupportsListenNotify tells River to write no notifications: the bell is rung
// by those who commit.
func (d *sqliteDriver) SupportsListenNotify() bool { return false }

// GetListener returns the bell.
func (d *sqliteDriver) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener {
	return &bellListener{bell: d.bell}
}

// GetExecutor returns River's executor, whose frequent writes join the group.
func (d *sqliteDriver) GetExecutor() riverdriver.Executor {
	return &groupExecutor{Executor: d.Driver.GetExecutor(), driver: d}
}

type groupExecutor struct {
	riverdriver.Executor
	driver *sqliteDriver
}

func (e *groupExecutor) JobGetAvailable(ctx context.Context, params *riverdriver.JobGetAvailableParams) (*riverdriver.JobGetAvailableResult, error) {
	jobs, look := e.driver.ready.take(params.Queue, params.MaxToLock)
	if !look {
		return &riverdriver.JobGetAvailableResult{Jobs: jobs}, nil
	}
	rest := *params
	rest.MaxToLock -= len(jobs)
	res, err := e.look(ctx, &rest)
	if err != nil && len(jobs) == 0 {
		return nil, err
	}
	if err == nil {
		jobs = append(jobs, res.Jobs...)
	}
	return &riverdriver.JobGetAvailableResult{Jobs: jobs}, nil
}

// look takes jobs from the table.
func (e *groupExecutor) look(ctx context.Context, params *riverdriver.JobGetAvailableParams) (res *riverdriver.JobGetAvailableResult, err error) {
	looked := e.driver.ready.look(params.Queue)
	err = e.inGroup(ctx, func(ctx context.Context, tx *sql.Tx, exec riverdriver.Executor) error {
		if params.Kind != nil {
			res, err = exec.JobGetAvailable(ctx, params)
		} else {
			res, err = takeAvailable(tx, params)
		}
		return err
	})
	if err == nil {
		looked(len(res.Jobs) == params.MaxToLock)
	}
	return res, err
}

func (e *groupExecutor) JobSetStateIfRunningMany(ctx context.Context, params *riverdriver.JobSetStateIfRunningManyParams) (jobs []*rivertype.JobRow, err error) {
	err = e.inGroup(ctx, func(ctx context.Context, tx *sql.Tx, exec riverdriver.Executor) error {
		done, others := simplyDone(params)
		jobs, err = completeMany(tx, done)
		if err == nil && len(others.ID) > 0 {
			var more []*rivertype.JobRow
			more, err = exec.JobSetStateIfRunningMany(ctx, others)
			jobs = append(jobs, more...)
		}
		return err
	})
	return jobs, err
}

// inGroup runs fn in the store's next group. The ctx that fn gets never ends: a
// statement that is interrupted rolls back the writes of everybody in the group.
func (e *groupExecutor) inGroup(ctx context.Context, fn func(context.Context, *sql.Tx, riverdriver.Executor) error) error {
	return e.driver.store.InTx(ctx, func(tx *models.Tx) error {
		sqlTx, ok := tx.QueueTx().(*sql.Tx)
		if !ok {
			return fmt.Errorf("a transaction of SQLite was expected, not a %T", tx.QueueTx())
		}
		return fn(context.WithoutCancel(ctx), sqlTx, e.driver.UnwrapExecutor(sqlTx))
	})
}

// bell tells the listeners in this process that a queue has new jobs.
type bell struct {
	mu        sync.Mutex
	listeners map[*bellListener]struct{}
}

func newBell() *bell { return &bell{listeners: map[*bellListener]struct{}{}} }

// ring wakes the workers of a queue. It never blocks.
func (b *bell) ring(queue string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.listeners {
		select {
		case l.rung <- queue:
		default: // full: whoever listens is about to look anyway
		}
	}
}

// topicInsert is River's topic for new jobs.
const topicInsert = "river_insert"

// bellListener is the bell as River listens to it.
type bellListener struct {
	bell *bell
	rung chan string
}

func (l *bellListener) Connect(context.Context) error {
	l.bell.mu.Lock()
	defer l.bell.mu.Unlock()
	if l.rung != nil {
		return errors.New("the listener is connected already")
	}
	l.rung = make(chan string, 16)
	l.bell.listeners[l] = struct{}{}
	return nil
}

func (l *bellListener) Close(context.Context) error {
	l.bell.mu.Lock()
	defer l.bell.mu.Unlock()
	delete(l.bell.listeners, l)
	l.rung = nil
	return nil
}

func (l *bellListener) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	select {
	case queue := <-l.rung:
		return &riverdriver.Notification{Topic: topicInsert, Payload: fmt.Sprintf(`{"queue":%q}`, queue)}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *bellListener) Listen(context.Context, string) error   { return nil }
func (l *bellListener) Unlisten(context.Context, string) error { return nil }
func (l *bellListener) Ping(context.Context) error             { return nil }
func (l *bellListener) Schema() string                         { return "" }
func (l *bellListener) SetAfterConnectExec(string)             {}
