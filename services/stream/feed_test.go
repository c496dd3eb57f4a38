package stream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/models/db"
)

// told is a store, a hub and a feed, and tasks that tell what a test wants.
type told struct {
	testing.TB
	store *models.Store
	hub   *Hub
	feed  *Feed
}

func newTold(t testing.TB) *told {
	t.Helper()
	leavesNothing(t)
	return newToldOn(t, newDatabase(t))
}

// newToldOn is told on a database that others may use, too.
func newToldOn(t testing.TB, url string) *told {
	t.Helper()
	store, err := db.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	hub := NewHub(store)
	t.Cleanup(hub.Close)
	return &told{TB: t, store: store, hub: hub, feed: NewFeed(store, hub)}
}

func (e *told) task(kind string) models.Task {
	e.Helper()
	task := models.Task{
		ID: models.NewID(models.PrefixTask), Kind: kind, ResourceID: models.NewID(callbacks.KindOrder.Prefix),
		Status: models.StatusProcessing, Metadata: models.Metadata{}, CreatedAt: models.Now(), UpdatedAt: models.Now(),
	}
	e.write(func(tx *models.Tx) error { return models.CreateTask(tx, &task) })
	return task
}

// tell stores the next update of a task, and publishes it as Tasks does.
func (e *told) tell(task *models.Task, status string) {
	e.telling(task, status, func() {})
}

// telling is tell that calls stored before it commits.
func (e *told) telling(task *models.Task, status string, stored func()) {
	task.Sequence++
	u := models.Update{
		CallbackID: models.NewID(models.PrefixCallback), TaskID: task.ID, Kind: task.Kind, ResourceID: task.ResourceID,
		Sequence: task.Sequence, Status: status, Type: task.Kind + ".told", CreatedAt: models.Now(),
	}
	told := *task
	u.Snapshot = &told
	u, err := u.WithBody()
	if err != nil {
		e.Fatal(err)
	}
	e.write(func(tx *models.Tx) error {
		if err := tx.Model(task).Update("sequence", task.Sequence).Error; err != nil {
			return err
		}
		if err := models.CreateUpdate(tx, &u); err != nil {
			return err
		}
		stored()
		tx.AfterCommit(func() { e.hub.Publish(u) })
		return nil
	})
}

func (e *told) write(fn func(tx *models.Tx) error) {
	e.Helper()
	if err := e.store.InTx(context.Background(), fn); err != nil {
		e.Error(err)
	}
}

// stored is what a follower from position after should get.
func (e *told) stored(f models.UpdateFilter, after int64) (ids []int64) {
	e.Helper()
	newest, err := models.NewestUpdate(e.store.Read(context.Background()))
	for more := true; more && err == nil; {
		var page models.UpdatePage
		page, err = models.UpdatesAfter(e.store.Read(context.Background()), models.UpdateFilter{}, after, newest)
		for _, u := range page.Items {
			if f.Picks(u) {
				ids = append(ids, u.ID)
			}
		}
		after, more = page.Position, page.More
	}
	if err != nil {
		e.Fatal(err)
	}
	return ids
}

// TestFollowMissesAndRepeatsNothing has writers write while followers with all
// kinds of filters begin at any position, some of them slow, and are cut off at
// random and resume.
func TestFollowMissesAndRepeatsNothing(t *testing.T) {
	e := newTold(t)
	order, report := e.task("order"), e.task("report")
	filters := []models.UpdateFilter{
		{}, {TaskID: order.ID}, {Kind: "report"}, {Status: models.StatusFailed}, {TaskID: report.ID, Status: models.StatusCompleted}, {Kind: "none"},
	}
	for range 250 { // more than a page is there already
		e.tell(&order, models.StatusProcessing)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var followers, writers sync.WaitGroup
	type result struct {
		filter models.UpdateFilter
		after  int64
		ids    []int64
	}
	results := make([]result, 30)
	written := make(chan struct{})
	for i := range results {
		r := &results[i]
		r.filter, r.after = filters[i%len(filters)], rand.Int64N(300)
		followers.Go(func() {
			r.ids = e.collect(ctx, r.filter, r.after, i%7 == 3, written)
		})
	}
	for _, task := range []*models.Task{&order, &report} {
		writers.Go(func() {
			for i := range 400 {
				e.tell(task, []string{models.StatusProcessing, models.StatusCompleted, models.StatusFailed}[i%3])
			}
		})
	}
	writers.Wait()
	close(written)
	followers.Wait()
	cancel()
	for i, r := range results {
		if want := e.stored(r.filter, r.after); !slices.Equal(r.ids, want) {
			t.Errorf("follower %d, %+v from %d: got %d updates, want %d", i, r.filter, r.after, len(r.ids), len(want))
		}
	}
}

// collect follows, cut off now and then, until everything that was written has
// come, and then nothing for a while.
func (e *told) collect(ctx context.Context, f models.UpdateFilter, after int64, slow bool, written <-chan struct{}) (ids []int64) {
	for {
		for updates, err := range e.feed.Follow(ctx, f, after, 50*time.Millisecond) {
			if err != nil {
				e.Error(err)
				return ids
			}
			if len(updates) == 0 && isClosed(written) && len(e.stored(f, after)) == 0 {
				return ids
			}
			for _, u := range updates {
				ids = append(ids, u.ID)
				after = u.ID
			}
			if slow { // falls behind by more than its buffer
				<-time.After(20 * time.Millisecond)
			}
			if rand.IntN(10) == 0 {
				break // cut off
			}
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestStuckFollowerHarmsNobody has a follower that takes one update and no more.
func TestStuckFollowerHarmsNobody(t *testing.T) {
	e := newTold(t)
	task := e.task("order")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stuck := make(chan struct{})
	release := make(chan struct{})
	var count int
	var group sync.WaitGroup
	group.Go(func() {
		for updates := range e.feed.Follow(ctx, models.UpdateFilter{}, 0, time.Hour) {
			if count == 0 {
				close(stuck)
				<-release
			}
			if count += len(updates); count == 501 {
				return
			}
		}
	})
	e.tell(&task, models.StatusProcessing)
	<-stuck
	other := e.hub.Subscribe("", 600)
	defer other.Close()
	for range 500 {
		e.tell(&task, models.StatusProcessing) // returns when it is published
	}
	for n := 0; n < 500; {
		n += len(<-other.C)
	}
	close(release) // it falls back on what is stored, and misses nothing
	group.Wait()
	if count != 501 {
		t.Errorf("the follower got %d updates, want 501", count)
	}
}

func TestFollowEnds(t *testing.T) {
	e := newTold(t)
	for name, end := range map[string]func(cancel func()){
		"with its context": func(cancel func()) { cancel() },
		"with the hub":     func(func()) { e.hub.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for updates, err := range e.feed.Follow(ctx, models.UpdateFilter{}, 0, time.Millisecond) {
				if err != nil || len(updates) > 0 {
					t.Errorf("got %v %v", updates, err)
				}
				end(cancel)
			}
		})
	}
	for range e.feed.Follow(context.Background(), models.UpdateFilter{}, 0, time.Hour) {
		t.Error("a closed hub still yields")
	}
}

func TestFollowTellsThatTheDatabaseIsGone(t *testing.T) {
	e := newTold(t)
	if err := e.store.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for updates, err := range e.feed.Follow(context.Background(), models.UpdateFilter{}, 0, time.Hour) {
		if n++; err == nil || updates != nil {
			t.Errorf("got %v %v", updates, err)
		}
	}
	if n != 1 {
		t.Errorf("yielded %d times, want once", n)
	}
}

// BenchmarkPublish hands updates to followers of everything.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{0, 100, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			hub := newHub()
			var group sync.WaitGroup
			for range n {
				s := hub.Subscribe("", 1024)
				group.Go(func() {
					for range s.C {
					}
				})
			}
			u := models.Update{ID: 1, TaskID: "task_1"}
			for b.Loop() {
				hub.publish(u)
			}
			b.StopTimer()
			hub.Close()
			group.Wait()
		})
	}
}
