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
	lines   map[string]*line
	started bool
	stopped bool
	ctx     context.Context // of the runs
	cancel  context.CancelFunc
	stop    chan struct{} // closed when no more is begun
	work    sync.WaitGroup
	sweeper sync.WaitGroup
}

// line is the work of one kind.
type line struct {
	kind    string
	atOnce  int
	running int
	waiting []string
	known   map[string]bool // that run, wait, or are due later
	more    bool            // there is more in the table than waits here
	missed  bool            // some of it was committed while the table was being read, perhaps after that
	loading bool
	after   string // the resource up to which the table was read
	backlog int    // at least how many wait in the table, beside those in memory
}

// New returns a queue for all operations that engine knows.
func New(store *models.Store, engine *task.Engine) *Queue {
	q := &Queue{engine: engine, store: store, lines: map[string]*line{}, cancel: func() {}}
	for kind, op := range engine.Operations() {
		q.lines[kind] = &line{kind: kind, atOnce: op.Concurrency, known: map[string]bool{}}
	}
	engine.SetQueue(q)
	return q
}

// Add runs a task once tx is committed.
func (q *Queue) Add(tx *models.Tx, t *models.Task) {
	tx.AfterCommit(func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		l := q.lines[t.Kind]
		switch {
		case q.stopped || !q.started:
		case l.known[t.ID]: // found in the table, where it was visible a moment ago
		case l.running < l.atOnce && len(l.waiting) == 0:
			q.begin(l, t.ID, t)
		case l.more || len(l.waiting) >= maxWaiting:
			l.more, l.missed = true, true
			l.backlog++
		default:
			l.known[t.ID] = true
			l.waiting = append(l.waiting, t.ID)
		}
	})
}

// Full reports whether so many tasks of a kind wait that no more should be accepted.
func (q *Queue) Full(kind string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[kind]
	return l != nil && len(l.waiting)+l.backlog >= maxBacklog
}

// Start takes up what is left of an earlier process, and begins to work; also after a
// Stop.
func (q *Queue) Start(context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.started, q.stopped, q.stop = true, false, make(chan struct{})
	q.ctx, q.cancel = context.WithCancel(context.Background())
	for _, l := range q.lines {
		*l = line{kind: l.kind, atOnce: l.atOnce, known: map[string]bool{}}
		l.more = true
		q.load(l)
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
func (q *Queue) begin(l *line, id string, fresh *models.Task) {
	l.known[id] = true
	l.running++
	q.work.Go(func() {
		ctx, cancel := context.WithTimeout(q.ctx, runTimeout)
		defer cancel()
		again, err := q.engine.Run(ctx, id, fresh)
		q.ended(l, id, again, err)
	})
}

// ended gives the worker of a task to the next.
func (q *Queue) ended(l *line, id string, again time.Duration, err error) {
	if err != nil && q.ctx.Err() == nil {
		slog.Warn("A run of a task could not be stored; the task is tried again.", "task_id", id, "err", err)
		again = max(again, time.Second)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	l.running--
	if again > 0 {
		q.later(l, id, again)
	} else {
		delete(l.known, id)
	}
	q.pump(l)
}

// later has a task wait for its next run.
func (q *Queue) later(l *line, id string, wait time.Duration) {
	l.known[id] = true
	time.AfterFunc(wait, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if !q.stopped {
			l.waiting = append(l.waiting, id)
			q.pump(l)
		}
	})
}

// pump begins what there are workers for.
func (q *Queue) pump(l *line) {
	for !q.stopped && l.running < l.atOnce && len(l.waiting) > 0 {
		id := l.waiting[0]
		if l.waiting = l.waiting[1:]; len(l.waiting) == 0 {
			l.waiting = nil
		}
		q.begin(l, id, nil)
	}
	if l.more && len(l.waiting) < maxWaiting/4 {
		q.load(l)
	}
}

// load fills a line from the table.
func (q *Queue) load(l *line) {
	if l.loading || q.stopped {
		return
	}
	l.loading = true
	const limit = 1000
	after := l.after
	q.work.Go(func() {
		found, err := models.WaitingTasks(q.store.Read(q.ctx), l.kind, after, limit)
		q.mu.Lock()
		defer q.mu.Unlock()
		l.loading = false
		if err != nil {
			if q.ctx.Err() == nil {
				slog.Warn("The work that is left could not be read; it is looked for again.", "kind", l.kind, "err", err)
			}
			time.AfterFunc(retryRead, func() { q.refill(l) })
			return
		}
		l.more = len(found) == limit
		l.backlog = max(0, l.backlog-len(found))
		if l.after = ""; l.more {
			l.after = found[limit-1].ResourceID
		} else {
			l.backlog = 0
			l.more, l.missed = l.missed, false // from the start again
		}
		for _, t := range found {
			if l.known[t.ID] {
				continue
			}
			if t.RunAt != nil && time.Until(*t.RunAt) > 0 {
				q.later(l, t.ID, min(time.Until(*t.RunAt), time.Minute))
				continue
			}
			l.known[t.ID] = true
			l.waiting = append(l.waiting, t.ID)
		}
		q.pump(l)
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
		for _, l := range q.lines {
			q.refill(l)
		}
	}
}

// refill looks for work in the table again, when there is room for it.
func (q *Queue) refill(l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l.more = true
	q.pump(l)
}
