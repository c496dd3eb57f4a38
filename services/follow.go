package services

import (
	"context"
	"fmt"
	"iter"
	"maps"
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

// followBuffer is how many lots of updates may wait for a follower. One that
// falls behind farther reads what it missed from the database, so this bounds
// memory and loses nothing.
const followBuffer = 8

// Newest is the position of the newest update, 0 if there is none.
func (f *Feed) Newest(ctx context.Context) (int64, error) {
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
// That nothing is lost rests on this: positions grow in the order of commits.
// SQLite's single writer sees to it. On PostgreSQL it holds for the updates of one
// task, but those of several can be committed in another order: a client that
// follows them all, and is cut off between two such commits, can miss the later
// one when it resumes. Also, what other replicas commit does not come live: it is
// there at the next resume.
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

	// What has come by replay must not come again, live.
	replayed map[int64]struct{} // of the last overlap positions
	known    int64              // positions up to here are old, whether picked or not

	quiet time.Duration
	yield func([]models.Update) bool
}

// overlap is by how much the positions of two updates may differ that are being
// committed side by side.
const overlap = 1000

// run subscribes, then replays, then goes live: in this order an update may come
// both ways, but never neither. Positions tell which have been yielded.
func (w *follower) run(ctx context.Context) error {
	for {
		w.known, w.replayed = w.position, nil
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
		var page models.UpdatePage
		if page, err = models.UpdatesAfter(w.feed.store.Read(ctx), w.filter, w.position); err != nil {
			return false, err
		}
		if len(page.Items) > 0 && !w.yield(page.Items) {
			return false, nil
		}
		w.position, more = page.Position, page.More
		w.remember(page.Items)
	}
	return true, nil
}

func (w *follower) remember(replayed []models.Update) {
	if w.replayed == nil && len(replayed) > 0 {
		w.replayed = map[int64]struct{}{}
	}
	w.known = max(w.known, w.position-overlap)
	maps.DeleteFunc(w.replayed, func(id int64, _ struct{}) bool { return id <= w.known })
	for _, u := range replayed {
		w.replayed[u.ID] = struct{}{}
	}
}

// live yields what comes, and reports whether to go on with a replay, because it
// came faster than it was taken.
func (w *follower) live(ctx context.Context, s *Subscription) (goOn bool) {
	timer := time.NewTimer(w.quiet)
	defer timer.Stop()
	for {
		var updates []models.Update
		select {
		case lot, open := <-s.C:
			if !open {
				return s.slow
			}
			if updates = w.pick(lot); len(updates) == 0 {
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

// pick returns what the filter picks of a lot, without what was replayed.
func (w *follower) pick(lot []models.Update) []models.Update {
	picked := lot[:0:0]
	for _, u := range lot {
		_, replayed := w.replayed[u.ID]
		if u.ID > w.known && !replayed && w.filter.Picks(u) {
			picked = append(picked, u)
		}
		w.position = max(w.position, u.ID)
	}
	return picked
}
