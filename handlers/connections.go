package handlers

import (
	"context"
	"fmt"
	"sync"

	"petstore/models"
)

// maxStreams bounds the streams and WebSockets open at a time.
const maxStreams = 10_000

// connections counts the connections that stay open: it bounds them, and tells them
// when the server stops.
type connections struct {
	max      int
	stopping context.Context // once it ends, nobody is let in
	stop     context.CancelFunc

	mu   sync.Mutex
	open int
	all  sync.WaitGroup
}

func newConnections(most int) *connections {
	c := &connections{max: most}
	c.stopping, c.stop = context.WithCancel(context.Background())
	return c
}

// acquire takes a place, which release gives back.
func (c *connections) acquire() (release func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open >= c.max || c.stopping.Err() != nil {
		return nil, &models.Error{Code: codeUnavailable, Message: "There are too many open connections, or the server is stopping. Try again in a moment."}
	}
	c.open++
	c.all.Add(1)
	return c.release, nil
}

func (c *connections) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	c.all.Done()
}

// close tells all to end, and waits until they have.
func (c *connections) close(ctx context.Context) error {
	c.mu.Lock()
	c.stop()
	c.mu.Unlock()
	done := make(chan struct{})
	go func() {
		c.all.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for open connections to end: %w", ctx.Err())
	}
}
