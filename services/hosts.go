package services

import (
	"context"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxPerHost is how many callbacks are under way to one host at a time. It
// keeps one receiver, slow or dead, from taking all workers, and is kind to it.
const maxPerHost = 64

// patience is how long a callback waits for its place among those to a host: a
// burst to a receiver that answers is over in that time.
const patience = 100 * time.Millisecond

// hosts counts the sends that are under way to each host.
type hosts struct {
	perHost int // how many may be under way to one
	mu      sync.Mutex
	byName  map[string]*host
}

// host has a place for each send that may be under way.
type host struct {
	places chan struct{}
	users  int // that hold a place or wait for one
}

func newHosts(perHost int) *hosts { return &hosts{perHost: perHost, byName: map[string]*host{}} }

// wait waits for a place among the sends to the host of rawURL until ctx ends.
func (h *hosts) wait(ctx context.Context, rawURL string) (release func(), err error) {
	for ctx.Err() == nil {
		if release, ok := h.take(ctx, rawURL); ok {
			return release, nil
		}
	}
	return nil, ctx.Err()
}

// take asks for a place among the sends to the host of rawURL. It waits a moment
// at most: false means that the host has enough to do.
func (h *hosts) take(ctx context.Context, rawURL string) (release func(), ok bool) {
	name := hostOf(rawURL)
	host := h.enter(name)
	release = func() {
		<-host.places
		h.leave(name, host)
	}
	select {
	case host.places <- struct{}{}:
		return release, true
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case host.places <- struct{}{}:
		return release, true
	case <-timer.C:
	case <-ctx.Done():
	}
	h.leave(name, host)
	return nil, false
}

func (h *hosts) enter(name string) *host {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byName[name] == nil {
		h.byName[name] = &host{places: make(chan struct{}, h.perHost)}
	}
	h.byName[name].users++
	return h.byName[name]
}

func (h *hosts) leave(name string, host *host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if host.users--; host.users == 0 {
		delete(h.byName, name)
	}
}

func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return rawURL
	}
	return strings.ToLower(u.Host)
}

// jittered returns between half of d and one and a half of it, so that what
// was turned away together does not come back together.
func jittered(d time.Duration) time.Duration {
	return d/2 + rand.N(d) //nolint:gosec // G404: nothing secret
}
