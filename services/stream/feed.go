package stream

import (
	"context"
	"fmt"
	"iter"
	"time"

	"petstore/models"
)

// Feed lets clients follow updates: those that are stored first, and then those
// that come, without losing or repeating one.
type Feed struct {
	store *models.Store
	hub   *Hub
}

// NewFeed returns the feed of all updates.
func NewFeed(store *models.Store, hub *Hub) *Feed { return &Feed{store: store, hub: hub} }

// followBuffer is how many batches of updates may wait for a follower. One that
// falls behind farther reads what it missed from the database, so this bounds
// memory and loses nothing.
const followBuffer = 8

// Reached reports whether the database has given out a position. Another replica
// may have told a client of updates that have not come here yet.
func (f *Feed) Reached(ctx context.Context, position int64) (bool, error) {
	newest, err := models.NewestUpdate(f.store.Read(ctx))
	return position <= newest, err
}

// Newest is the position of the newest update that followers here have heard of,
// 0 if there is none.
func (f *Feed) Newest(ctx context.Context) (int64, error) {
	if f.hub.poller != nil {
		return f.hub.poller.position(ctx)
	}
	return models.NewestUpdate(f.store.Read(ctx))
}

// Follow yields the updates that filter picks, in the order of their positions,
// each once, from the one after position after; and nil whenever there was
// nothing for the time quiet, which lets the consumer look after its connection.
// It ends when ctx does or the hub is closed, and with an error when the database
// cannot be read. The updates are shared: they must not be changed.
//
// A consumer that takes its time holds up nobody. It may be seconds behind: then
// it is given what is stored, a page at a time.
//
// That nothing is lost or repeated rests on this: all updates up to Newest can be
// read, and whatever comes after it is published later, in order. SQLite's single
// writer sees to it; on PostgreSQL the poller does.
func (f *Feed) Follow(ctx context.Context, filter models.UpdateFilter, after int64, quiet time.Duration) iter.Seq2[[]models.Update, error] {
	return func(yield func([]models.Update, error) bool) {
		w := follower{feed: f, filter: filter, position: after, quiet: quiet}
		w.yield = func(updates []models.Update) bool { return yield(updates, nil) }
		if err := w.run(ctx); err != nil && ctx.Err() == nil {
			yield(nil, fmt.Errorf("following updates after %d: %w", w.position, err))
		}
	}
}

// follower is one call of Follow.
type follower struct {
	feed     *Feed
	filter   models.UpdateFilter
	position int64 // the highest that has been yielded

	quiet time.Duration
	yield func([]models.Update) bool
}

// run subscribes, then replays, then goes live: in this order an update may come
// both ways, but never neither. The position tells which have been yielded.
func (w *follower) run(ctx context.Context) error {
	for {
		subscription := w.feed.hub.Subscribe(w.filter.TaskID, followBuffer)
		goOn, err := w.replay(ctx)
		if goOn && err == nil {
			goOn = w.live(ctx, subscription)
		}
		subscription.Close()
		if !goOn || err != nil {
			return err
		}
	}
}

// replay yields what is stored.
func (w *follower) replay(ctx context.Context) (goOn bool, err error) {
	for more := true; more; {
		newest, err := w.feed.Newest(ctx)
		if err != nil {
			return false, err
		}
		page, err := models.UpdatesAfter(w.feed.store.Read(ctx), w.filter, w.position, newest)
		if err != nil {
			return false, err
		}
		if len(page.Items) > 0 && !w.yield(page.Items) {
			return false, nil
		}
		w.position, more = page.Position, page.More
	}
	return true, nil
}

// live yields what comes, and reports whether to go on with a replay, because it
// came faster than it was taken.
func (w *follower) live(ctx context.Context, s *Subscription) (goOn bool) {
	timer := time.NewTimer(w.quiet)
	defer timer.Stop()
	for {
		var updates []models.Update
		select {
		case batch, open := <-s.C:
			if !open {
				return s.slow
			}
			if updates = w.pick(batch); len(updates) == 0 {
				continue
			}
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
		if !w.yield(updates) {
			return false
		}
		timer.Reset(w.quiet)
	}
}

// pick returns what the filter picks of a batch, without what has been yielded.
func (w *follower) pick(batch []models.Update) []models.Update {
	picked := batch[:0:0]
	for _, u := range batch {
		if u.ID > w.position && w.filter.Picks(u) {
			picked = append(picked, u)
		}
		w.position = max(w.position, u.ID)
	}
	return picked
}
