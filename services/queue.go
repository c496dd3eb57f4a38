package services

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"

	"petstore/models"
)

// The queues. Retries have one of their own, so that however many of them wait
// for a dead receiver, new work is taken at once.
const (
	queueTasks      = "tasks"
	queueDeliveries = "deliveries"
)

const (
	// maxWorkers is how many jobs of one queue run at once. A job mostly waits,
	// for a step, for a receiver, or for a place among its kind.
	maxWorkers = 4000
	// fetchPollInterval is how late a retry can be.
	fetchPollInterval = 200 * time.Millisecond
	// maxJobErrors is when River gives up on a job that returns errors. Tasks
	// gives up long before that, and says so to the client.
	maxJobErrors = 25
	// stopPatience is how long running work may go on at shutdown before it is
	// interrupted, to be resumed at the next start.
	stopPatience = 5 * time.Second
)

// taskArgs is the job that works on a task.
type taskArgs struct {
	TaskID string `json:"task_id"`
}

// Kind names the job in the queue's table.
func (taskArgs) Kind() string { return "task" }

// deliveryArgs is the job that tries a delivery again.
type deliveryArgs struct {
	DeliveryID string `json:"delivery_id"`
}

// Kind names the job in the queue's table.
func (deliveryArgs) Kind() string { return "delivery" }

// replayArgs is the job that sends what is replayed to a webhook.
type replayArgs struct {
	WebhookID string `json:"webhook_id"`
}

// Kind names the job in the queue's table.
func (replayArgs) Kind() string { return "replay" }

type taskWorker struct {
	river.WorkerDefaults[taskArgs]
	tasks *Tasks
}

func (w *taskWorker) Work(ctx context.Context, job *river.Job[taskArgs]) error {
	return w.tasks.work(ctx, job.Args.TaskID, run{errors: job.Attempt - 1, starts: len(job.AttemptedBy)})
}

func (w *taskWorker) Timeout(*river.Job[taskArgs]) time.Duration { return 30 * time.Minute }

type deliveryWorker struct {
	river.WorkerDefaults[deliveryArgs]
	courier *Courier
}

func (w *deliveryWorker) Work(ctx context.Context, job *river.Job[deliveryArgs]) error {
	wait, err := w.courier.retry(ctx, job.Args.DeliveryID)
	if err == nil && wait > 0 {
		return river.JobSnooze(wait)
	}
	return err
}

type replayWorker struct {
	river.WorkerDefaults[replayArgs]
	courier *Courier
}

func (w *replayWorker) Work(ctx context.Context, job *river.Job[replayArgs]) error {
	wait, err := w.courier.replay(ctx, job.Args.WebhookID)
	if err == nil && wait > 0 {
		return river.JobSnooze(wait)
	}
	return err
}

func (w *replayWorker) Timeout(*river.Job[replayArgs]) time.Duration { return 30 * time.Minute }

// Queue runs jobs with River, in the same database as everything else.
type Queue struct {
	client interface {
		Start(ctx context.Context) error
		Stop(ctx context.Context) error
	}
	resume  func(ctx context.Context) error // before the first job
	release func()                          // after the last
}

// NewQueue prepares the queue's tables and makes it the place where the store's
// jobs go. Start begins to work on them.
func NewQueue(ctx context.Context, store *models.Store, tasks *Tasks, courier *Courier) (*Queue, error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &taskWorker{tasks: tasks})
	river.AddWorker(workers, &deliveryWorker{courier: courier})
	river.AddWorker(workers, &replayWorker{courier: courier})
	config := &river.Config{
		Queues: map[string]river.QueueConfig{
			queueTasks:      {MaxWorkers: maxWorkers},
			queueDeliveries: {MaxWorkers: maxWorkers},
		},
		Workers:           workers,
		FetchCooldown:     time.Millisecond, // under load; a lone job is fetched at once
		FetchPollInterval: fetchPollInterval,
		MaxAttempts:       maxJobErrors,
		SoftStopTimeout:   stopPatience,
		Logger:            slog.New(quietHandler{slog.Default().Handler()}),
		// The tasks and deliveries themselves are the record of what was done.
		CompletedJobRetentionPeriod: 10 * time.Minute,
	}
	switch pool := store.Pool().(type) {
	case *sql.DB:
		return newSQLiteQueue(ctx, pool, config, store)
	case *pgxpool.Pool:
		return newPostgresQueue(ctx, pool, config, store)
	default:
		return nil, fmt.Errorf("no queue for a pool of type %T", pool)
	}
}

// newClient brings River's tables up to date.
func newClient[TTx any](ctx context.Context, driver riverdriver.Driver[TTx], config *river.Config) (*river.Client[TTx], error) {
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: config.Logger})
	if err != nil {
		return nil, fmt.Errorf("preparing the queue's migrations: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("migrating the queue's tables: %w", err)
	}
	client, err := river.NewClient(driver, config)
	if err != nil {
		return nil, fmt.Errorf("making the queue: %w", err)
	}
	return client, nil
}

func insertParams(job models.Job) river.InsertManyParams {
	if job.WebhookID != "" {
		return river.InsertManyParams{Args: replayArgs{job.WebhookID}, InsertOpts: &river.InsertOpts{Queue: queueDeliveries}}
	}
	if job.DeliveryID != "" {
		return river.InsertManyParams{Args: deliveryArgs{job.DeliveryID}, InsertOpts: &river.InsertOpts{Queue: queueDeliveries}}
	}
	return river.InsertManyParams{Args: taskArgs{job.TaskID}, InsertOpts: &river.InsertOpts{Queue: queueTasks}}
}

// Start takes up what a process before this one left behind, and begins to work.
func (q *Queue) Start(ctx context.Context) error {
	if err := q.resume(ctx); err != nil {
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
	defer q.release()
	if err := q.client.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("stopping the queue: %w", err)
	}
	return nil
}

// quietHandler drops River's notes about jobs that fail: those that matter are
// in the log already, with the task's or delivery's id.
type quietHandler struct{ slog.Handler }

func (h quietHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}
