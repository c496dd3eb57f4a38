package dispatch

import (
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

// lane has what one task tells one target: sent one at a time, and in order.
type lane struct {
	task, target string
	host         *host

	due     []*models.Delivery // stored, in the order of their updates
	sending *models.Delivery   // whose exchange is under way, or whose outcome is being stored
	queued  bool               // it stands in its host's line

	pendingProgress  *models.Delivery // progress, the newest, not stored yet
	deferredProgress *models.Delivery // progress that had to wait for its turn
	timer            *time.Timer      // stores it
	debouncing       bool             // the timer runs
	storing          bool
	ended            bool      // the task has told its last update
	failed           bool      // progress is pending after an attempt that failed
	lastProgress     time.Time // at a webhook
}

// lane finds the lane of a delivery, nil if there is none.
func (d *Dispatcher) lane(delivery *models.Delivery) *lane {
	target := delivery.Target()
	for _, l := range d.lanes[delivery.TaskID] {
		if l.target == target {
			return l
		}
	}
	return nil
}

func (d *Dispatcher) newLane(h *host, delivery *models.Delivery) *lane {
	l := &lane{task: delivery.TaskID, target: delivery.Target(), host: h}
	d.lanes[l.task] = append(d.lanes[l.task], l)
	d.laneCount++
	h.lanes++
	return l
}

func (d *Dispatcher) removeLane(l *lane) {
	lanes := d.lanes[l.task]
	i := slices.Index(lanes, l)
	if i < 0 {
		return
	}
	l.stopTimer()
	d.laneCount--
	l.host.lanes--
	if len(lanes) == 1 {
		delete(d.lanes, l.task)
		return
	}
	d.lanes[l.task] = slices.Delete(lanes, i, i+1)
}

func (l *lane) has(deliveryID string) bool {
	return l.sending != nil && l.sending.ID == deliveryID ||
		slices.ContainsFunc(l.due, func(d *models.Delivery) bool { return d.ID == deliveryID })
}

// put keeps what is due in the order of updates.
func (l *lane) put(d *models.Delivery) {
	i := len(l.due)
	for i > 0 && l.due[i-1].Sequence > d.Sequence {
		i--
	}
	l.due = slices.Insert(l.due, i, d)
}

// dropSuperseded drops progress before d that is not being sent, and reports whether some
// of that is stored.
func (l *lane) dropSuperseded(d *models.Delivery) (stored bool) {
	l.ended = l.ended || d.Update.Terminal()
	if l.pendingProgress != nil && l.pendingProgress.Sequence < d.Sequence {
		l.pendingProgress = nil
	}
	before := len(l.due)
	l.due = slices.DeleteFunc(l.due, func(e *models.Delivery) bool { return e.Supersedable && e.Sequence < d.Sequence })
	return len(l.due) < before || l.storing
}

// take takes what is to be sent next.
func (l *lane) take() *models.Delivery {
	l.queued = false
	l.sending = l.due[0]
	l.due = l.due[1:]
	return l.sending
}

func (l *lane) stopTimer() {
	if l.timer != nil {
		l.timer.Stop()
	}
	l.debouncing = false
}

// debounce stores l.pendingProgress in a moment. What had to wait for its turn, which a
// retry may take long to end, it tries less often.
func (l *lane) debounce(d *Dispatcher) {
	if l.debouncing || l.storing {
		return
	}
	wait := debounceFor
	if l.pendingProgress.WebhookID != "" {
		wait = max(wait, webhookSpacing-time.Since(l.lastProgress))
	}
	if l.pendingProgress == l.deferredProgress {
		wait = webhookSpacing
	}
	l.startTimer(d, wait)
}

func (l *lane) startTimer(d *Dispatcher, wait time.Duration) {
	l.debouncing = true
	l.timer = time.AfterFunc(wait, func() { d.debounced(l) })
}

// debounced stores the newest progress, if it can be sent soon. To a host that does
// not answer, or is busy, it is not worth a write yet.
func (d *Dispatcher) debounced(l *lane) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.debouncing = false
	switch {
	case d.stopped || l.storing:
	case l.pendingProgress == nil:
		d.schedule(l)
	case l.ended:
		l.pendingProgress = nil
		d.schedule(l)
	case l.sending != nil || len(l.due) > 0 || l.host.waiting() >= maxPerHost || !l.host.ready(time.Now()):
		l.startTimer(d, 10*debounceFor)
	case l.pendingProgress.WebhookID != "" && time.Since(l.lastProgress) < webhookSpacing: // one was sent meanwhile
		l.debounce(d)
	default:
		progress := l.pendingProgress
		l.pendingProgress, l.storing = nil, true
		d.running.Go(func() { d.storeProgress(l, progress) })
	}
}

// storeProgress stores a delivery, which is then due. Progress that was overtaken before
// that leaves no trace here.
func (d *Dispatcher) storeProgress(l *lane, progress *models.Delivery) {
	err := d.store.InTx(d.ctx, func(tx *models.Tx) error {
		created, err := models.CreateProgress(tx, progress)
		// With the commit, as Add: from then on it can be found in the table, too.
		tx.AfterCommit(func() { d.progressStored(l, progress, created) })
		return err
	})
	if err != nil {
		if d.ctx.Err() == nil {
			d.warnings.Warn("Progress could not be stored for its delivery.", "task_id", progress.TaskID, "err", err)
		}
		d.progressStored(l, nil, false)
	}
}

func (d *Dispatcher) progressStored(l *lane, progress *models.Delivery, created bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.storing = false
	switch {
	case progress == nil:
	case created && l.ended:
		d.supersede(progress.TaskID, progress.Sequence+1)
	case created && !l.has(progress.ID):
		l.put(progress)
	case !created && progress.NextAttemptAt == nil && l.pendingProgress == nil && !l.ended: // not its turn yet
		progress.NextAttemptAt = &progress.CreatedAt
		l.pendingProgress, l.deferredProgress = progress, progress
	}
	if l.pendingProgress != nil {
		l.debounce(d)
	}
	d.schedule(l)
}
