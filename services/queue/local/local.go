// Package local runs tasks on goroutines of this process. Its queue is the table of
// tasks: one that is processing is work that is left. Memory only saves looking.
package local

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"petstore/models"
	"petstore/services/task"
)

const (
	// maxWaiting is how many tasks of a kind wait in memory for a worker; the rest
	// waits in the table only.
	maxWaiting = 10_000
	// maxBacklog is how many of a kind may wait in all before no more are accepted.
	maxBacklog = 100_000
	// retryRead is the pause after the table could not be read.
	retryRead = time.Second
	// sweepEvery is how often the table is searched for what was missed.
	sweepEvery = 30 * time.Second
	// stopTimeout is how long running work may go on at shutdown before it is
	// interrupted, to be resumed at the next start.
	stopTimeout = 5 * time.Second
	// runTimeout bounds one run.
	runTimeout = 30 * time.Minute
)

// Queue runs tasks.
type Queue struct {
	engine *task.Engine
	store  *models.Store

	mu      sync.Mutex // held for moments
	kinds   map[string]*kindQueue
	started bool
	stopped bool
	ctx     context.Context // of the runs
	cancel  context.CancelFunc
	stop    chan struct{} // closed when no more is begun
	work    sync.WaitGroup
	sweeper sync.WaitGroup
}

// kindQueue is the work of one kind.
type kindQueue struct {
	kind        string
	concurrency int
	running     int
	waiting     []string
	known       map[string]bool // that run, wait, or are due later
	more        bool            // there is more in the table than waits here
	missed      bool            // some of it was committed while the table was being read, perhaps after that
	loading     bool
	after       string // the resource up to which the table was read
	backlog     int    // at least how many wait in the table, beside those in memory
}

// New returns a queue for all operations that engine knows.
func New(store *models.Store, engine *task.Engine) *Queue {
	q := &Queue{engine: engine, store: store, kinds: map[string]*kindQueue{}, cancel: func() {}}
	for kind, op := range engine.Operations() {
		q.kinds[kind] = &kindQueue{kind: kind, concurrency: op.Concurrency, known: map[string]bool{}}
	}
	engine.SetQueue(q)
	return q
}

// Add runs a task once tx is committed.
func (q *Queue) Add(tx *models.Tx, t *models.Task) {
	tx.AfterCommit(func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		k := q.kinds[t.Kind]
		switch {
		case q.stopped || !q.started:
		case k.known[t.ID]: // found in the table, where it was visible a moment ago
		case k.running < k.concurrency && len(k.waiting) == 0:
			q.begin(k, t.ID, t)
		case k.more || len(k.waiting) >= maxWaiting:
			k.more, k.missed = true, true
			k.backlog++
		default:
			k.known[t.ID] = true
			k.waiting = append(k.waiting, t.ID)
		}
	})
}

// Full reports whether so many tasks of a kind wait that no more should be accepted.
func (q *Queue) Full(kind string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := q.kinds[kind]
	return k != nil && len(k.waiting)+k.backlog >= maxBacklog
}

// Start takes up what is left of an earlier process, and begins to work; also after a
// Stop.
func (q *Queue) Start(context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.started, q.stopped, q.stop = true, false, make(chan struct{})
	q.ctx, q.cancel = context.WithCancel(context.Background())
	for _, k := range q.kinds {
		*k = kindQueue{kind: k.kind, concurrency: k.concurrency, known: map[string]bool{}}
		k.more = true
		q.load(k)
	}
	q.sweeper.Go(q.sweep)
	return nil
}

// Stop begins no more work and waits for what runs. After a few seconds that is
// interrupted; the next start resumes it.
func (q *Queue) Stop(ctx context.Context) error {
	q.mu.Lock()
	if q.started && !q.stopped {
		close(q.stop)
	}
	q.stopped = true
	q.mu.Unlock()
	q.sweeper.Wait()
	interrupt := time.AfterFunc(stopTimeout, q.cancel)
	defer interrupt.Stop()
	defer context.AfterFunc(ctx, q.cancel)()
	q.work.Wait()
	q.cancel()
	return nil
}

// begin gives a task a worker.
func (q *Queue) begin(k *kindQueue, id string, newTask *models.Task) {
	k.known[id] = true
	k.running++
	q.work.Go(func() {
		ctx, cancel := context.WithTimeout(q.ctx, runTimeout)
		defer cancel()
		retryAfter, err := q.engine.Run(ctx, id, newTask)
		q.ended(k, id, retryAfter, err)
	})
}

// ended gives the worker of a task to the next.
func (q *Queue) ended(k *kindQueue, id string, retryAfter time.Duration, err error) {
	if err != nil && q.ctx.Err() == nil {
		slog.Warn("A run of a task could not be stored; the task is tried again.", "task_id", id, "err", err)
		retryAfter = max(retryAfter, time.Second)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	k.running--
	if retryAfter > 0 {
		q.later(k, id, retryAfter)
	} else {
		delete(k.known, id)
	}
	q.startReady(k)
}

// later has a task wait for its next run.
func (q *Queue) later(k *kindQueue, id string, wait time.Duration) {
	k.known[id] = true
	time.AfterFunc(wait, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if !q.stopped {
			k.waiting = append(k.waiting, id)
			q.startReady(k)
		}
	})
}

// startReady begins what there are workers for.
func (q *Queue) startReady(k *kindQueue) {
	for !q.stopped && k.running < k.concurrency && len(k.waiting) > 0 {
		id := k.waiting[0]
		if k.waiting = k.waiting[1:]; len(k.waiting) == 0 {
			k.waiting = nil
		}
		q.begin(k, id, nil)
	}
	if k.more && len(k.waiting) < maxWaiting/4 {
		q.load(k)
	}
}

// load fills a queue from the table.
func (q *Queue) load(k *kindQueue) {
	if k.loading || q.stopped {
		return
	}
	k.loading = true
	const limit = 1000
	after := k.after
	q.work.Go(func() {
		found, err := models.WaitingTasks(q.store.Read(q.ctx), k.kind, after, limit)
		q.mu.Lock()
		defer q.mu.Unlock()
		k.loading = false
		if err != nil {
			if q.ctx.Err() == nil {
				slog.Warn("The work that is left could not be read; it is looked for again.", "kind", k.kind, "err", err)
			}
			time.AfterFunc(retryRead, func() { q.refill(k) })
			return
		}
		k.more = len(found) == limit
		k.backlog = max(0, k.backlog-len(found))
		if k.after = ""; k.more {
			k.after = found[limit-1].ResourceID
		} else {
			k.backlog = 0
			k.more, k.missed = k.missed, false // from the start again
		}
		for _, t := range found {
			if k.known[t.ID] {
				continue
			}
			if t.RunAt != nil && time.Until(*t.RunAt) > 0 {
				q.later(k, t.ID, min(time.Until(*t.RunAt), time.Minute))
				continue
			}
			k.known[t.ID] = true
			k.waiting = append(k.waiting, t.ID)
		}
		q.startReady(k)
	})
}

// sweep looks for what was missed.
func (q *Queue) sweep() {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-q.stop:
			return
		case <-ticker.C:
		}
		for _, k := range q.kinds {
			q.refill(k)
		}
	}
}

// refill looks for work in the table again, when there is room for it.
func (q *Queue) refill(k *kindQueue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	k.more = true
	q.startReady(k)
}
