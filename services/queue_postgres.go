package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"petstore/models"
)

const (
	// serverLocks is the seed of the hash that makes a server's ID the key of its
	// advisory lock. It keeps these keys apart from models.MigrationLock.
	serverLocks = 0x72657363 // "resc"
	// rescueInterval is how often a server looks for jobs of dead ones.
	rescueInterval = 5 * time.Second
	// rescueTimeout bounds one such look, and one attempt to take the lock.
	rescueTimeout = 5 * time.Second
	// relockInterval is the pause between attempts to take a lost lock again.
	relockInterval = time.Second
)

// newPostgresQueue lets River listen to the server for new jobs. Replicas that
// start together migrate one after another.
func newPostgresQueue(ctx context.Context, pool *pgxpool.Pool, config *river.Config, store *models.Store) (queue *Queue, err error) {
	lock, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to migrate the queue's tables: %w", err)
	}
	defer lock.Release()
	if _, err := lock.Exec(ctx, "SELECT pg_advisory_lock($1)", models.MigrationLock); err != nil {
		return nil, fmt.Errorf("waiting to migrate the queue's tables: %w", err)
	}
	defer func() {
		_, unlocking := lock.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", models.MigrationLock)
		err = errors.Join(err, unlocking)
	}()
	config.ID = models.NewID("server_")
	client, err := newClient(ctx, riverpgxv5.New(pool), config)
	if err != nil {
		return nil, err
	}
	store.SetJobInserter(func(ctx context.Context, tx any, jobs []models.Job) (func(), error) {
		pgxTx, ok := tx.(pgx.Tx)
		if !ok {
			return nil, fmt.Errorf("a transaction of pgx was expected, not a %T", tx)
		}
		params := make([]river.InsertManyParams, len(jobs))
		for i, job := range jobs {
			params[i] = insertParams(job)
		}
		_, err := client.InsertManyFastTx(ctx, pgxTx, params)
		return func() {}, err
	})
	r := &rescuer{config: pool.Config().ConnConfig, id: config.ID}
	return &Queue{client: client, resume: r.start, release: r.stop}, nil
}

// rescuer tells other servers that this one lives, by an advisory lock that
// PostgreSQL frees when the connection that holds it ends, and takes up the jobs
// of those whose lock is free. Without it they would wait an hour for River's own
// rescuer, which goes by time alone. Claims on deliveries name no owner, and are
// left to the end of their lease.
//
// A server that loses its connection, but lives, may see its jobs run a second
// time beside the first. That costs the work, and both may tell of progress; but
// only one of the two ends the task (models.AdvanceTask), and operations don't do
// twice what is more than work, such as charging, since any run may follow another.
type rescuer struct {
	config *pgx.ConnConfig
	id     string    // of this server, as in river_job.attempted_by
	conn   *pgx.Conn // holds the lock until it is closed
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// start takes the lock, before this server runs its first job.
func (r *rescuer) start(ctx context.Context) error {
	if err := r.lock(ctx); err != nil {
		return err
	}
	if err := r.rescue(ctx); err != nil {
		disconnect(r.conn)
		return err
	}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.done.Go(func() { r.run(ctx) })
	return nil
}

// stop frees the lock, after this server's last job.
func (r *rescuer) stop() {
	if r.cancel != nil {
		r.cancel()
	}
	r.done.Wait()
}

func (r *rescuer) run(ctx context.Context) {
	defer func() { disconnect(r.conn) }()
	failing := false
	for {
		r.pause(ctx)
		if ctx.Err() != nil {
			return
		}
		err := r.turn(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			slog.Warn("Jobs of dead servers are not taken up at the moment.", "err", err)
		}
		failing = err != nil
	}
}

// pause ends early when the connection is lost, which waiting for a notification,
// of which there are none, notices at once.
func (r *rescuer) pause(ctx context.Context) {
	if r.conn.IsClosed() {
		ctx, cancel := context.WithTimeout(ctx, relockInterval)
		defer cancel()
		<-ctx.Done()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, rescueInterval)
	defer cancel()
	_, _ = r.conn.WaitForNotification(ctx)
}

// turn looks for jobs to rescue. After the lock was lost it waits until the next
// turn: if it was PostgreSQL that failed, the others have to take theirs again, too.
func (r *rescuer) turn(ctx context.Context) error {
	if !r.conn.IsClosed() {
		return r.rescue(ctx)
	}
	lost := r.conn
	if err := r.lock(ctx); err != nil {
		return err
	}
	disconnect(lost)
	return nil
}

// lock takes the lock, on a connection that PostgreSQL gives up within half a
// minute should this machine vanish without a word.
func (r *rescuer) lock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, rescueTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, r.config)
	if err != nil {
		return fmt.Errorf("connecting to lock the server's ID: %w", err)
	}
	_, err = conn.Exec(ctx, `SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),
		set_config('tcp_keepalives_count', '3', false), pg_advisory_lock(hashtextextended($1, $2))`, r.id, serverLocks)
	if err != nil {
		disconnect(conn)
		return fmt.Errorf("locking the server's ID: %w", err)
	}
	r.conn = conn
	return nil
}

// rescue makes the jobs available that dead servers were running. Being killed is
// no error of the job, so the attempt doesn't count.
func (r *rescuer) rescue(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, rescueTimeout)
	defer cancel()
	err := pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `SELECT DISTINCT attempted_by[array_upper(attempted_by, 1)] FROM river_job
			WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] <> $1`, r.id)
		servers, err := pgx.CollectRows(rows, pgx.RowTo[string]) // with the error of the query, too
		for _, server := range servers {
			err = errors.Join(err, rescueFrom(ctx, tx, server))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("taking up the jobs of dead servers: %w", err)
	}
	return nil
}

// rescueFrom holds the server's lock until the end of the transaction.
func rescueFrom(ctx context.Context, tx pgx.Tx, server string) error {
	var dead bool
	err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock(hashtextextended($1, $2))", server, serverLocks).Scan(&dead)
	if err != nil || !dead {
		return err
	}
	rescued, err := tx.Exec(ctx, `UPDATE river_job SET state = 'available', attempt = greatest(attempt - 1, 0)
		WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1`, server)
	if err == nil {
		slog.Info("Jobs of a dead server are taken up.", "server", server, "jobs", rescued.RowsAffected())
	}
	return err
}

// disconnect waits until nothing of the connection runs any more.
func disconnect(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), rescueTimeout)
	defer cancel()
	_ = conn.Close(ctx) // PostgreSQL notices, one way or the other
	<-conn.PgConn().CleanupDone()
}
