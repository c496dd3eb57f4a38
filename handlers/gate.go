package handlers

import (
	"context"
	"fmt"
	"sync"

	"petstore/models"
)

// maxStreams bounds the streams and WebSockets open at a time.
const maxStreams = 10_000

// gate counts the connections that stay open: it bounds them, and tells them
// when the server stops.
type gate struct {
	max      int
	stopping context.Context // a stopped gate lets nobody in
	stop     context.CancelFunc

	mu     sync.Mutex
	inside int
	all    sync.WaitGroup
}

func newGate(most int) *gate {
	g := &gate{max: most}
	g.stopping, g.stop = context.WithCancel(context.Background())
	return g
}

// enter takes a place, which leave gives back.
func (g *gate) enter() (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside >= g.max || g.stopping.Err() != nil {
		return nil, &models.Error{Code: codeUnavailable, Message: "There are too many open connections, or the server is stopping. Try again in a moment."}
	}
	g.inside++
	g.all.Add(1)
	return g.leave, nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.all.Done()
}

// close tells all to end, and waits until they have.
func (g *gate) close(ctx context.Context) error {
	g.mu.Lock()
	g.stop()
	g.mu.Unlock()
	done := make(chan struct{})
	go func() {
		g.all.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for open connections to end: %w", ctx.Err())
	}
}
