package fetch

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"
)

// BusyError says that no more may be fetched at the moment, from this host or at all. It is
// returned at once: whoever waits for a host that hangs should hold nothing that others need.
type BusyError struct {
	RetryAfter time.Duration // a second to a minute
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("fetch: too much is under way, try again in %s", e.RetryAfter)
}

const (
	// retryFirst is when the first comes back that found no place, and retrySpacing how long after it
	// the next: so that they find one, and are no burst. None waits longer than retryLast.
	retryFirst   = time.Second
	retrySpacing = 10 * time.Millisecond
	retryLast    = time.Minute
)

// places bounds how many requests are under way.
type places struct {
	free int
	next time.Time // when the last comes back that found none
}

// retryAfter gives those who find no place different times.
func (p *places) retryAfter(now time.Time) time.Duration {
	wait := min(max(p.next.Add(retrySpacing).Sub(now), retryFirst), retryLast)
	p.next = now.Add(wait)
	return wait
}

// hosts bounds how many requests are under way to each host, and to all.
type hosts struct {
	perHost int // how many may be under way to one
	mu      sync.Mutex
	all     places
	byName  map[string]*places
}

func newHosts(most, perHost int) *hosts {
	return &hosts{perHost: perHost, all: places{free: most}, byName: map[string]*places{}}
}

// acquire takes a place among the requests to the host of rawURL, or returns a *BusyError.
func (h *hosts) acquire(rawURL string) (release func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := hostOf(rawURL)
	host := h.byName[name]
	if host == nil {
		host = &places{free: h.perHost}
	}
	for _, p := range []*places{host, &h.all} {
		if p.free == 0 {
			return nil, &BusyError{RetryAfter: p.retryAfter(time.Now())}
		}
	}
	h.byName[name] = host
	host.free--
	h.all.free--
	return func() { h.release(name) }, nil
}

func (h *hosts) release(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all.free++
	host := h.byName[name]
	if host.free++; host.free == h.perHost {
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
