// Package river runs tasks that several servers share, with River
// (https://riverqueue.com) in the same PostgreSQL database: a job is stored with its
// task, and whichever server is free takes it.
package river

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"petstore/models"
	"petstore/models/db"
	"petstore/services/task"
)

const (
	// fetchPollInterval is how late a retry can be.
	fetchPollInterval = 500 * time.Millisecond
	// fetchCooldown is the pause between two fetches, and between two notifications of new
	// jobs: what is stored less than that after another may wait for the next poll. Groups of
	// writes take longer.
	fetchCooldown = time.Millisecond
	// maxJobErrors is when River gives up on a job that returns errors. The engine
	// gives up long before that, and says so to the client.
	maxJobErrors = 25
	// stopTimeout is how long running work may go on at shutdown before it is
	// interrupted, to be resumed at the next start.
	stopTimeout = 5 * time.Second
	// runTimeout bounds one run.
	runTimeout = 30 * time.Minute
	// maxFresh is how many tasks that were just stored are kept for the jobs that
	// work on them, most of which run in this process.
	maxFresh = 1024
)

// args is the job that works on a task.
type args struct {
	TaskID string `json:"task_id"`
}

// Kind names the job in the queue's table.
func (args) Kind() string { return "task" }

// Queue runs tasks.
type Queue struct {
	client  *river.Client[pgx.Tx]
	engine  *task.Engine
	rescuer *rescuer

	mu    sync.Mutex
	fresh map[string]*models.Task
}

type worker struct {
	river.WorkerDefaults[args]
	queue *Queue
}

func (w *worker) Work(ctx context.Context, job *river.Job[args]) error {
	id := job.Args.TaskID
	fresh := w.queue.take(id)
	if job.Attempt > 1 {
		fresh = nil
	}
	again, err := w.queue.engine.Run(ctx, id, fresh)
	if err == nil && again > 0 {
		return river.JobSnooze(again)
	}
	return err
}

func (w *worker) Timeout(*river.Job[args]) time.Duration { return runTimeout }

// New prepares River's tables, and returns a queue for all operations that engine
// knows. server names this process to others. freed is called when work of a dead
// server was taken over.
func New(ctx context.Context, store *models.Store, engine *task.Engine, server string, freed func()) (*Queue, error) {
	pool, jobs, ok := store.Postgres()
	if !ok {
		return nil, errors.New("the queue of River needs PostgreSQL")
	}
	q := &Queue{engine: engine, fresh: map[string]*models.Task{}}
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{queue: q})
	queues := map[string]river.QueueConfig{}
	for kind, op := range engine.Operations() {
		queues[kind] = river.QueueConfig{MaxWorkers: op.Concurrency} // a queue for each: none keeps another waiting
	}
	config := &river.Config{
		ID: server, Queues: queues, Workers: workers,
		FetchCooldown: fetchCooldown, FetchPollInterval: fetchPollInterval,
		MaxAttempts: maxJobErrors, SoftStopTimeout: stopTimeout,
		Logger: slog.New(quietHandler{slog.Default().Handler()}),
		// The tasks themselves are the record of what was done.
		CompletedJobRetentionPeriod: 10 * time.Minute,
	}
	if err := q.open(ctx, pool, config); err != nil {
		return nil, err
	}
	// GORM's transactions are database/sql's; this client does nothing but insert in them.
	inserter, err := river.NewClient(riverdatabasesql.New(nil), &river.Config{Logger: config.Logger})
	if err != nil {
		return nil, fmt.Errorf("making the queue: %w", err)
	}
	jobs.PGX = func(ctx context.Context, tx pgx.Tx, kinds, ids []string) error {
		_, err := q.client.InsertManyFastTx(ctx, tx, insertParams(kinds, ids))
		return err
	}
	jobs.SQL = func(ctx context.Context, tx *sql.Tx, kinds, ids []string) error {
		_, err := inserter.InsertManyFastTx(ctx, tx, insertParams(kinds, ids))
		return err
	}
	q.rescuer = &rescuer{config: pool.Config().ConnConfig, id: server, freed: freed}
	engine.SetQueue(q)
	return q, nil
}

// open brings River's tables up to date. Replicas that start together do it one after
// another.
func (q *Queue) open(ctx context.Context, pool *pgxpool.Pool, config *river.Config) (err error) {
	lock, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connecting to migrate the queue's tables: %w", err)
	}
	defer lock.Release()
	if _, err := lock.Exec(ctx, "SELECT pg_advisory_lock($1)", db.MigrationLock); err != nil {
		return fmt.Errorf("waiting to migrate the queue's tables: %w", err)
	}
	defer func() {
		_, unlocking := lock.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", db.MigrationLock)
		err = errors.Join(err, unlocking)
	}()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: config.Logger})
	if err != nil {
		return fmt.Errorf("preparing the queue's migrations: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrating the queue's tables: %w", err)
	}
	if q.client, err = river.NewClient(riverpgxv5.New(pool), config); err != nil {
		return fmt.Errorf("making the queue: %w", err)
	}
	return nil
}

func insertParams(kinds, ids []string) []river.InsertManyParams {
	params := make([]river.InsertManyParams, len(ids))
	for i, id := range ids {
		params[i] = river.InsertManyParams{Args: args{id}, InsertOpts: &river.InsertOpts{Queue: kinds[i]}}
	}
	return params
}

// Add stores the job that runs a task with the task.
func (q *Queue) Add(tx *models.Tx, t *models.Task) {
	tx.Enqueue(t.Kind, t.ID)
	tx.AfterCommit(func() { q.put(t) })
}

// Full is never so: waiting jobs are rows, which take no memory here.
func (q *Queue) Full(string) bool { return false }

func (q *Queue) put(t *models.Task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.fresh) >= maxFresh {
		clear(q.fresh) // taken by other servers
	}
	q.fresh[t.ID] = t
}

func (q *Queue) take(id string) *models.Task {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.fresh[id]
	delete(q.fresh, id)
	return t
}

// Start takes up what a process before this one left behind, and begins to work.
func (q *Queue) Start(ctx context.Context) error {
	if err := q.rescuer.start(ctx); err != nil {
		return fmt.Errorf("resuming jobs: %w", err)
	}
	// Not ctx: its end would interrupt work at once, and Stop gives it time.
	if err := q.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("starting the queue: %w", err)
	}
	return nil
}

// Stop takes no more jobs and waits for those that run. After a few seconds
// they are interrupted; the next start resumes them.
func (q *Queue) Stop(ctx context.Context) error {
	defer q.rescuer.stop()
	if err := q.client.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("stopping the queue: %w", err)
	}
	return nil
}

// quietHandler drops River's notes about jobs that fail: those that matter are
// in the log already, with the task's id.
type quietHandler struct{ slog.Handler }

func (h quietHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}
