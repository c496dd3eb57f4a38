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
	"petstore/models/db"
)

const (
	// pollInterval is how often a replica looks for what others have committed. What
	// it has committed itself it looks for at once.
	pollInterval = 200 * time.Millisecond
	// pollTimeout bounds one look.
	pollTimeout = 10 * time.Second
	// minPollWait is the first pause while transactions are being awaited; each further
	// one is twice as long.
	minPollWait = time.Millisecond

	// positionTimeout bounds the wait for a position: the database may be away.
	positionTimeout = 3 * time.Second

	// idleInterval is how often it looks whether somebody follows, who has rung the wake.
	idleInterval = time.Minute

	// unknown is a position before the first.
	unknown = -1
)

// poller publishes what any replica commits to a shared database, in the order of
// the positions. An update waits for those below it that are about to be committed
// (models.Watermark): for moments, as transactions are short. While nobody follows, it
// rests, and costs the database nothing.
type poller struct {
	store *models.Store
	hub   *Hub
	wake  chan struct{} // this process has committed something, or somebody follows
	stop  context.CancelFunc
	ended chan struct{}

	mu      sync.Mutex
	known   chan struct{} // closed once settled is known
	visible int64         // updates up to here are as they will be for ever

	asking atomic.Int64 // how many wait for the position

	seen      models.Watermark
	published int64 // up to settled, but for the moment that it takes
}

// startPoller makes the poller of a hub, and lets it run.
func startPoller(store *models.Store, hub *Hub) {
	ctx, stop := context.WithCancel(context.Background())
	p := &poller{store: store, hub: hub, wake: make(chan struct{}, 1), stop: stop, ended: make(chan struct{})}
	p.forget()
	hub.poller = p // before it runs: it asks the hub who follows
	go p.run(ctx)
}

// forget makes what was settled unknown: nobody follows.
func (p *poller) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known, p.visible = make(chan struct{}), unknown
	p.seen.Newest, p.published = unknown, unknown
}

func (p *poller) close() {
	p.stop()
	<-p.ended
}

// signal tells that this process has committed something, or that somebody follows.
func (p *poller) signal() {
	select {
	case p.wake <- struct{}{}:
	default: // it rings already
	}
}

var (
	errPollerEnded = errors.New("the hub is closed")
	errNoPosition  = &models.Error{Code: db.CodeUnavailable, Message: "Updates cannot be read at the moment."}
)

// position is up to where everything can be read. What comes after it is published
// later than now, to those who had subscribed before they asked.
func (p *poller) position(ctx context.Context) (int64, error) {
	p.mu.Lock()
	known := p.known
	p.mu.Unlock()
	p.asking.Add(1) // so that it does not rest
	defer p.asking.Add(-1)
	p.signal()
	timeout := time.NewTimer(positionTimeout)
	defer timeout.Stop()
	select {
	case <-known:
	case <-timeout.C:
		return 0, errNoPosition
	case <-p.ended:
		return 0, errPollerEnded
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.visible, nil
}

func (p *poller) run(ctx context.Context) {
	defer close(p.ended)
	failing := false
	var wait time.Duration
	for soon := minPollWait; ctx.Err() == nil; p.pause(ctx, wait) {
		if p.hub.idle(p.forget) {
			wait = idleInterval
			continue
		}
		err := p.look(ctx)
		if err != nil || !p.awaiting() {
			wait, soon = pollInterval, minPollWait
		} else {
			wait, soon = soon, min(2*soon, pollInterval)
		}
		if err != nil && !failing && ctx.Err() == nil {
			slog.Warn("Polling for new updates fails; streams are late.", "err", err)
		}
		failing = err != nil
	}
}

// pause ends early when there is something new and nothing is awaited.
func (p *poller) pause(ctx context.Context, wait time.Duration) {
	wake := p.wake
	if p.awaiting() {
		wake = nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-wake:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// awaiting reports whether there are updates that can be seen, but may not be all.
func (p *poller) awaiting() bool { return p.seen.Newest > p.visible }

// look finds out what is new, and publishes what is settled.
func (p *poller) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	view := p.store.Read(ctx)
	if !p.awaiting() {
		newest, err := models.NewestUpdate(view)
		if err == nil && newest != p.visible {
			p.seen, err = models.ReadWatermark(view)
		}
		if err != nil {
			return err
		}
	}
	if p.awaiting() {
		settled, err := p.seen.Settled(view)
		if err != nil {
			return err
		}
		if settled {
			p.markVisible(p.seen.Newest)
		}
	}
	return p.catchUp(view)
}

func (p *poller) markVisible(position int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.visible == unknown {
		p.published = position // nobody has missed what is older
		close(p.known)
	}
	p.visible = position
}

// catchUp publishes what is settled. It comes after settle, so that a follower who
// has subscribed and then asks for the position misses nothing in between.
func (p *poller) catchUp(view *gorm.DB) error {
	for p.published < p.visible {
		settled := p.visible
		page, err := models.UpdatesAfter(view, models.UpdateFilter{}, p.published, settled)
		if err != nil {
			return err
		}
		for _, u := range page.Items {
			p.hub.publish(u)
		}
		p.published = page.Position
	}
	return nil
}
