package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
)

// Store is the database: one pool to read from, one way to write.
type Store struct {
	reads     *gorm.DB
	expensive *semaphore.Weighted
	engine    engine

	failing atomic.Bool // the last write, for want of room or of a database

	closing sync.RWMutex // held for reading during a transaction
	closed  bool
}

var errClosed = errors.New("the store is closed")

const (
	// maxExpensive is how many expensive reads run side by side: fewer than there are
	// connections, so that reads of one row find one.
	maxExpensive = 2
	// expensiveTimeout bounds an expensive read, its turn included.
	expensiveTimeout = 5 * time.Second
	// expensiveLeast is how much of that is left when one begins. SQLite's driver interrupts a query once, which is lost
	// on one that is about to begin: that would go on for ever.
	expensiveLeast = time.Second
)

// engine is what differs between SQLite and PostgreSQL.
type engine interface {
	// inTx runs fn in a transaction and returns when that is durable.
	inTx(ctx context.Context, fn func(*Tx) error) error
	// waiting is how full the queue of those is who want to write, from 0 to 1.
	waiting() float64
	// ping says whether the database can be read, and as far as that can be seen, written.
	ping(ctx context.Context) error
	// tryWrite writes something that changes nothing.
	tryWrite(tx *Tx) error
	close() error
}

// Tx is a transaction. It ends when the function that was given it returns.
type Tx struct {
	*gorm.DB
	pipeline *pipeline // of a group on PostgreSQL, see postgres_group.go
	jobs     jobs
	after    []func()
	wrote    bool
}

// jobs are to be inserted: the kinds and ids of tasks.
type jobs struct{ kinds, ids []string }

// Enqueue asks for a job that works on a task, of a queue that keeps its jobs in the
// database: it is stored with everything else that this transaction writes.
func (tx *Tx) Enqueue(kind, taskID string) {
	tx.jobs.kinds, tx.jobs.ids = append(tx.jobs.kinds, kind), append(tx.jobs.ids, taskID)
}

// AfterCommit asks for fn to be called once this transaction is durable, before
// InTx returns. On SQLite such functions run one at a time, in the order of the
// transactions. fn must not block.
func (tx *Tx) AfterCommit(fn func()) { tx.after = append(tx.after, fn) }

// InGroup reports whether tx shares its transaction with others, see postgres_group.go.
func (tx *Tx) InGroup() bool { return tx.pipeline != nil }

// ForUpdate returns a session whose queries keep others from changing what they
// have read until this transaction ends: for changes that depend on it. On
// SQLite, where there is one writer, that is so anyway.
func (tx *Tx) ForUpdate() *gorm.DB { return tx.Clauses(clause.Locking{Strength: "UPDATE"}) }

// Lock keeps others from changing a row until this transaction ends, as ForUpdate
// does, but reads nothing. Queries after it see what those have done who held the
// row before; one query that joins tables and locks would see their row as it is
// now beside other rows as they were
// (https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED).
//
// Whoever locks rows of several tables does it in this order, so that no two
// transactions wait for each other (deadlock): task, payment, order, product.
func (tx *Tx) Lock(table, id string) error {
	if tx.Name() != "postgres" {
		return nil
	}
	// By GORM's connection: in a group, whose functions share one transaction, a lock
	// would keep them apart from others, but not from each other.
	err := tx.DB.Exec("SELECT 1 FROM "+table+" WHERE id = ? FOR UPDATE", id).Error
	if err != nil {
		return fmt.Errorf("locking %s in %s: %w", id, table, err)
	}
	return nil
}

// LockAll locks rows in the order of their ids.
func (tx *Tx) LockAll(table string, ids []string) error {
	if tx.Name() != "postgres" {
		return nil
	}
	if tx.pipeline != nil {
		return tx.pipeline.lockAll(table, ids)
	}
	err := tx.DB.Exec("SELECT 1 FROM "+table+" WHERE id IN ? ORDER BY id FOR UPDATE", ids).Error
	if err != nil {
		return fmt.Errorf("locking %d rows of %s: %w", len(ids), table, err)
	}
	return nil
}

// Write runs a statement that is on the way of every order, without GORM's
// building of it. Its placeholders are ?.
func (tx *Tx) Write(query string, args ...any) (rows int64, err error) {
	if tx.pipeline != nil {
		return tx.pipeline.exec(tx, rebind(tx.DB, query), args)
	}
	res, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, rebind(tx.DB, query), args...)
	if err != nil {
		return 0, translate(tx.DB, err)
	}
	rows, err = res.RowsAffected()
	tx.wrote = tx.wrote || rows > 0
	return rows, err
}

// Insert is Write for a row whose id the database gives. SQLite knows that id
// anyway, and RETURNING costs it as much as the row itself.
func (tx *Tx) Insert(query string, args ...any) (id int64, err error) {
	if tx.Name() != "sqlite" {
		err = tx.QueryRow(query+" RETURNING id", args...).Scan(&id)
		return id, translate(tx.DB, err)
	}
	res, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, query, args...)
	if err != nil {
		return 0, translate(tx.DB, err)
	}
	tx.wrote = true
	return res.LastInsertId()
}

// Row is what a statement answers that answers one row, such as a *sql.Row.
type Row interface{ Scan(dest ...any) error }

// QueryRow is Write for a statement that answers one row.
func (tx *Tx) QueryRow(query string, args ...any) Row {
	if tx.pipeline != nil {
		return tx.pipeline.queryRow(tx, rebind(tx.DB, query), args)
	}
	tx.wrote = tx.wrote || !strings.HasPrefix(query, "SELECT")
	return QueryRow(tx.DB, query, args...)
}

// QueryRow is Tx.QueryRow outside of transactions.
func QueryRow(db *gorm.DB, query string, args ...any) *sql.Row {
	return db.Statement.ConnPool.QueryRowContext(db.Statement.Context, rebind(db, query), args...)
}

// QueryRows is QueryRow for a statement that answers rows.
func QueryRows(db *gorm.DB, query string, args ...any) (*sql.Rows, error) {
	return db.Statement.ConnPool.QueryContext(db.Statement.Context, rebind(db, query), args...)
}

// translate turns a driver's error into GORM's, as GORM itself does.
func translate(db *gorm.DB, err error) error {
	if t, ok := db.Dialector.(gorm.ErrorTranslator); ok {
		return t.Translate(err)
	}
	return err
}

var rebound sync.Map // query with ? → query with $1, $2, …

// rebind writes a query's placeholders as the engine wants them.
func rebind(db *gorm.DB, query string) string {
	if db.Name() == "sqlite" {
		return query
	}
	if known, ok := rebound.Load(query); ok {
		return known.(string) //nolint:forcetypeassert // only strings are stored
	}
	var b strings.Builder
	for i, part := range strings.Split(query, "?") {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	rebound.Store(query, b.String())
	return b.String()
}

// Open opens the database that url names, brings its tables up to date, and on
// SQLite takes the file for this process alone.
//
// url is the path of an SQLite file, which is made when it is missing, or a
// postgres:// URL.
func Open(ctx context.Context, url string) (*Store, error) {
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return openPostgres(ctx, url)
	}
	return openSQLite(ctx, url)
}

func storeOn(reads *gorm.DB, e engine) *Store {
	return &Store{reads: reads, expensive: semaphore.NewWeighted(maxExpensive), engine: e}
}

// Close waits for writes under way, and closes the database.
func (s *Store) Close() error {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.engine.close(); err != nil {
		return fmt.Errorf("closing the database: %w", err)
	}
	return nil
}

// Shared reports whether other processes may write to the database, too.
func (s *Store) Shared() bool { return s.reads.Name() == "postgres" }

// Read returns a session for queries. It sees what has been committed.
func (s *Store) Read(ctx context.Context) *gorm.DB { return s.reads.WithContext(ctx) }

// LimitedRead runs a query that may take long, such as that of a list. Few of them run side
// by side, and not for long, nor beside so much that is written that the log grows too long (Snapshot):
// beyond that the error is one with CodeOverloaded.
func (s *Store) LimitedRead(ctx context.Context, query func(db *gorm.DB) error) error {
	reading, cancel := context.WithTimeout(ctx, expensiveTimeout)
	defer cancel()
	waiting, stop := context.WithTimeout(ctx, expensiveTimeout-expensiveLeast)
	defer stop()
	err := s.expensive.Acquire(waiting, 1)
	tooLong := false
	if err == nil {
		err = func() error {
			defer s.expensive.Release(1) // also if it panics
			reading, leave := s.enterLog(reading)
			defer leave()
			err := query(s.Read(reading))
			tooLong = reading.Err() != nil
			return err
		}()
	}
	if err != nil && ctx.Err() == nil && (tooLong || errors.Is(err, context.DeadlineExceeded)) {
		return &Error{Code: CodeOverloaded, Message: "Reading this takes too long at the moment. Try again later, or ask for less.", Err: err}
	}
	return err
}

// Ping says whether the database can be read and written. If the last write has failed, it tries another.
func (s *Store) Ping(ctx context.Context) error {
	err := Explain(s.engine.ping(ctx))
	if err == nil && s.failing.Load() {
		err = s.InTx(ctx, s.engine.tryWrite)
	}
	return err
}

// Overloaded reports whether so many wait to write that whoever asks for more work
// had better come back later.
func (s *Store) Overloaded() bool { return s.engine.waiting() > 0.75 }

// InTx runs fn in a transaction: the only way to write. When it returns nil all
// that fn wrote is durable, its jobs are queued, and its AfterCommit functions
// have run; when it returns an error nothing of it is stored.
//
// fn must use only the Tx it is given, must not call InTx, and must do no
// network call: others wait for it. It may be run twice, the first time for
// nothing, so it must not change what it reads outside. It runs to its end even if ctx is cancelled
// meanwhile; a ctx that is cancelled before its turn comes is an error.
func (s *Store) InTx(ctx context.Context, fn func(tx *Tx) error) error {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closed {
		return errClosed
	}
	err := Explain(s.engine.inTx(ctx, fn))
	s.noteOutcome(err)
	return err
}

func (s *Store) noteOutcome(err error) {
	var known *Error
	if errors.As(err, &known) && (known.Code == CodeFull || known.Code == CodeUnavailable) {
		s.failing.Store(true)
	} else if err == nil && s.failing.Load() {
		s.failing.Store(false)
	}
}

// gormConfig is how GORM is used throughout: transactions are ours, statements
// are prepared by the drivers' own caches, and errors are the callers' to log.
func gormConfig() *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		TranslateError:         true,
		NowFunc:                func() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }, // as models.Now
		// Errors are returned, wrapped and logged once, with the request or task
		// that they belong to. GORM's own logger would format every statement.
		Logger: logger.Discard,
	}
}

// sqlTx is the database/sql transaction beneath a GORM one.
func sqlTx(db *gorm.DB) *sql.Tx {
	tx, _ := db.Statement.ConnPool.(*sql.Tx)
	return tx
}
