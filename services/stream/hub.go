// Package stream tells those who follow live what is committed: in the order of
// positions, nothing lost and nothing twice.
package stream

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"petstore/models"
)

// Hub hands updates, once they are committed, to whoever follows them live in
// this process, in the order of their positions. Where several servers share a
// database it is the poller that publishes what any of them has committed.
type Hub struct {
	poller *poller // nil where this process is the only one

	pendingMu  sync.Mutex // held for moments: by who commits
	pending    []models.Update
	publishing bool // a goroutine publishes what is pending
	silent     bool // nothing is published any more
	publishers sync.WaitGroup

	mu        sync.Mutex                            // held while updates are handed out
	followers atomic.Int64                          // subscriptions
	byTask    map[string]map[*Subscription]struct{} // "" for those to all tasks
	closed    bool
}

// Subscription is a stream of updates, in the order of their positions. C is closed
// when the subscriber was too slow, or the hub was closed.
type Subscription struct {
	C      <-chan []models.Update
	c      chan []models.Update
	taskID string
	hub    *Hub
	slow   bool // set before c is closed
}

// NewHub returns a hub for the updates of a store, without subscribers.
func NewHub(store *models.Store) *Hub {
	h := newHub()
	if store.Shared() {
		startPoller(store, h)
	}
	return h
}

func newHub() *Hub { return &Hub{byTask: map[string]map[*Subscription]struct{}{}} }

// Subscribe follows the updates of one task, or of all if taskID is "", from now
// on. They come as many at a time as there are. A subscriber that leaves more
// than buffer of such batches waiting is dropped. The batches are shared: they must
// not be changed.
func (h *Hub) Subscribe(taskID string, buffer int) *Subscription {
	c := make(chan []models.Update, buffer)
	s := &Subscription{C: c, c: c, taskID: taskID, hub: h}
	if h.poller != nil {
		defer h.poller.signal()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(c)
		return s
	}
	h.followers.Add(1)
	if h.byTask[taskID] == nil {
		h.byTask[taskID] = map[*Subscription]struct{}{}
	}
	h.byTask[taskID][s] = struct{}{}
	return s
}

// Ready waits until whatever is committed from now on is published. A subscriber who
// then looks whether something has happened already does not miss what happens.
func (h *Hub) Ready(ctx context.Context) error {
	if h.poller == nil {
		return nil
	}
	_, err := h.poller.position(ctx)
	return err
}

// idle calls forget, and reports true, if nobody follows.
func (h *Hub) idle(forget func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.byTask) > 0 || h.poller.asking.Load() > 0 {
		return false
	}
	forget()
	return true
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.drop(s)
}

func (h *Hub) drop(s *Subscription) {
	subscriptions := h.byTask[s.taskID]
	if _, there := subscriptions[s]; !there {
		return
	}
	delete(subscriptions, s)
	h.followers.Add(-1)
	if len(subscriptions) == 0 {
		delete(h.byTask, s.taskID)
	}
	close(s.c)
}

// Followed reports whether anybody follows anything.
func (h *Hub) Followed() bool { return h.followers.Load() > 0 }

// Publish tells that this process has committed u.
func (h *Hub) Publish(u models.Update) {
	if h.poller != nil {
		h.poller.signal()
		return
	}
	if !h.Followed() {
		return // who follows from now on finds it in the database
	}
	u, err := u.WithBody()
	if err != nil {
		slog.Error("An update could not be encoded.", "task_id", u.TaskID, "err", err)
		return
	}
	h.publish(u)
}

// publish hands u to its subscribers. It takes no longer however many there are,
// for whoever commits is waiting: another goroutine hands out what has come
// meanwhile, all at once, and goes away when there is nothing left.
func (h *Hub) publish(u models.Update) {
	h.pendingMu.Lock()
	defer h.pendingMu.Unlock()
	if h.silent {
		return
	}
	h.pending = append(h.pending, u)
	if !h.publishing {
		h.publishing = true
		h.publishers.Go(h.publishPending)
	}
}

func (h *Hub) publishPending() {
	for batch := h.take(); batch != nil; batch = h.take() {
		h.mu.Lock()
		for s := range h.byTask[""] {
			h.give(s, batch)
		}
		for i, u := range batch {
			for s := range h.byTask[u.TaskID] {
				h.give(s, batch[i:i+1])
			}
		}
		h.mu.Unlock()
	}
}

func (h *Hub) take() []models.Update {
	h.pendingMu.Lock()
	defer h.pendingMu.Unlock()
	batch := h.pending
	h.pending = nil
	h.publishing = batch != nil
	return batch
}

// give never waits: a subscriber whose buffer is full is dropped.
func (h *Hub) give(s *Subscription, batch []models.Update) {
	select {
	case s.c <- batch:
	default:
		s.slow = true
		h.drop(s)
	}
}

// Close ends all subscriptions, and those to come.
func (h *Hub) Close() {
	if h.poller != nil {
		h.poller.close()
	}
	h.pendingMu.Lock()
	h.silent = true
	h.pendingMu.Unlock()
	h.mu.Lock()
	h.closed = true
	for _, subscriptions := range h.byTask {
		for s := range subscriptions {
			h.drop(s)
		}
	}
	h.mu.Unlock()
	h.publishers.Wait()
}
