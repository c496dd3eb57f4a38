package dispatch

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"petstore/callbacks"
	"petstore/models"
)

const (
	// maxPerHost is how many exchanges are under way to one host at a time: kind to
	// it, and no more than a host that never answers can hold.
	maxPerHost = 64
	// maxInFlight is how many are under way in all. A quarter of them is kept for
	// hosts that answer.
	maxInFlight = 8192
	// maxPendingOutcomes is how many outcomes may wait to be stored before nothing more
	// is sent: a backlog that goes out must not keep requests from being stored. With 256
	// it goes out a third faster, and a POST takes four times as long (-bench Outage).
	maxPendingOutcomes = 4
	// maxQueuedPerHost is how many queues wait for one host in memory, and maxQueues for all.
	// The rest waits in the table.
	maxQueuedPerHost = 1000
	maxQueues        = 50_000
	// maxHosts is how many hosts are kept in memory.
	maxHosts = 20_000
)

// Options configure a Dispatcher.
type Options struct {
	Sender   *callbacks.Sender
	Schedule callbacks.Schedule
	// Secret signs what goes to callback URLs.
	Secret string
	// Server names this process to others that share the database; "" if none does.
	Server string
	// SweepEvery is how often the table is searched for what was missed (0: 30 s, or 5 s
	// where servers share a database).
	SweepEvery time.Duration
}

// Dispatcher sends deliveries and writes down what came of them.
type Dispatcher struct {
	Options
	// Webhooks are those that are enabled.
	Webhooks *Registry

	store    *models.Store
	ctx      context.Context // ends exchanges when the dispatcher stops
	stop     context.CancelFunc
	running  sync.WaitGroup
	quit     chan struct{} // closed when it stops
	sweepNow chan struct{}

	mu              sync.Mutex // held for moments
	started         bool
	stopped         bool
	queues          map[string][]*orderedQueue // by task
	queueCount      int
	hosts           map[string]*host
	blocked         []*host          // that have something to send, and no place among all exchanges
	inFlight        int              // under way
	pendingOutcomes int              // outcomes that are being stored
	sweepFrom       string           // the host that the last sweep came to
	loads           int              // of queues, that are under way
	outcomes        int64            // stored so far
	latestSequence  map[string]int64 // the newest updates of tasks, while queues are loaded
}

// New returns a Dispatcher, which sends nothing before Start.
func New(store *models.Store, o Options) *Dispatcher {
	if o.SweepEvery == 0 {
		o.SweepEvery = 30 * time.Second
		if store != nil && store.Shared() {
			o.SweepEvery = 5 * time.Second // what others leave, too
		}
	}
	d := &Dispatcher{Options: o, Webhooks: newRegistry(), store: store, sweepNow: make(chan struct{}, 1)}
	d.begin()
	return d
}

func (d *Dispatcher) begin() {
	d.queues, d.queueCount, d.hosts, d.blocked, d.sweepFrom = map[string][]*orderedQueue{}, 0, map[string]*host{}, nil, ""
	d.quit = make(chan struct{})
	d.ctx, d.stop = context.WithCancel(context.Background())
}

// Start sends what is due, now and from now on; also after a Stop.
func (d *Dispatcher) Start() {
	d.mu.Lock()
	if d.stopped {
		d.stopped = false
		d.begin()
	}
	d.started = true
	for _, h := range d.hosts {
		d.startReady(h)
	}
	d.mu.Unlock()
	d.running.Go(d.sweepForEver)
}

// stopTimeout is how long exchanges that are under way at shutdown may take.
const stopTimeout = 5 * time.Second

// Stop sends nothing more, and waits until what is under way has an outcome, and that
// is stored; after a few seconds it is interrupted. What is left is in the table.
func (d *Dispatcher) Stop() {
	d.mu.Lock()
	if !d.stopped {
		d.stopped = true
		close(d.quit)
	}
	d.mu.Unlock()
	interrupt := time.AfterFunc(stopTimeout, d.stop)
	d.running.Wait()
	interrupt.Stop()
	d.stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.hosts {
		h.stopTimers()
	}
	for _, queues := range d.queues {
		for _, q := range queues {
			q.stopTimer()
		}
	}
}

// Deliveries makes the deliveries of an update, not stored yet: to each webhook that
// wants it, and to a callback URL unless that is "".
func (d *Dispatcher) Deliveries(u models.Update, callbackURL string) []*models.Delivery {
	var ds []*models.Delivery
	for _, w := range d.Webhooks.matching(u.Type) {
		ds = append(ds, d.Delivery(u, w.ID, w.URL))
	}
	if callbackURL != "" {
		ds = append(ds, d.Delivery(u, "", callbackURL))
	}
	return ds
}

// Delivery makes one delivery, claimed by this server.
func (d *Dispatcher) Delivery(u models.Update, webhookID, url string) *models.Delivery {
	delivery := models.NewDelivery(u, webhookID, url)
	delivery.ClaimedBy = d.Server
	return delivery
}

// Add takes deliveries that were just stored, once they are committed. Those that are
// not due yet are left to whoever ends the ones before them. It never waits.
func (d *Dispatcher) Add(ds ...*models.Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, delivery := range ds {
		if delivery.NextAttemptAt != nil {
			d.add(delivery)
		}
	}
}

func (d *Dispatcher) add(delivery *models.Delivery) {
	if d.hosts[delivery.Host] == nil && len(d.hosts) >= maxHosts {
		return // a sweep will find it
	}
	h := d.host(delivery.Host)
	q := d.queueOf(delivery)
	if q == nil {
		if d.stopped || h.waiting() >= maxQueuedPerHost || d.queueCount >= maxQueues {
			h.more = true
			h.wakeAt(d, time.Now().Add(time.Second))
			return
		}
		q = d.newQueue(h, delivery)
	}
	if q.host != h { // its webhook has moved
		h.more = true
		h.wakeAt(d, time.Now().Add(time.Second))
		return
	}
	if q.has(delivery.ID) {
		return
	}
	if !delivery.Supersedable && q.dropSuperseded(delivery) {
		d.supersede(delivery.TaskID, delivery.Sequence)
	}
	q.put(delivery)
	d.schedule(q)
}

// Progress takes an update that matters until there is a newer one. It is stored and
// sent a moment later, if it is still the newest then: work that is done in no time
// calls back once, not once a step.
func (d *Dispatcher) Progress(u models.Update, callbackURL string) {
	ds := d.Deliveries(u, callbackURL)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noteSequence(u.TaskID, u.Sequence)
	for _, q := range d.queues[u.TaskID] {
		q.pendingProgress = nil // overtaken; or the client has moved on to another URL
	}
	for _, delivery := range ds {
		q := d.queueOf(delivery)
		if q == nil && (d.stopped || d.queueCount >= maxQueues) {
			continue
		}
		if q == nil {
			q = d.newQueue(d.host(delivery.Host), delivery)
		}
		q.pendingProgress = delivery
		q.debounce(d)
	}
}

// noteSequence notes what a task has told, for those who have read the table before that.
func (d *Dispatcher) noteSequence(taskID string, sequence int64) {
	if d.loads > 0 {
		d.latestSequence[taskID] = sequence
	}
}

// DropProgress is told that the last update of a task is about to be stored: progress that has
// not been sent is not worth it any more.
func (d *Dispatcher) DropProgress(taskID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, q := range slices.Clone(d.queues[taskID]) {
		q.pendingProgress = nil
		d.schedule(q)
	}
}

// TaskEnded is told that a task tells nothing more: what is left of its progress is not
// worth sending.
func (d *Dispatcher) TaskEnded(taskID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noteSequence(taskID, math.MaxInt64)
	for _, q := range slices.Clone(d.queues[taskID]) {
		q.ended, q.failed, q.pendingProgress, q.lastProgress = true, false, nil, time.Time{}
		d.schedule(q)
	}
}

// HasPending reports whether something that a task tells is still to be sent by this server.
func (d *Dispatcher) HasPending(taskID string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.queues[taskID]) > 0
}

// Wake looks for what is due to a host, now.
func (d *Dispatcher) Wake(host string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.host(host).wakeAt(d, time.Now())
}

// supersede gives up, beside everything else, stored progress that was overtaken.
// Should that fail, it is given up when it comes due.
func (d *Dispatcher) supersede(taskID string, before int64) {
	if d.stopped {
		return
	}
	d.running.Go(func() {
		err := d.store.InTx(d.ctx, func(tx *models.Tx) error { return models.SupersedeProgress(tx, taskID, before) })
		if err != nil && d.ctx.Err() == nil {
			slog.Warn("Overtaken progress could not be given up.", "task_id", taskID, "err", err)
		}
	})
}

// schedule puts a queue among its host's ready ones, if it has something to send.
func (d *Dispatcher) schedule(q *orderedQueue) {
	switch {
	case q.sending != nil || q.queued:
	case len(q.due) > 0:
		q.queued = true
		q.host.readyQueues = append(q.host.readyQueues, q)
	case q.pendingProgress == nil && !q.storing && !q.failed && time.Since(q.lastProgress) >= webhookSpacing:
		d.removeQueue(q)
	}
	d.startReady(q.host)
}

// startReady starts as many exchanges with a host as there are places for.
func (d *Dispatcher) startReady(h *host) {
	for d.started && !d.stopped && h.waiting() > 0 && h.ready(time.Now()) {
		if !d.hasSlot(h) {
			if !h.blocked {
				h.blocked = true
				d.blocked = append(d.blocked, h)
			}
			return
		}
		d.start(h.pop())
	}
	if h.more && h.waiting() <= maxQueuedPerHost/4 {
		d.load(h)
	}
	d.forget(h)
}

// start begins an exchange.
func (d *Dispatcher) start(q *orderedQueue) {
	delivery := q.take()
	q.host.inFlight++
	d.inFlight++
	d.running.Go(func() { d.deliver(q, delivery) })
}

// hasSlot keeps some places for hosts that answer, so that any number of others
// that don't cannot take all.
func (d *Dispatcher) hasSlot(h *host) bool {
	limit := maxInFlight
	if !h.answers {
		limit = maxInFlight * 3 / 4
	}
	return d.inFlight < limit && d.pendingOutcomes < maxPendingOutcomes
}

// unblock lets those go on that had no place among all exchanges, in turn.
func (d *Dispatcher) unblock() {
	for n := len(d.blocked); n > 0 && d.inFlight < maxInFlight && d.pendingOutcomes < maxPendingOutcomes; n-- {
		h := d.blocked[0]
		d.blocked = d.blocked[1:]
		h.blocked = false
		d.startReady(h)
	}
}

// host finds a host, or makes one.
func (d *Dispatcher) host(name string) *host {
	h := d.hosts[name]
	if h == nil {
		h = &host{name: name}
		d.hosts[name] = h
	}
	return h
}

// forget drops a host that nothing is to be sent to. Some are kept for a while, to be
// looked at.
func (d *Dispatcher) forget(h *host) {
	idle := h.queueCount == 0 && h.inFlight == 0 && !h.more && h.reads == 0 && !h.blocked && h.due.IsZero()
	if idle && (len(d.hosts) > maxHosts/2 || !h.answers && h.failures == 0) {
		h.stopTimers()
		delete(d.hosts, h.name)
	}
}
