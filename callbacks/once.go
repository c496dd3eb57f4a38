package callbacks

import (
	"context"
	"sync"
)

// once lets each id be processed successfully once, as far back as it remembers.
type once struct {
	mu      sync.Mutex
	running map[string]chan struct{} // closed when the processing ends
	done    map[string]struct{}
	// ring holds the ids of done in the order they came. When it is full, the oldest, at next, makes room.
	ring     []string
	next     int
	remember int
}

func newOnce(remember int) *once {
	return &once{
		running:  make(map[string]chan struct{}),
		done:     make(map[string]struct{}),
		remember: remember,
	}
}

// begin returns true if the caller is to process id, and must then call end; false if it has been processed. While
// another caller is at it, begin waits, and returns an error only if ctx ends first.
func (o *once) begin(ctx context.Context, id string) (bool, error) {
	for {
		running, done := o.enter(id)
		if running == nil {
			return !done, nil
		}
		select {
		case <-running:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// enter marks id as running, unless it is done or is running already.
func (o *once) enter(id string) (running chan struct{}, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, done := o.done[id]; done {
		return nil, true
	}
	if running := o.running[id]; running != nil {
		return running, false
	}
	o.running[id] = make(chan struct{})
	return nil, false
}

// end says how the processing of id came out.
func (o *once) end(id string, success bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.running[id])
	delete(o.running, id)
	if !success {
		return
	}
	o.done[id] = struct{}{}
	if len(o.ring) < o.remember {
		o.ring = append(o.ring, id)
		return
	}
	delete(o.done, o.ring[o.next])
	o.ring[o.next] = id
	o.next = (o.next + 1) % o.remember
}
