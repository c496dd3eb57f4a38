package dispatch

import (
	"log/slog"
	"slices"
	"time"

	"petstore/models"
)

const (
	// debounceFor is how long progress waits before it is sent, in case something
	// newer comes.
	debounceFor = 20 * time.Millisecond
	// webhookSpacing is the time between two updates of one task's progress at a
	// webhook: each is a write and a request, and there may be a hundred webhooks.
	webhookSpacing = 500 * time.Millisecond
)

// orderedQueue has what one task tells one target: sent one at a time, and in order.
type orderedQueue struct {
	task, target string
	host         *host

	due     []*models.Delivery // stored, in the order of their updates
	sending *models.Delivery   // whose exchange is under way, or whose outcome is being stored
	queued  bool               // it is among its host's ready queues

	pendingProgress  *models.Delivery // progress, the newest, not stored yet
	deferredProgress *models.Delivery // progress that had to wait for its turn
	timer            *time.Timer      // stores it
	debouncing       bool             // the timer runs
	storing          bool
	ended            bool      // the task has told its last update
	failed           bool      // progress is pending after an attempt that failed
	lastProgress     time.Time // at a webhook
}

// queueOf finds the queue of a delivery, nil if there is none.
func (d *Dispatcher) queueOf(delivery *models.Delivery) *orderedQueue {
	target := delivery.Target()
	for _, q := range d.queues[delivery.TaskID] {
		if q.target == target {
			return q
		}
	}
	return nil
}

func (d *Dispatcher) newQueue(h *host, delivery *models.Delivery) *orderedQueue {
	q := &orderedQueue{task: delivery.TaskID, target: delivery.Target(), host: h}
	d.queues[q.task] = append(d.queues[q.task], q)
	d.queueCount++
	h.queueCount++
	return q
}

func (d *Dispatcher) removeQueue(q *orderedQueue) {
	queues := d.queues[q.task]
	i := slices.Index(queues, q)
	if i < 0 {
		return
	}
	q.stopTimer()
	d.queueCount--
	q.host.queueCount--
	if len(queues) == 1 {
		delete(d.queues, q.task)
		return
	}
	d.queues[q.task] = slices.Delete(queues, i, i+1)
}

func (q *orderedQueue) has(deliveryID string) bool {
	return q.sending != nil && q.sending.ID == deliveryID ||
		slices.ContainsFunc(q.due, func(d *models.Delivery) bool { return d.ID == deliveryID })
}

// put keeps what is due in the order of updates.
func (q *orderedQueue) put(d *models.Delivery) {
	i := len(q.due)
	for i > 0 && q.due[i-1].Sequence > d.Sequence {
		i--
	}
	q.due = slices.Insert(q.due, i, d)
}

// dropSuperseded drops progress before d that is not being sent, and reports whether some
// of that is stored.
func (q *orderedQueue) dropSuperseded(d *models.Delivery) (stored bool) {
	q.ended = q.ended || d.Update.Terminal()
	if q.pendingProgress != nil && q.pendingProgress.Sequence < d.Sequence {
		q.pendingProgress = nil
	}
	before := len(q.due)
	q.due = slices.DeleteFunc(q.due, func(e *models.Delivery) bool { return e.Supersedable && e.Sequence < d.Sequence })
	return len(q.due) < before || q.storing
}

// take takes what is to be sent next.
func (q *orderedQueue) take() *models.Delivery {
	q.queued = false
	q.sending = q.due[0]
	q.due = q.due[1:]
	return q.sending
}

func (q *orderedQueue) stopTimer() {
	if q.timer != nil {
		q.timer.Stop()
	}
	q.debouncing = false
}

// debounce stores q.pendingProgress in a moment. What had to wait for its turn, which a
// retry may take long to end, it tries less often.
func (q *orderedQueue) debounce(d *Dispatcher) {
	if q.debouncing || q.storing {
		return
	}
	wait := debounceFor
	if q.pendingProgress.WebhookID != "" {
		wait = max(wait, webhookSpacing-time.Since(q.lastProgress))
	}
	if q.pendingProgress == q.deferredProgress {
		wait = webhookSpacing
	}
	q.startTimer(d, wait)
}

func (q *orderedQueue) startTimer(d *Dispatcher, wait time.Duration) {
	q.debouncing = true
	q.timer = time.AfterFunc(wait, func() { d.debounced(q) })
}

// debounced stores the newest progress, if it can be sent soon. To a host that does
// not answer, or is busy, it is not worth a write yet.
func (d *Dispatcher) debounced(q *orderedQueue) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q.debouncing = false
	switch {
	case d.stopped || q.storing:
	case q.pendingProgress == nil:
		d.schedule(q)
	case q.ended:
		q.pendingProgress = nil
		d.schedule(q)
	case q.sending != nil || len(q.due) > 0 || q.host.waiting() >= maxPerHost || !q.host.ready(time.Now()):
		q.startTimer(d, 10*debounceFor)
	case q.pendingProgress.WebhookID != "" && time.Since(q.lastProgress) < webhookSpacing: // one was sent meanwhile
		q.debounce(d)
	default:
		progress := q.pendingProgress
		q.pendingProgress, q.storing = nil, true
		d.running.Go(func() { d.storeProgress(q, progress) })
	}
}

// storeProgress stores a delivery, which is then due. Progress that was overtaken before
// that leaves no trace here.
func (d *Dispatcher) storeProgress(q *orderedQueue, progress *models.Delivery) {
	err := d.store.InTx(d.ctx, func(tx *models.Tx) error {
		created, err := models.CreateProgress(tx, progress)
		// With the commit, as Add: from then on it can be found in the table, too.
		tx.AfterCommit(func() { d.progressStored(q, progress, created) })
		return err
	})
	if err != nil {
		if d.ctx.Err() == nil {
			slog.Warn("Progress could not be stored for its delivery.", "task_id", progress.TaskID, "err", err)
		}
		d.progressStored(q, nil, false)
	}
}

func (d *Dispatcher) progressStored(q *orderedQueue, progress *models.Delivery, created bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q.storing = false
	switch {
	case progress == nil:
	case created && q.ended:
		d.supersede(progress.TaskID, progress.Sequence+1)
	case created && !q.has(progress.ID):
		q.put(progress)
	case !created && progress.NextAttemptAt == nil && q.pendingProgress == nil && !q.ended: // not its turn yet
		progress.NextAttemptAt = &progress.CreatedAt
		q.pendingProgress, q.deferredProgress = progress, progress
	}
	if q.pendingProgress != nil {
		q.debounce(d)
	}
	d.schedule(q)
}
