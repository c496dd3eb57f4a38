package stream

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"petstore/models"
	"petstore/models/postgrestest"
)

// TestPollerWaitsForLowerPositions: on PostgreSQL two replicas tell of two tasks side
// by side, and who is told first commits last. Followers of both, live or resuming
// in between, get both in the order of their positions.
func TestPollerWaitsForLowerPositions(t *testing.T) {
	url := postgrestest.URL(t)
	one, other := newToldOn(t, url), newToldOn(t, url)
	first, second := one.task("order"), one.task("report")
	ctx, cancel := context.WithTimeout(t.Context(), patienceOfTests)
	defer cancel()
	var followers sync.WaitGroup
	for _, e := range []*told{one, other} {
		if _, err := e.feed.Newest(ctx); err != nil {
			t.Fatal(err)
		}
	}
	quiet := make(chan []int64, 100)
	follow := func(e *told, after int64) {
		followers.Go(func() {
			var got []int64
			for updates, err := range e.feed.Follow(ctx, models.UpdateFilter{}, after, 10*time.Millisecond) {
				if err != nil {
					t.Error(err)
				}
				for _, u := range updates {
					got = append(got, u.ID)
				}
				if len(updates) == 0 {
					quiet <- slices.Clone(got)
				}
				if len(got) == 2 {
					break
				}
			}
			if !slices.Equal(got, one.stored(models.UpdateFilter{}, after)) {
				t.Errorf("a follower from %d got %v", after, got)
			}
		})
	}
	follow(one, 0)
	follow(other, 0)

	taken, commit := make(chan struct{}), make(chan struct{})
	var committing sync.WaitGroup
	committing.Go(func() {
		one.telling(&first, models.StatusProcessing, func() { close(taken); <-commit })
	})
	await(t, taken, "the lower position")
	other.tell(&second, models.StatusProcessing)
	between, err := other.feed.Newest(ctx)
	if err != nil || between != 0 {
		t.Errorf("updates up to %d are said to be settled (%v), but one of them is not committed", between, err)
	}
	follow(other, between)
	follow(one, between)
	for range 40 { // ten times from each, or so
		if got := await(t, quiet, "a follower who waits"); len(got) > 0 {
			t.Errorf("a follower was given %v too early", got)
		}
	}
	close(commit)
	committing.Wait()
	followers.Wait()
}
