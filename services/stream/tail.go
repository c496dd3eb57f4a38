package stream

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"petstore/models"
)

const (
	// tailInterval is how often a replica looks for what others have committed. What
	// it has committed itself it looks for at once.
	tailInterval = 200 * time.Millisecond
	// tailPatience bounds one look.
	tailPatience = 10 * time.Second
	// tailSoon is the first pause while transactions are being awaited; each further
	// one is twice as long.
	tailSoon = time.Millisecond

	// restFor is how often it looks whether somebody follows, who has rung the bell.
	restFor = time.Minute

	// unknown is a position before the first.
	unknown = -1
)

// tail hands on what any replica commits to a shared database, in the order of
// the positions. An update waits for those below it that are about to be committed
// (models.Horizon): for moments, as transactions are short. While nobody follows, it
// rests, and costs the database nothing.
type tail struct {
	store *models.Store
	hub   *Hub
	bell  chan struct{} // this process has committed something, or somebody follows
	stop  context.CancelFunc
	ended chan struct{}

	mu      sync.Mutex
	known   chan struct{} // closed once settled is known
	settled int64         // updates up to here are as they will be for ever

	asking atomic.Int64 // how many wait for the position

	seen      models.Horizon
	published int64 // up to settled, but for the moment that it takes
}

// startTail makes the tail of a hub, and lets it run.
func startTail(store *models.Store, hub *Hub) {
	ctx, stop := context.WithCancel(context.Background())
	t := &tail{store: store, hub: hub, bell: make(chan struct{}, 1), stop: stop, ended: make(chan struct{})}
	t.forget()
	hub.tail = t // before it runs: it asks the hub who follows
	go t.run(ctx)
}

// forget makes what was settled unknown: nobody follows.
func (t *tail) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known, t.settled = make(chan struct{}), unknown
	t.seen.Newest, t.published = unknown, unknown
}

func (t *tail) close() {
	t.stop()
	<-t.ended
}

// ring tells that this process has committed something, or that somebody follows.
func (t *tail) ring() {
	select {
	case t.bell <- struct{}{}:
	default: // it rings already
	}
}

var errTailEnded = errors.New("the hub is closed")

// position is up to where everything can be read. What comes after it is published
// later than now, to those who had subscribed before they asked.
func (t *tail) position(ctx context.Context) (int64, error) {
	t.mu.Lock()
	known := t.known
	t.mu.Unlock()
	t.asking.Add(1) // so that it does not rest
	defer t.asking.Add(-1)
	t.ring()
	select {
	case <-known:
	case <-t.ended:
		return 0, errTailEnded
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.settled, nil
}

func (t *tail) run(ctx context.Context) {
	defer close(t.ended)
	failing := false
	var wait time.Duration
	for soon := tailSoon; ctx.Err() == nil; t.pause(ctx, wait) {
		if t.hub.rest(t.forget) {
			wait = restFor
			continue
		}
		err := t.look(ctx)
		if err != nil || !t.awaiting() {
			wait, soon = tailInterval, tailSoon
		} else {
			wait, soon = soon, min(2*soon, tailInterval)
		}
		if err != nil && !failing && ctx.Err() == nil {
			slog.Warn("Updates do not come live at the moment.", "err", err)
		}
		failing = err != nil
	}
}

// pause ends early when there is something new and nothing is awaited.
func (t *tail) pause(ctx context.Context, wait time.Duration) {
	bell := t.bell
	if t.awaiting() {
		bell = nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-bell:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// awaiting reports whether there are updates that can be seen, but may not be all.
func (t *tail) awaiting() bool { return t.seen.Newest > t.settled }

// look finds out what is new, and publishes what is settled.
func (t *tail) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tailPatience)
	defer cancel()
	db := t.store.Read(ctx)
	if !t.awaiting() {
		newest, err := models.NewestUpdate(db)
		if err == nil && newest != t.settled {
			t.seen, err = models.ReadHorizon(db)
		}
		if err != nil {
			return err
		}
	}
	if t.awaiting() {
		settled, err := t.seen.Settled(db)
		if err != nil {
			return err
		}
		if settled {
			t.settle(t.seen.Newest)
		}
	}
	return t.catchUp(db)
}

func (t *tail) settle(position int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.settled == unknown {
		t.published = position // nobody has missed what is older
		close(t.known)
	}
	t.settled = position
}

// catchUp publishes what is settled. It comes after settle, so that a follower who
// has subscribed and then asks for the position misses nothing in between.
func (t *tail) catchUp(db *gorm.DB) error {
	for t.published < t.settled {
		settled := t.settled
		page, err := models.UpdatesAfter(db, models.UpdateFilter{}, t.published, settled)
		if err != nil {
			return err
		}
		for _, u := range page.Items {
			t.hub.publish(u)
		}
		t.published = page.Position
	}
	return nil
}
