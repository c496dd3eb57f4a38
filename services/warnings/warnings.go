// Package warnings keeps a fault that comes back thousands of times a second from filling the log.
package warnings

import (
	"log/slog"
	"sync"
	"time"
)

// Limiter logs each message at most once a second. Its zero value is ready.
type Limiter struct {
	mu   sync.Mutex
	last map[string]*logged
}

type logged struct {
	at         time.Time
	suppressed int
}

// Warn logs a message, which must be a constant, unless it was logged less than a second
// ago; the next line says how often it was suppressed.
func (l *Limiter) Warn(msg string, args ...any) {
	suppressed, ok := l.allow(msg, time.Now())
	if suppressed > 0 {
		args = append(args, "suppressed", suppressed)
	}
	if ok {
		slog.Warn(msg, args...)
	}
}

func (l *Limiter) allow(msg string, now time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[string]*logged{}
	}
	m := l.last[msg]
	if m == nil {
		m = &logged{}
		l.last[msg] = m
	}
	if now.Sub(m.at) < time.Second {
		m.suppressed++
		return 0, false
	}
	suppressed, m.at, m.suppressed = m.suppressed, now, 0
	return suppressed, true
}
