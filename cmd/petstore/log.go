package main

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// repeatAfter is how long a line keeps others of its level and message out of the log.
	repeatAfter = time.Second
	// maxRepeats bounds the messages that are remembered.
	maxRepeats = 1000
)

// limitRepeats returns a handler that keeps a fault that comes back hundreds of times a second from filling the log:
// lines of one level and message go to h once a second. Of those that come between, the last one is written
// when the second is over, with how many others were suppressed.
func limitRepeats(h slog.Handler) slog.Handler {
	return repeatLimiter{h, &repeats{lines: map[repeat]*latestRepeat{}}}
}

type repeatLimiter struct {
	slog.Handler
	shared *repeats
}

// repeats are the lines that were written within the last second.
type repeats struct {
	mu    sync.Mutex
	lines map[repeat]*latestRepeat
}

type repeat struct {
	level   slog.Level
	message string
}

type latestRepeat struct {
	since int              // how many lines came since the one that was written
	write func(others int) // writes the last of them
}

func (l repeatLimiter) Handle(ctx context.Context, line slog.Record) error {
	if !l.shared.suppress(repeat{line.Level, kindOf(line.Message)}, func(others int) {
		last := line.Clone()
		if others > 0 {
			last.AddAttrs(slog.Int("suppressed", others))
		}
		_ = l.Handler.Handle(context.WithoutCancel(ctx), last) // to whom should it be told?
	}) {
		return l.Handler.Handle(ctx, line)
	}
	return nil
}

// kindOf is what messages of one kind share. Ours are constants; net/http's go on with an address, or with what a peer has sent.
func kindOf(message string) string {
	if i := strings.IndexAny(message, `0123456789"[`); i > 0 {
		return message[:i]
	}
	return message
}

// suppress reports whether a line has to wait for the end of the second, when write may be called.
func (r *repeats) suppress(key repeat, write func(others int)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if before := r.lines[key]; before != nil {
		before.since++
		before.write = write
		return true
	}
	if len(r.lines) < maxRepeats {
		r.lines[key] = &latestRepeat{}
		time.AfterFunc(repeatAfter, func() { r.flush(key) })
	}
	return false
}

// flush ends the second that a line began. If others came in it, the last of them begins the next.
func (r *repeats) flush(key repeat) {
	r.mu.Lock()
	ended := r.lines[key]
	if ended.since == 0 {
		delete(r.lines, key)
		r.mu.Unlock()
		return
	}
	r.lines[key] = &latestRepeat{}
	time.AfterFunc(repeatAfter, func() { r.flush(key) })
	r.mu.Unlock()
	ended.write(ended.since - 1)
}

func (l repeatLimiter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return repeatLimiter{l.Handler.WithAttrs(attrs), l.shared}
}

func (l repeatLimiter) WithGroup(name string) slog.Handler {
	return repeatLimiter{l.Handler.WithGroup(name), l.shared}
}
