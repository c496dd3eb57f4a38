package db

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"gorm.io/gorm"
)

// SQLite has one writer at a time, and a durable commit costs a flush to the
// disk, however little it holds. So one goroutine writes, and takes everything
// that waits into one transaction: the flush is paid once for all of them
// (group commit), and nobody waits longer than for the commit before theirs.
type groupWriter struct {
	db    *gorm.DB       // one connection; no context, see run
	now   *Tx            // of the function that runs
	check func() error   // that what is committed can be found again
	after func(*gorm.DB) // each commit
	queue chan *write
	done  chan struct{}
}

const (
	// groupSize bounds how many functions share a commit, so that a failing
	// disk fails few of them.
	groupSize = 256
	// queueSize is how many writes may wait before callers block.
	queueSize = 4096
)

// write is one call of InTx: its function, and its place in a group.
type write struct {
	ctx   context.Context
	fn    func(*Tx) error
	tx    *Tx
	err   error
	again bool // it failed on the common way: do the group again, carefully
	done  chan struct{}
}

func newGroupWriter(db *gorm.DB, check func() error, after func(*gorm.DB)) *groupWriter {
	w := &groupWriter{db: db, check: check, after: after, queue: make(chan *write, queueSize), done: make(chan struct{})}
	w.noteWrites(db)
	go w.run()
	return w
}

// noteWrites has GORM note in the Tx that its function has written something, as
// Tx.Write does. A query that begins with another word than SELECT may have.
func (w *groupWriter) noteWrites(c *gorm.DB) {
	note := func(db *gorm.DB) {
		sql := db.Statement.SQL.String()
		w.now.wrote = w.now.wrote || sql != "" && !strings.HasPrefix(sql, "SELECT")
	}
	always := func(*gorm.DB) { w.now.wrote = true }
	const name = "petstore:wrote"
	err := errors.Join(
		c.Callback().Create().Before("gorm:create").Register(name, always),
		c.Callback().Update().Before("gorm:update").Register(name, always),
		c.Callback().Delete().Before("gorm:delete").Register(name, always),
		c.Callback().Raw().Before("gorm:raw").Register(name, note),
		c.Callback().Query().Before("gorm:query").Register(name, note),
		c.Callback().Row().Before("gorm:row").Register(name, note))
	if err != nil {
		panic(err) // the names above are GORM's
	}
}

// do hands fn to the writer and waits for its outcome.
func (w *groupWriter) do(ctx context.Context, fn func(*Tx) error) error {
	job := &write{ctx: ctx, fn: fn, done: make(chan struct{})}
	if err := enqueue(ctx, w.queue, job); err != nil {
		return err
	}
	<-job.done // not ctx: whether it was committed has to be known
	return job.err
}

// enqueue waits for room in a queue, or for the end of ctx.
func enqueue[T any](ctx context.Context, queue chan<- T, item T) error {
	select {
	case queue <- item:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close lets the writes that wait finish.
func (w *groupWriter) close() {
	close(w.queue)
	<-w.done
}

func (w *groupWriter) run() {
	defer close(w.done)
	group := make([]*write, 0, groupSize)
	for first := range w.queue {
		group = gather(append(group[:0], first), w.queue)
		w.commit(group)
		for _, job := range group {
			close(job.done)
		}
		clear(group)
		w.after(w.db)
	}
}

// gather adds to a group what waits already. It never waits for more: a lone write is
// committed at once.
func gather[T any](group []T, queue <-chan T) []T {
	for len(group) < groupSize {
		select {
		case job, open := <-queue:
			if !open {
				return group
			}
			group = append(group, job)
		default:
			return group
		}
	}
	return group
}

// commit stores a group. The common way is one transaction in which nothing
// fails, or what fails has written nothing yet. Should a function fail after it has
// written, all is rolled back and done again with a savepoint around each, so that
// the one that fails takes nothing with it. (A savepoint costs as much as a
// statement or two: too much to set each time.)
func (w *groupWriter) commit(group []*write) {
	if w.transact(group, w.runPlain) {
		return
	}
	w.transact(group, w.runInSavepoint)
}

// transact runs a group in one transaction. It reports false if the group has to
// be done again; then nothing of it is stored.
func (w *groupWriter) transact(group []*write, run func(*gorm.DB, *write) (goOn bool)) (settled bool) {
	if err := w.check(); err != nil {
		fail(group, unavailable(err))
		return true
	}
	// No caller's context: an interrupted statement would roll back the work of
	// everybody in the group (https://www.sqlite.org/c3ref/interrupt.html).
	tx := w.db.Begin()
	if tx.Error != nil {
		fail(group, fmt.Errorf("beginning a transaction: %w", tx.Error))
		return true
	}
	for _, job := range group {
		if job.err = job.ctx.Err(); job.err != nil {
			continue
		}
		job.tx = &Tx{DB: tx}
		w.now = job.tx
		if run(tx, job) {
			continue
		}
		tx.Rollback()
		if len(group) > 1 && job.again {
			return false
		}
		fail(group, job.err)
		return true
	}
	if err := tx.Commit().Error; err != nil {
		tx.Rollback()
		fail(group, fmt.Errorf("committing: %w", err))
		return true
	}
	if err := w.check(); err != nil {
		fail(group, unavailable(err))
		return true
	}
	for _, job := range group {
		if job.err == nil {
			runAfter(job.tx)
		}
	}
	return true
}

// runAfter runs what was asked for after the commit.
func runAfter(tx *Tx) {
	for _, fn := range tx.after {
		fn()
	}
}

// runPlain runs one function; if it fails after it has written, or the database
// fails it, the transaction is of no use any more.
func (w *groupWriter) runPlain(_ *gorm.DB, job *write) (goOn bool) {
	job.err = call(job.fn, job.tx)
	job.again = job.err != nil && (job.tx.wrote || sqliteCode(job.err) != 0)
	return !job.again
}

// runInSavepoint runs one function inside a savepoint of its own. If it fails,
// the others go on, unless the transaction around it is gone: a full disk makes
// SQLite roll all of it back
// (https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction),
// and what is written after that would be kept although its caller is told that
// it failed.
func (w *groupWriter) runInSavepoint(tx *gorm.DB, job *write) (goOn bool) {
	job.again = false
	sqlTx := sqlTx(tx)
	if _, err := sqlTx.Exec("SAVEPOINT one"); err != nil {
		job.err = fmt.Errorf("setting a savepoint: %w", err)
		return false
	}
	if job.err = call(job.fn, job.tx); job.err != nil {
		if _, err := sqlTx.Exec("ROLLBACK TO one"); err != nil {
			job.err = errors.Join(job.err, fmt.Errorf("rolling back to the savepoint: %w", err))
			return false
		}
	}
	if _, err := sqlTx.Exec("RELEASE one"); err != nil {
		job.err = errors.Join(job.err, fmt.Errorf("releasing the savepoint: %w", err))
		return false
	}
	return true
}

// call keeps a panic inside the transaction that it spoils.
func call(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a transaction: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(tx)
}

// fail gives err to all that did not fail by themselves.
func fail(group []*write, err error) {
	for _, job := range group {
		if job.err == nil {
			job.err = err
		}
	}
}
