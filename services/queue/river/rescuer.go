package river

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// serverLocks is the seed of the hash that makes a server's ID the key of its
	// advisory lock. It keeps these keys apart from db.MigrationLock.
	serverLocks = 0x72657363 // "resc"
	// rescueInterval is how often a server looks for jobs of dead ones.
	rescueInterval = 5 * time.Second
	// rescueTimeout bounds one such look, and one attempt to take the lock.
	rescueTimeout = 5 * time.Second
	// relockInterval is the pause between attempts to take a lost lock again.
	relockInterval = time.Second
	// clockSlack is how far PostgreSQL's clock may go back before the waits of jobs are reckoned anew.
	clockSlack = 10 * time.Second
)

// rescuer tells other servers that this one lives, by an advisory lock that
// PostgreSQL frees when the connection that holds it ends, and takes up the jobs
// of those whose lock is free. Without it they would wait an hour for River's own
// rescuer, which goes by time alone. So it is with the deliveries that it had claimed, and
// with its leadership. It also sees to jobs that wait for a time to which the clock was set back.
//
// A server that loses its connection, but lives, may see its jobs run a second
// time beside the first. That costs the work, and both may tell of progress; but
// only one of the two ends the task (models.AdvanceTask), and operations don't do
// twice what is more than work, such as charging, since any run may follow another.
type rescuer struct {
	config *pgx.ConnConfig
	id     string    // of this server, as in river_job.attempted_by and deliveries.claimed_by
	freed  func()    // called when something was taken from a dead server
	conn   *pgx.Conn // holds the lock until it is closed
	cancel context.CancelFunc
	done   sync.WaitGroup
	// What PostgreSQL's clock said, and when that was; zero before the first look.
	clock, looked time.Time
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
			slog.Warn("Work of crashed servers could not be recovered; it is tried again.", "err", err)
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

// rescue makes the jobs and deliveries available that dead servers had claimed. Being
// killed is no error of the job, so the attempt doesn't count.
func (r *rescuer) rescue(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, rescueTimeout)
	defer cancel()
	found := false
	err := pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `SELECT DISTINCT attempted_by[array_upper(attempted_by, 1)] FROM river_job
			WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] <> $1
			UNION SELECT claimed_by FROM deliveries WHERE status = 'pending' AND claimed_by <> '' AND claimed_by <> $1
			UNION SELECT leader_id FROM river_leader WHERE leader_id <> $1`, r.id)
		servers, err := pgx.CollectRows(rows, pgx.RowTo[string]) // with the error of the query, too
		for _, server := range servers {
			freed, rescuing := rescueFrom(ctx, tx, server)
			found = found || freed
			err = errors.Join(err, rescuing)
		}
		if err != nil {
			return err
		}
		return r.noteClock(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("taking up the work of dead servers: %w", err)
	}
	if found {
		r.freed()
	}
	return nil
}

// noteClock reckons the waits of jobs anew when PostgreSQL's clock, by which River fetches them, was set back since the last look.
func (r *rescuer) noteClock(ctx context.Context, tx pgx.Tx) error {
	var now time.Time
	if err := tx.QueryRow(ctx, "SELECT now()").Scan(&now); err != nil {
		return err
	}
	if !r.looked.IsZero() && time.Since(r.looked)-now.Sub(r.clock) < clockSlack {
		r.clock, r.looked = now, time.Now()
		return nil
	}
	// A job waits from when it was stored, or last tried.
	_, err := tx.Exec(ctx, `UPDATE river_job SET scheduled_at = now() + (scheduled_at - greatest(created_at, attempted_at)), created_at = now(), attempted_at = now()
		WHERE state IN ('available', 'scheduled', 'retryable') AND greatest(created_at, attempted_at) > now() + make_interval(secs => $1)`, clockSlack.Seconds())
	if err == nil {
		r.clock, r.looked = now, time.Now()
	}
	return err
}

// rescueFrom holds the server's lock until the end of the transaction.
func rescueFrom(ctx context.Context, tx pgx.Tx, server string) (found bool, err error) {
	var dead bool
	err = tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock(hashtextextended($1, $2))", server, serverLocks).Scan(&dead)
	if err != nil || !dead {
		return false, err
	}
	jobs, err := tx.Exec(ctx, `UPDATE river_job SET state = 'available', attempt = greatest(attempt - 1, 0)
		WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1`, server)
	if err != nil {
		return false, err
	}
	// Its row would keep others from leading until it expires, and what is scheduled waiting for a leader.
	leader, err := tx.Exec(ctx, "DELETE FROM river_leader WHERE leader_id = $1", server)
	if err != nil {
		return false, err
	}
	deliveries, err := tx.Exec(ctx, "UPDATE deliveries SET claimed_by = '' WHERE status = 'pending' AND claimed_by = $1", server)
	if err != nil {
		return false, err
	}
	slog.Info("Work of a crashed server was recovered.", "server", server, "jobs", jobs.RowsAffected(), "leader", leader.RowsAffected() > 0, "deliveries", deliveries.RowsAffected())
	return deliveries.RowsAffected() > 0, nil
}

// disconnect waits until nothing of the connection runs any more.
func disconnect(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), rescueTimeout)
	defer cancel()
	_ = conn.Close(ctx) // PostgreSQL notices, one way or the other
	<-conn.PgConn().CleanupDone()
}
