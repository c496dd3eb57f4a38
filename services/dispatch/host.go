package dispatch

import (
	"log/slog"
	"slices"
	"time"

	"petstore/models"
)

const (
	// breakAfter is how many exchanges in a row have to fail before a host's circuit
	// breaker opens.
	breakAfter = 20
	// maxCooldown bounds the time between two probes.
	maxCooldown = 30 * time.Second
)

// host is where deliveries go: its queues, its places, and its circuit breaker.
//
// A failure, here, is an exchange that says that nobody is there: no answer, or that
// of a gateway (502, 503, 504). A host that answers 500 or 404 is there, and quick;
// that is between the delivery and its schedule.
type host struct {
	name        string
	readyQueues []*orderedQueue // those with something due; each is once in it, so tasks take turns
	queueCount  int             // in memory, ready or not
	inFlight    int             // under way
	blocked     bool            // it stands among those without a place
	answers     bool            // the latest exchange had an answer

	more           bool // there may be more in the table that is due
	loading        bool
	reads          int              // of the table, that are under way
	recentOutcomes map[string]int64 // deliveries whose outcome was stored meanwhile: which outcome that was
	due            time.Time        // when something in the table is due; zero for never
	alarm          *time.Timer

	failures  int // in a row
	lastError string
	openSince time.Time // zero while the breaker is closed
	probes    int       // that have failed since then
	probeAt   time.Time
	probe     *time.Timer
}

func (h *host) waiting() int { return len(h.readyQueues) }

// pop takes the queue that has waited longest.
func (h *host) pop() *orderedQueue {
	q := h.readyQueues[0]
	h.readyQueues[0] = nil
	if h.readyQueues = h.readyQueues[1:]; len(h.readyQueues) == 0 {
		h.readyQueues = nil
	}
	return q
}

// ready reports whether one more exchange may begin.
func (h *host) ready(now time.Time) bool {
	if h.openSince.IsZero() {
		return h.inFlight < maxPerHost
	}
	return h.inFlight == 0 && !now.Before(h.probeAt)
}

func (h *host) state() string {
	switch {
	case h.openSince.IsZero():
		return models.HostClosed
	case !time.Now().Before(h.probeAt):
		return models.HostHalfOpen
	}
	return models.HostOpen
}

// wakeAt looks into the table at a time, or earlier if it was to be looked into before.
func (h *host) wakeAt(d *Dispatcher, at time.Time) {
	if d.stopped || !h.due.IsZero() && !at.Before(h.due) {
		return
	}
	h.due = at
	if h.alarm != nil {
		h.alarm.Stop()
	}
	h.alarm = time.AfterFunc(max(0, time.Until(at)), func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		h.due = time.Time{}
		h.more = true
		d.startReady(h)
	})
}

func (h *host) stopTimers() {
	for _, t := range []*time.Timer{h.alarm, h.probe} {
		if t != nil {
			t.Stop()
		}
	}
}

// answered closes the circuit breaker.
func (h *host) answered() {
	h.answers = true
	if h.failures > 0 || !h.openSince.IsZero() {
		if h.openSince.IsZero() {
			slog.Info("A host answers again.", "host", h.name, "failures", h.failures)
		} else {
			slog.Info("A circuit breaker closed: the host answers again.", "host", h.name, "open_for", time.Since(h.openSince).Round(time.Millisecond))
		}
		h.failures, h.probes, h.lastError, h.openSince = 0, 0, "", time.Time{}
	}
}

// failed opens the circuit breaker, if that was one failure too many. It reports
// whether that was a probe.
func (h *host) failed(d *Dispatcher, reason string) (probed bool) {
	h.answers = false
	h.failures++
	h.lastError = reason
	switch {
	case h.failures == 1:
		slog.Warn("A host is unavailable; its deliveries are retried.", "host", h.name, "err", reason)
		return false
	case h.openSince.IsZero() && h.failures >= breakAfter:
		slog.Warn("A circuit breaker opened: the host is probed by one delivery at a time.", "host", h.name, "failures", h.failures, "err", reason)
		h.openSince = time.Now()
	case h.openSince.IsZero() || h.inFlight > 0: // of those that were under way when it opened
		return false
	default:
		h.probes++
		probed = true
	}
	wait := maxCooldown
	if h.probes < len(d.Schedule.Waits) {
		wait = min(wait, d.Schedule.Waits[h.probes])
	}
	h.probeAt = time.Now().Add(wait)
	if h.probe != nil {
		h.probe.Stop()
	}
	h.probe = time.AfterFunc(wait, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.startReady(h)
	})
	return probed
}

// Hosts lists the hosts that this process sends to, or sent to just now, in the order
// of their names. page.Cursor is the name that the page comes after.
func (d *Dispatcher) Hosts(page models.Page) models.List[models.HostStatus] {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name := range d.hosts {
		if name > page.Cursor {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	list := models.List[models.HostStatus]{Items: []models.HostStatus{}}
	if len(names) > page.Limit {
		names = names[:page.Limit]
		list.Next = names[page.Limit-1]
	}
	for _, name := range names {
		list.Items = append(list.Items, d.hosts[name].status())
	}
	return list
}

func (h *host) status() models.HostStatus {
	status := models.HostStatus{
		Host: h.name, State: h.state(), InFlight: h.inFlight, Waiting: h.waiting(), More: h.more, Failures: h.failures, Error: h.lastError,
		OpenSince: given(h.openSince), DueAt: given(h.due),
	}
	if !h.openSince.IsZero() {
		status.ProbeAt = given(h.probeAt)
	}
	return status
}

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}
