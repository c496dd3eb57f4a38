package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

const (
	// postgresConnections is how many connections a process uses, unless
	// pool_max_conns in its URL says otherwise.
	postgresConnections = 20
	// writeTimeout bounds a transaction, whose statements no caller can
	// interrupt. It is the time of an outage, not of work.
	writeTimeout = 30 * time.Second
	// maxGivesWay is how often a transaction is tried that deadlocks.
	maxGivesWay = 5
)

// MigrationLock is the key of the advisory lock under which a process changes
// tables, so that replicas that start together do it one after another.
const MigrationLock = 0x70657473 // "pets"

// postgresEngine is a database on a PostgreSQL server, which many processes may
// use. Each transaction has a connection of its own.
type postgresEngine struct {
	connections *pgxpool.Pool
	db          *gorm.DB // the same connections, for GORM
	insertJobs  JobInserter

	closing sync.RWMutex // held for reading during a transaction
	closed  bool
}

func openPostgres(ctx context.Context, url string) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err) // pgx leaves the password out
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = postgresConnections
	}
	config.AfterConnect = readTimesAsUTC
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	connections := stdlib.OpenDBFromPool(pool)
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: connections}), gormConfig())
	if err == nil {
		err = migratePostgres(ctx, db)
	}
	if err != nil {
		err = errors.Join(err, connections.Close())
		pool.Close()
		return nil, fmt.Errorf("opening the database %s on %s: %w", config.ConnConfig.Database, config.ConnConfig.Host, err)
	}
	return &Store{reads: db, engine: &postgresEngine{connections: pool, db: db}}, nil
}

// readTimesAsUTC makes times come back in the zone that they were written in.
func readTimesAsUTC(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

func migratePostgres(ctx context.Context, db *gorm.DB) error {
	return db.WithContext(ctx).Connection(func(conn *gorm.DB) (err error) {
		conn = conn.Session(&gorm.Session{NewDB: true})
		if err := conn.Exec("SELECT pg_advisory_lock(?)", MigrationLock).Error; err != nil {
			return err
		}
		defer func() {
			err = errors.Join(err, conn.Exec("SELECT pg_advisory_unlock(?)", MigrationLock).Error)
		}()
		return migrate(conn)
	})
}

// inTx does fn again if it waited in a circle with another transaction, and
// PostgreSQL chose it to give way: nothing of it is stored then.
func (e *postgresEngine) inTx(ctx context.Context, fn func(*Tx) error) (err error) {
	e.closing.RLock()
	defer e.closing.RUnlock()
	if e.closed {
		return errClosed
	}
	for range maxGivesWay {
		if err = e.try(ctx, fn); !gaveWay(err) {
			break
		}
	}
	return err
}

// gaveWay reports whether an error is a deadlock or, where the server's default
// isolation is stricter than ours, a failure to serialize
// (https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html).
func gaveWay(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && (server.Code == "40P01" || server.Code == "40001")
}

func (e *postgresEngine) try(ctx context.Context, fn func(*Tx) error) error {
	var tx *Tx
	var committed func()
	begun := false
	err := e.db.WithContext(ctx).Connection(func(conn *gorm.DB) (err error) {
		begun = true
		// From here on not ctx: whether it was committed has to be known.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
		defer cancel()
		tx = &Tx{DB: conn.Session(&gorm.Session{NewDB: true, Context: ctx})}
		committed, err = e.run(ctx, tx, fn)
		return err
	})
	if err != nil {
		if !begun && ctx.Err() == nil {
			err = unavailable(err)
		}
		return err
	}
	for _, after := range tx.after {
		after()
	}
	if committed != nil {
		committed()
	}
	return nil
}

// run runs fn and commits. GORM and the queue's driver use one connection, each
// in its own way, so both are inside the same transaction.
func (e *postgresEngine) run(ctx context.Context, tx *Tx, fn func(*Tx) error) (committed func(), err error) {
	conn, err := pgxConn(tx.DB)
	if err != nil {
		return nil, err
	}
	pgxTx, err := conn.Begin(ctx)
	if err != nil {
		return nil, unavailable(fmt.Errorf("beginning a transaction: %w", err))
	}
	tx.queueTx = pgxTx
	if err = call(fn, tx); err == nil {
		committed, err = e.queueJobs(ctx, tx)
	}
	if err != nil {
		if undo := pgxTx.Rollback(ctx); undo != nil { // the server does it when the connection is gone
			err = errors.Join(err, fmt.Errorf("rolling back: %w", undo))
		}
		return nil, err
	}
	if err := pgxTx.Commit(ctx); err != nil {
		return nil, fmt.Errorf("committing: %w", err)
	}
	return committed, nil
}

// pgxConn is the connection beneath a GORM session that has one to itself.
func pgxConn(db *gorm.DB) (conn *pgx.Conn, err error) {
	own, ok := db.Statement.ConnPool.(*sql.Conn)
	if !ok {
		return nil, fmt.Errorf("a connection was expected, not a %T", db.Statement.ConnPool)
	}
	err = own.Raw(func(beneath any) error {
		c, ok := beneath.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a connection of pgx was expected, not a %T", beneath)
		}
		conn = c.Conn()
		return nil
	})
	return conn, err
}

func (e *postgresEngine) queueJobs(ctx context.Context, tx *Tx) (committed func(), err error) {
	if len(tx.jobs) == 0 {
		return nil, nil
	}
	if e.insertJobs == nil {
		return nil, errNoQueue
	}
	if committed, err = e.insertJobs(ctx, tx.queueTx, tx.jobs); err != nil {
		return nil, fmt.Errorf("queueing jobs: %w", err)
	}
	return committed, nil
}

func (e *postgresEngine) pool() any { return e.connections }

func (e *postgresEngine) setInserter(insert JobInserter) { e.insertJobs = insert }

func (e *postgresEngine) close() error {
	e.closing.Lock()
	defer e.closing.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	db, err := e.db.DB()
	if err == nil {
		err = db.Close()
	}
	e.connections.Close()
	return err
}

// postgresFailure sorts the failures of a server from those of one statement,
// by the class of its code (https://www.postgresql.org/docs/current/errcodes-appendix.html).
func postgresFailure(err error) failure {
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case server.Code == "53100":
			return failureFull
		case server.Code == "25006": // a standby
			return failureUnavailable
		case len(server.Code) != 5:
			return failureOther
		}
		switch server.Code[:2] {
		case "08", "28", "3D", "40", "53", "55", "57", "58", "F0", "XX":
			return failureUnavailable
		}
		return failureOther
	}
	var network *net.OpError
	var connecting *pgconn.ConnectError
	if errors.As(err, &network) || errors.As(err, &connecting) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return failureUnavailable
	}
	return failureOther
}
