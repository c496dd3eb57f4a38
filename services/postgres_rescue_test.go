package services

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"petstore/models"
	"petstore/models/postgrestest"
	"petstore/services/task"
)

// disown makes the jobs that run those of a server that holds no lock, as if it
// had been killed.
const disown = "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = '{server_before,server_dead}'"

// TestStartRescues: a server that starts takes up what a dead one was running.
func TestStartRescues(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	dead := newEngine(t, options{url: url, idle: true, operations: quick()})
	rc := newReceiver(t, nil)
	task := dead.begin(rc.URL)
	dead.exec(disown)
	newEngine(t, options{url: url, operations: quick()}).ended(task.ID)
	if a := rc.last(task.ID); a.Status != models.StatusCompleted {
		t.Errorf("got %s", a.Body)
	}
}

// TestClockSetBackOfJobs (reliability 10, another instance): the clock of PostgreSQL is set back a day while the server is away
// that leads the others. Jobs begin at once, or after the rest of their wait; and another server leads (reliability 6).
func TestClockSetBackOfJobs(t *testing.T) {
	t.Parallel() // it waits for seconds
	url := postgrestest.URL(t)
	dead := newEngine(t, options{url: url, idle: true, operations: quick()})
	fresh, tried := dead.begin(""), dead.begin("")
	dead.exec("UPDATE river_job SET created_at = now() + interval '1 day', scheduled_at = now() + interval '1 day'")
	dead.exec(`UPDATE river_job SET state = 'scheduled', attempt = 1, attempted_at = now() + interval '1 day', scheduled_at = now() + interval '1 day 1 second'
		WHERE args->>'task_id' = ?`, tried.ID)
	dead.exec("INSERT INTO river_leader (leader_id, elected_at, expires_at) VALUES ('server_dead', now() + interval '1 day', now() + interval '1 day 15 seconds')")
	e := newEngine(t, options{url: url, operations: quick()})
	e.ended(fresh.ID)
	e.ended(tried.ID)
}

// TestRescueGoesOn: a server that runs does so, too. Here the dead one is not
// quite dead: its run goes on beside the new one. The task ends once; its last
// callback may be sent by both, as the same one.
func TestRescueGoesOn(t *testing.T) {
	t.Parallel() // it waits for seconds
	begun, proceed := make(chan struct{}, 2), make(chan struct{})
	e := newEngine(t, options{url: postgrestest.URL(t), operations: []task.Operation{operation(
		func(context.Context, *models.Task, task.Progress) (any, error) {
			begun <- struct{}{}
			<-proceed
			return nil, nil
		})}})
	rc := newReceiver(t, nil)
	task := e.begin(rc.URL)
	await(t, begun, "the first run")
	e.exec(disown)
	await(t, begun, "the second run")
	var attempt int
	if err := e.store.Read(within(t)).Raw("SELECT attempt FROM river_job").Scan(&attempt).Error; err != nil || attempt != 1 {
		t.Errorf("the second run is attempt %d, want 1: being killed is no error (%v)", attempt, err)
	}
	close(proceed)
	e.ended(task.ID)
	last := rc.last(task.ID)
	e.drain()
	for _, u := range rc.acceptedOf(task.ID) {
		if u.CallbackID != last.CallbackID {
			t.Errorf("two ends of one task: %+v and %s", u, last.Body)
		}
	}
	if updates := e.updates(task.ID); len(updates) != 2 {
		t.Errorf("the updates are %+v, want the first and the last", updates)
	}
}

// TestTheLivingKeepTheirJobs: what a server runs that lives is left to it, also
// after it has lost its lock and taken it again.
func TestTheLivingKeepTheirJobs(t *testing.T) {
	t.Parallel() // it waits for seconds
	url := postgrestest.URL(t)
	begun, proceed := make(chan struct{}, 2), make(chan struct{})
	op := operation(func(context.Context, *models.Task, task.Progress) (any, error) {
		begun <- struct{}{}
		<-proceed
		return nil, nil
	})
	e := newEngine(t, options{url: url, operations: []task.Operation{op}})
	t0 := e.begin("")
	await(t, begun, "the run")
	conn, err := pgx.Connect(within(t), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	cutLock(t, conn)
	newEngine(t, options{url: url, operations: []task.Operation{op}}) // looks for jobs of the dead at its start
	var state string
	if err := e.store.Read(within(t)).Raw("SELECT state FROM river_job").Scan(&state).Error; err != nil || state != "running" {
		t.Errorf("the job is %q, %v", state, err)
	}
	close(proceed)
	e.ended(t0.ID)
	if len(begun) > 0 {
		t.Error("the task was run twice")
	}
}

// cutLock ends the connection of the one other server, and waits until that has
// its lock again.
func cutLock(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	ctx := within(t)
	holder := func() (pid int) {
		err := conn.QueryRow(ctx, `SELECT coalesce(max(pid), 0) FROM pg_locks WHERE locktype = 'advisory' AND granted
			AND pid <> pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&pid)
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	before := holder()
	if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend($1)", before); err != nil {
		t.Fatal(err)
	}
	for now := before; now == before || now == 0; now = holder() {
	}
}
