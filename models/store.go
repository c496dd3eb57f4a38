package models

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
)

// Store is the database: one pool to read from, one way to write.
type Store struct {
	reads  *gorm.DB
	engine engine
}

// engine is what differs between SQLite and PostgreSQL.
type engine interface {
	// inTx runs fn in a transaction and returns when that is durable.
	inTx(ctx context.Context, fn func(*Tx) error) error
	// pool is the connection pool that the queue works on.
	pool() any
	// setInserter says who puts the jobs of Tx.Enqueue into the queue.
	setInserter(insert JobInserter)
	close() error
}

// Job asks the queue to work on a task, on a delivery, or on what is replayed to a
// webhook. Exactly one of the fields is set.
type Job struct {
	TaskID     string
	DeliveryID string
	WebhookID  string
}

// JobInserter puts jobs into the queue inside a transaction, which is a
// *sql.Tx on SQLite and a pgx.Tx on PostgreSQL, and returns what to do once that
// transaction is durable: waking the workers.
type JobInserter func(ctx context.Context, tx any, jobs []Job) (committed func(), err error)

// Tx is a transaction. It ends when the function that was given it returns.
type Tx struct {
	*gorm.DB
	queueTx any
	jobs    []Job
	after   []func()
}

// Enqueue asks for a job that becomes visible to workers with everything else
// that this transaction writes.
func (tx *Tx) Enqueue(job Job) { tx.jobs = append(tx.jobs, job) }

// AfterCommit asks for fn to be called once this transaction is durable, before
// InTx returns. On SQLite such functions run one at a time, in the order of the
// transactions. fn must not block.
func (tx *Tx) AfterCommit(fn func()) { tx.after = append(tx.after, fn) }

// ForUpdate returns a session whose queries keep others from changing what they
// have read until this transaction ends: for changes that depend on it. On
// SQLite, where there is one writer, that is so anyway.
func (tx *Tx) ForUpdate() *gorm.DB { return tx.Clauses(clause.Locking{Strength: "UPDATE"}) }

// forUpdate tells statements written by hand what GORM does by itself.
func forUpdate(db *gorm.DB) bool {
	_, locking := db.Statement.Clauses["FOR"]
	return locking && db.Name() == "postgres"
}

// lock keeps others from changing a row until this transaction ends, as ForUpdate
// does, but reads nothing. Queries after it see what those have done who held the
// row before; one query that joins tables and locks would see their row as it is
// now beside other rows as they were
// (https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED).
//
// Whoever locks rows of several tables does it in this order, so that nobody waits
// in a circle: task, payment, order.
func (tx *Tx) lock(table, id string) error {
	if tx.Name() != "postgres" {
		return nil
	}
	if _, err := tx.exec("SELECT 1 FROM "+table+" WHERE id = ? FOR UPDATE", id); err != nil {
		return fmt.Errorf("locking %s in %s: %w", id, table, err)
	}
	return nil
}

// QueueTx is the transaction as the queue's driver knows it: a *sql.Tx on
// SQLite, a pgx.Tx on PostgreSQL.
func (tx *Tx) QueueTx() any { return tx.queueTx }

// exec runs a statement that is on the way of every order, without GORM's
// building of it. Its placeholders are ?.
func (tx *Tx) exec(query string, args ...any) (rows int64, err error) {
	res, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, rebind(tx.DB, query), args...)
	if err != nil {
		return 0, translate(tx.DB, err)
	}
	return res.RowsAffected()
}

// insert is exec for a row whose id the database gives. SQLite knows that id
// anyway, and RETURNING costs it as much as the row itself.
func (tx *Tx) insert(query string, args ...any) (id int64, err error) {
	if tx.Name() != "sqlite" {
		err = queryRow(tx.DB, query+" RETURNING id", args...).Scan(&id)
		return id, translate(tx.DB, err)
	}
	res, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, query, args...)
	if err != nil {
		return 0, translate(tx.DB, err)
	}
	return res.LastInsertId()
}

// queryRow is exec for a statement that answers one row.
func queryRow(db *gorm.DB, query string, args ...any) *sql.Row {
	return db.Statement.ConnPool.QueryRowContext(db.Statement.Context, rebind(db, query), args...)
}

// queryRows is exec for a statement that answers rows.
func queryRows(db *gorm.DB, query string, args ...any) (*sql.Rows, error) {
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
// postgres:// URL. Whoever uses Enqueue must call SetJobInserter first.
func Open(ctx context.Context, url string) (*Store, error) {
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return openPostgres(ctx, url)
	}
	return openSQLite(ctx, url)
}

// Close waits for writes under way, and closes the database.
func (s *Store) Close() error {
	if err := s.engine.close(); err != nil {
		return fmt.Errorf("closing the database: %w", err)
	}
	return nil
}

// Shared reports whether other processes may write to the database, too.
func (s *Store) Shared() bool { return s.reads.Name() == "postgres" }

// Pool is the pool for the queue's own statements: a *sql.DB with a single
// connection on SQLite, a *pgxpool.Pool on PostgreSQL.
func (s *Store) Pool() any { return s.engine.pool() }

// SetJobInserter says who puts jobs into the queue. It must be called before
// the first InTx that enqueues.
func (s *Store) SetJobInserter(insert JobInserter) { s.engine.setInserter(insert) }

// Read returns a session for queries. It sees what has been committed.
func (s *Store) Read(ctx context.Context) *gorm.DB { return s.reads.WithContext(ctx) }

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	db, err := s.reads.DB()
	if err == nil {
		err = db.PingContext(ctx)
	}
	return storeError(err)
}

// InTx runs fn in a transaction: the only way to write. When it returns nil all
// that fn wrote is durable, its jobs are queued, and its AfterCommit functions
// have run; when it returns an error nothing of it is stored.
//
// fn must use only the Tx it is given, must not call InTx, and must do no
// network call: others wait for it. It may be run twice, the first time for
// nothing, so it must not change what it reads outside. It runs to its end even if ctx is cancelled
// meanwhile; a ctx that is cancelled before its turn comes is an error.
func (s *Store) InTx(ctx context.Context, fn func(tx *Tx) error) error {
	return storeError(s.engine.inTx(ctx, fn))
}

// gormConfig is how GORM is used throughout: transactions are ours, statements
// are prepared by the drivers' own caches (GORM's would hide the *sql.Tx that
// the queue needs), and errors are the callers' to log.
func gormConfig() *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		TranslateError:         true,
		NowFunc:                Now,
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
