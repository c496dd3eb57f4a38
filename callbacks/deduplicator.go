package callbacks

import (
	"context"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// deduplicator lets each id be processed successfully once, as far back as it remembers.
type deduplicator struct {
	mu      sync.Mutex
	running map[string]chan struct{} // closed when the processing ends
	done    *simplelru.LRU[string, struct{}]
}

func newDeduplicator(remember int) *deduplicator {
	done, err := simplelru.NewLRU[string, struct{}](remember, nil)
	if err != nil {
		panic(err) // remember is a positive constant.
	}
	return &deduplicator{running: make(map[string]chan struct{}), done: done}
}

// acquire returns true if the caller is to process id, and must then call release; false if it has been processed. While
// another caller is at it, acquire waits, and returns an error only if ctx ends first.
func (o *deduplicator) acquire(ctx context.Context, id string) (bool, error) {
	for {
		running, done := o.tryAcquire(id)
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

// tryAcquire marks id as running, unless it is done or is running already.
func (o *deduplicator) tryAcquire(id string) (running chan struct{}, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done.Contains(id) {
		return nil, true
	}
	if running := o.running[id]; running != nil {
		return running, false
	}
	o.running[id] = make(chan struct{})
	return nil, false
}

// release says how the processing of id came out.
func (o *deduplicator) release(id string, success bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.running[id])
	delete(o.running, id)
	if success {
		o.done.Add(id, struct{}{})
	}
}
