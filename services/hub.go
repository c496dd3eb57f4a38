package services

import (
	"sync"

	"petstore/models"
)

// Hub hands updates, once they are committed, to whoever follows them live in
// this process.
type Hub struct {
	mu            sync.RWMutex
	subscriptions map[*Subscription]struct{}
	closed        bool
}

// Subscription is a stream of updates. C is closed when the subscriber was too
// slow, or the hub was closed.
type Subscription struct {
	C     <-chan models.Update
	c     chan models.Update
	wants func(models.Update) bool
	hub   *Hub
}

// NewHub returns a hub without subscribers.
func NewHub() *Hub { return &Hub{subscriptions: map[*Subscription]struct{}{}} }

// Subscribe follows the updates that wants picks, from now on. A subscriber that
// has more than buffer updates waiting is dropped: publishers never wait.
func (h *Hub) Subscribe(buffer int, wants func(models.Update) bool) *Subscription {
	c := make(chan models.Update, buffer)
	s := &Subscription{C: c, c: c, wants: wants, hub: h}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(c)
		return s
	}
	h.subscriptions[s] = struct{}{}
	return s
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.drop(s)
}

func (h *Hub) drop(s *Subscription) {
	if _, there := h.subscriptions[s]; there {
		delete(h.subscriptions, s)
		close(s.c)
	}
}

// Publish hands u to its subscribers. It never blocks.
func (h *Hub) Publish(u models.Update) {
	var slow []*Subscription
	h.mu.RLock()
	for s := range h.subscriptions {
		if !s.wants(u) {
			continue
		}
		select {
		case s.c <- u:
		default:
			slow = append(slow, s)
		}
	}
	h.mu.RUnlock()
	for _, s := range slow {
		s.Close()
	}
}

// Close ends all subscriptions, and those to come.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subscriptions {
		h.drop(s)
	}
}
