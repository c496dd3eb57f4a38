package services

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"petstore/models"
)

// publish publishes updates of the given tasks, numbered from 0, and returns
// when they have been handed out.
func publish(h *Hub, tasks ...string) {
	for i, task := range tasks {
		h.Publish(models.Update{ID: int64(i), TaskID: task})
		h.handOuts.Wait()
	}
}

// ids are the updates that wait for s.
func ids(s *Subscription) (got []int64) {
	for len(s.C) > 0 {
		for _, u := range <-s.C {
			got = append(got, u.ID)
		}
	}
	return got
}

func TestHubHandsOutWhatIsWanted(t *testing.T) {
	h := NewHub()
	all, even := h.Subscribe("", 10), h.Subscribe("even", 10)
	publish(h, "even", "odd", "even", "odd")
	h.Close()
	publish(h, "even")
	if got := ids(all); !slices.Equal(got, []int64{0, 1, 2, 3}) {
		t.Errorf("who wants all got %v", got)
	}
	if got := ids(even); !slices.Equal(got, []int64{0, 2}) {
		t.Errorf("who wants one task got %v", got)
	}
	for _, s := range []*Subscription{all, even, h.Subscribe("", 1), h.Subscribe("even", 1)} {
		if _, open := <-s.C; open || s.slow {
			t.Error("a closed hub has subscribers, or slow ones")
		}
		s.Close()
	}
}

func TestHubDropsTheSlow(t *testing.T) {
	h := NewHub()
	for _, task := range []string{"", "one"} {
		slow, quick := h.Subscribe(task, 2), h.Subscribe(task, 4)
		publish(h, "one", "one", "one")
		if got := ids(slow); !slices.Equal(got, []int64{0, 1}) {
			t.Errorf("the slow one got %v", got)
		}
		if _, open := <-slow.C; open || !slow.slow {
			t.Error("the slow one was not dropped")
		}
		slow.Close()
		slow.Close()
		publish(h, "one")
		if got := ids(quick); !slices.Equal(got, []int64{0, 1, 2, 0}) {
			t.Errorf("the quick one got %v", got)
		}
		quick.Close()
	}
	if len(h.everything) > 0 || len(h.byTask) > 0 {
		t.Error("the hub keeps those who have gone")
	}
}

// TestHubUnderConcurrency subscribes, publishes, drops and closes at once; a
// send on a closed channel would panic.
func TestHubUnderConcurrency(t *testing.T) {
	h := NewHub()
	var publishers, subscribers sync.WaitGroup
	for range 4 {
		publishers.Go(func() {
			for i := range 2000 {
				h.Publish(models.Update{ID: int64(i), TaskID: "one"})
			}
		})
		for buffer := range 3 {
			for _, task := range []string{"", "one"} {
				subscribers.Go(func() {
					for range 200 {
						s := h.Subscribe(task, buffer)
						select {
						case <-s.C:
						default:
						}
						s.Close()
					}
				})
				subscribers.Go(func() {
					for range h.Subscribe(task, buffer).C { // until dropped or closed
					}
				})
			}
		}
	}
	publishers.Wait()
	h.Close()
	subscribers.Wait()
}

func TestWait(t *testing.T) {
	proceed := make(chan struct{})
	e := newEngine(t, options{operations: []Operation{operation(func(ctx context.Context, _ *models.Task, _ Report) (any, error) {
		select {
		case <-proceed:
		case <-ctx.Done():
		}
		return nil, ctx.Err()
	})}})
	task := e.begin("")
	if got, err := e.tasks.Wait(within(t), task.ID, 0); err != nil || got.Ended() {
		t.Errorf("without waiting: %+v, %v", got, err)
	}
	if got, err := e.tasks.Wait(within(t), task.ID, time.Millisecond); err != nil || got.Ended() {
		t.Errorf("waiting too short: %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	if _, err := e.tasks.Wait(ctx, task.ID, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that left: %v", err)
	}
	waited := make(chan models.Task, 1)
	go func() {
		got, _ := e.tasks.Wait(within(t), task.ID, patienceOfTests)
		waited <- got
	}()
	close(proceed)
	if got := await(t, waited, "the end of the task"); got.Status != models.StatusCompleted {
		t.Errorf("got %+v", got)
	}
}
