package handlers

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"petstore/handlers/bounds"
	"petstore/models"
)

// maxStreams bounds the streams and WebSockets open at a time, and the sessions of
// Socket.IO: one address can have 10,000 of each (bounds.Places).
const maxStreams = 12_500

// connections bounds the connections that stay open, and tells them when the server stops.
type connections struct {
	places   *bounds.Places
	stopping context.Context // once it ends, nobody is let in
	stop     context.CancelFunc

	mu  sync.Mutex
	all sync.WaitGroup
}

func newConnections(most int) *connections {
	c := &connections{places: bounds.NewPlaces(most)}
	c.stopping, c.stop = context.WithCancel(context.Background())
	return c
}

// acquire takes a place for the client of a request, which release gives back.
func (c *connections) acquire(r *http.Request) (release func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping.Err() != nil {
		return nil, &models.Error{Code: codeUnavailable, Message: "The server is stopping. Try again in a moment."}
	}
	give := c.places.Take(r.RemoteAddr)
	if give == nil {
		return nil, &models.Error{Code: codeUnavailable, Message: "Too many connections are open, or too many from your address. Try again in a moment."}
	}
	c.all.Add(1)
	return func() {
		give()
		c.all.Done()
	}, nil
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
