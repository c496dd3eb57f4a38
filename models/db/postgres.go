package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
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
	// maxDeadlockRetries is how often a transaction is tried that deadlocks.
	maxDeadlockRetries = 5
)

// MigrationLock is the key of the advisory lock under which a process changes
// tables, so that replicas that start together do it one after another.
const MigrationLock = 0x70657473 // "pets"

// postgresEngine is a database on a PostgreSQL server, which many processes may
// use.
type postgresEngine struct {
	connections *pgxpool.Pool
	db          *gorm.DB // the same connections, for GORM
	groups      *groups
	jobs        *JobInserters
}

// JobInserters put jobs that work on tasks into the queue, inside a transaction:
// the same for either way to have one.
type JobInserters struct {
	PGX func(ctx context.Context, tx pgx.Tx, kinds, taskIDs []string) error
	SQL func(ctx context.Context, tx *sql.Tx, kinds, taskIDs []string) error
}

// Postgres is what a queue needs that keeps its jobs in the same database: its
// connections, and where to say how jobs are inserted. ok is false on SQLite.
func (s *Store) Postgres() (pool *pgxpool.Pool, jobs *JobInserters, ok bool) {
	e, ok := s.engine.(*postgresEngine)
	if !ok {
		return nil, nil, false
	}
	return e.connections, e.jobs, true
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
	jobs := &JobInserters{}
	return storeOn(db, &postgresEngine{connections: pool, db: db, groups: newGroups(pool, jobs), jobs: jobs}), nil
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

// inTx runs fn in a group, or alone if it can't share one.
func (e *postgresEngine) inTx(ctx context.Context, fn func(*Tx) error) error {
	err := e.groups.do(ctx, e.db, fn)
	if errors.Is(err, errNotPipelined) || errors.Is(err, errGroupAborted) {
		return e.runAlone(context.WithoutCancel(ctx), fn) // its turn had come
	}
	return err
}

// runAlone does fn again if it met a deadlock, and PostgreSQL chose it to give way:
// nothing of it is stored then.
func (e *postgresEngine) runAlone(ctx context.Context, fn func(*Tx) error) (err error) {
	for range maxDeadlockRetries {
		if err = e.try(ctx, fn); !isSerializationFailure(err) {
			break
		}
	}
	return err
}

func (e *postgresEngine) waiting() float64 { return float64(len(e.groups.queue)) / queueSize }

func (e *postgresEngine) ping(ctx context.Context) error { return e.connections.Ping(ctx) }

// tryWrite updates the rows that say which migrations were made, as they are.
func (e *postgresEngine) tryWrite(tx *Tx) error {
	return tx.Exec("UPDATE migrations SET id = id").Error
}

// isSerializationFailure reports whether an error is a deadlock or, where the server's default
// isolation is stricter than ours, a failure to serialize
// (https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html).
func isSerializationFailure(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && (server.Code == "40P01" || server.Code == "40001")
}

func (e *postgresEngine) try(ctx context.Context, fn func(*Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	db := e.db.WithContext(ctx).Begin()
	if db.Error != nil {
		return unavailable(fmt.Errorf("beginning a transaction: %w", db.Error))
	}
	tx := &Tx{DB: db}
	err := call(fn, tx)
	if err == nil && len(tx.jobs.ids) > 0 {
		err = e.jobs.SQL(ctx, sqlTx(db), tx.jobs.kinds, tx.jobs.ids)
	}
	if err != nil {
		if undo := db.Rollback().Error; undo != nil { // the server does it when the connection is gone
			err = errors.Join(err, fmt.Errorf("rolling back: %w", undo))
		}
		return err
	}
	if err := db.Commit().Error; err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	runAfter(tx)
	return nil
}

func (e *postgresEngine) close() error {
	e.groups.close()
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
