// Package hosts bounds how many requests are under way to each host.
package hosts

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"
)

// patience is how long Take waits for a place among those to a host: a
// burst to a receiver that answers is over in that time.
const patience = 100 * time.Millisecond

// Limiter counts the requests that are under way to each host.
type Limiter struct {
	perHost int // how many may be under way to one
	mu      sync.Mutex
	byName  map[string]*host
}

// host has a place for each request that may be under way.
type host struct {
	places chan struct{}
	users  int // that hold a place or wait for one
}

// New returns a Limiter that lets perHost requests be under way to one host.
func New(perHost int) *Limiter { return &Limiter{perHost: perHost, byName: map[string]*host{}} }

// Wait waits for a place among the requests to the host of rawURL until ctx ends.
func (l *Limiter) Wait(ctx context.Context, rawURL string) (release func(), err error) {
	for ctx.Err() == nil {
		if release, ok := l.Take(ctx, rawURL); ok {
			return release, nil
		}
	}
	return nil, ctx.Err()
}

// Take asks for a place among the requests to the host of rawURL. It waits a moment
// at most: false means that the host has enough to do.
func (l *Limiter) Take(ctx context.Context, rawURL string) (release func(), ok bool) {
	name := hostOf(rawURL)
	host := l.enter(name)
	release = func() {
		<-host.places
		l.leave(name, host)
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
	l.leave(name, host)
	return nil, false
}

func (l *Limiter) enter(name string) *host {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byName[name] == nil {
		l.byName[name] = &host{places: make(chan struct{}, l.perHost)}
	}
	l.byName[name].users++
	return l.byName[name]
}

func (l *Limiter) leave(name string, host *host) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if host.users--; host.users == 0 {
		delete(l.byName, name)
	}
}

func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return rawURL
	}
	return strings.ToLower(u.Host)
}
