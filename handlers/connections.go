package handlers

import (
	"context"
	"fmt"

	"golang.org/x/sync/semaphore"

	"petstore/models"
)

// maxStreams bounds the streams and WebSockets open at a time.
const maxStreams = 10_000

// connections bounds the connections that stay open, and tells them when the server stops.
type connections struct {
	max      int64
	places   *semaphore.Weighted
	stopping context.Context // once it ends, nobody is let in
	stop     context.CancelFunc
}

func newConnections(most int64) *connections {
	c := &connections{max: most, places: semaphore.NewWeighted(most)}
	c.stopping, c.stop = context.WithCancel(context.Background())
	return c
}

// acquire takes a place, which release gives back.
func (c *connections) acquire() (release func(), err error) {
	if c.stopping.Err() != nil || !c.places.TryAcquire(1) {
		return nil, &models.Error{Code: codeUnavailable, Message: "There are too many open connections, or the server is stopping. Try again in a moment."}
	}
	return func() { c.places.Release(1) }, nil
}

// close tells all to end, and waits until they have: until all places are its own.
func (c *connections) close(ctx context.Context) error {
	c.stop()
	if err := c.places.Acquire(ctx, c.max); err != nil {
		return fmt.Errorf("waiting for open connections to end: %w", err)
	}
	c.places.Release(c.max) // for a second close
	return nil
}
