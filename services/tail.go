package services

import (
	"context"
	"errors"
	"log/slog"
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

	// unknown is a position before the first.
	unknown = -1
)

// tail hands on what any replica commits to a shared database, in the order of
// the positions. An update waits for those below it that are about to be committed
// (models.Horizon): for moments, as transactions are short.
type tail struct {
	store   *models.Store
	publish func(models.Update)
	bell    chan struct{} // this process has committed something
	stop    context.CancelFunc
	ended   chan struct{}

	settled   atomic.Int64  // updates up to here are as they will be for ever
	known     chan struct{} // closed once settled is known
	seen      models.Horizon
	published int64 // up to settled, but for the moment that it takes
}

func startTail(store *models.Store, publish func(models.Update)) *tail {
	ctx, stop := context.WithCancel(context.Background())
	t := &tail{store: store, publish: publish, bell: make(chan struct{}, 1), stop: stop, ended: make(chan struct{}), known: make(chan struct{})}
	t.seen.Newest, t.published = unknown, unknown
	t.settled.Store(unknown)
	go t.run(ctx)
	return t
}

func (t *tail) close() {
	t.stop()
	<-t.ended
}

// ring tells that this process has committed something.
func (t *tail) ring() {
	select {
	case t.bell <- struct{}{}:
	default: // it rings already
	}
}

var errTailEnded = errors.New("the hub is closed")

// position is up to where everything can be read. What comes after it is published
// later than now.
func (t *tail) position(ctx context.Context) (int64, error) {
	select {
	case <-t.known:
	case <-t.ended:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if settled := t.settled.Load(); settled != unknown {
		return settled, nil
	}
	return 0, errTailEnded
}

func (t *tail) run(ctx context.Context) {
	defer close(t.ended)
	failing := false
	var wait time.Duration
	for soon := tailSoon; ctx.Err() == nil; t.pause(ctx, wait) {
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
func (t *tail) awaiting() bool { return t.seen.Newest > t.settled.Load() }

// look finds out what is new, and publishes what is settled.
func (t *tail) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tailPatience)
	defer cancel()
	db := t.store.Read(ctx)
	if !t.awaiting() {
		newest, err := models.NewestUpdate(db)
		if err == nil && newest != t.settled.Load() {
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
	if t.settled.Swap(position) == unknown {
		t.published = position // nobody has missed what is older
		close(t.known)
	}
}

// catchUp publishes what is settled. It comes after settle, so that a follower who
// has subscribed and then asks for the position misses nothing in between.
func (t *tail) catchUp(db *gorm.DB) error {
	for settled := t.settled.Load(); t.published < settled; {
		page, err := models.UpdatesAfter(db, models.UpdateFilter{}, t.published, settled)
		if err != nil {
			return err
		}
		for _, u := range page.Items {
			t.publish(u)
		}
		t.published = page.Position
	}
	return nil
}
