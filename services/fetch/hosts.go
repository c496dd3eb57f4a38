package fetch

import (
	"context"
	"net/url"
	"strings"
	"sync"
)

// hosts bounds how many requests are under way to each host.
type hosts struct {
	perHost int // how many may be under way to one
	mu      sync.Mutex
	byName  map[string]*host
}

// host has a place for each request that may be under way.
type host struct {
	places chan struct{}
	users  int // that hold a place or wait for one
}

func newHosts(perHost int) *hosts { return &hosts{perHost: perHost, byName: map[string]*host{}} }

// acquire waits for a place among the requests to the host of rawURL, until ctx ends.
func (h *hosts) acquire(ctx context.Context, rawURL string) (release func(), err error) {
	name := hostOf(rawURL)
	host := h.enter(name)
	select {
	case host.places <- struct{}{}:
		return func() {
			<-host.places
			h.leave(name, host)
		}, nil
	case <-ctx.Done():
		h.leave(name, host)
		return nil, ctx.Err()
	}
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
