package services

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"

	"petstore/models"
)

// sqliteDriver is River's driver for SQLite with three changes. The two frequent
// writes, taking jobs and finishing them, join the store's group commits instead
// of competing with them for SQLite's only write lock. Workers are woken by a bell
// in memory instead of polling a table of notifications every 50 ms. (Both are
// possible because one process owns the file.) And what is done to every job is
// done by statements of our own: see queue_sqlite_jobs.go.
type sqliteDriver struct {
	*riversqlite.Driver
	store *models.Store
	bell  *bell
}

func newSQLiteDriver(store *models.Store, pool *sql.DB, bell *bell) *sqliteDriver {
	return &sqliteDriver{Driver: riversqlite.New(pool), store: store, bell: bell}
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

// UnwrapExecutor returns River's executor in a transaction, which inserts jobs by
// a statement of our own.
func (d *sqliteDriver) UnwrapExecutor(tx *sql.Tx) riverdriver.ExecutorTx {
	return &txExecutor{ExecutorTx: d.Driver.UnwrapExecutor(tx), tx: tx}
}

// UnwrapTx is the inverse of UnwrapExecutor.
func (d *sqliteDriver) UnwrapTx(exec riverdriver.ExecutorTx) *sql.Tx {
	if ours, ok := exec.(*txExecutor); ok {
		return ours.tx
	}
	return d.Driver.UnwrapTx(exec)
}

type txExecutor struct {
	riverdriver.ExecutorTx
	tx *sql.Tx
}

func (e *txExecutor) JobInsertFastManyNoReturning(ctx context.Context, params *riverdriver.JobInsertFastManyParams) (int, error) {
	if !simplyNew(params) {
		return e.ExecutorTx.JobInsertFastManyNoReturning(ctx, params)
	}
	return len(params.Jobs), insertMany(e.tx, params)
}

type groupExecutor struct {
	riverdriver.Executor
	driver *sqliteDriver
}

func (e *groupExecutor) JobGetAvailable(ctx context.Context, params *riverdriver.JobGetAvailableParams) (res *riverdriver.JobGetAvailableResult, err error) {
	err = e.inGroup(ctx, func(ctx context.Context, tx *sql.Tx, exec riverdriver.Executor) error {
		if params.Kind != nil {
			res, err = exec.JobGetAvailable(ctx, params)
			return err
		}
		res, err = takeAvailable(tx, params)
		return err
	})
	return res, err
}

func (e *groupExecutor) JobSetStateIfRunningMany(ctx context.Context, params *riverdriver.JobSetStateIfRunningManyParams) (jobs []*rivertype.JobRow, err error) {
	err = e.inGroup(ctx, func(ctx context.Context, tx *sql.Tx, exec riverdriver.Executor) error {
		if simplyDone(params) {
			jobs, err = completeMany(tx, params)
		} else {
			jobs, err = exec.JobSetStateIfRunningMany(ctx, params)
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
