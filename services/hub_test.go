package services

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"petstore/models"
)

func all(models.Update) bool { return true }

func TestHubHandsOutWhatIsWanted(t *testing.T) {
	h := NewHub()
	even := h.Subscribe(10, func(u models.Update) bool { return u.ID%2 == 0 })
	for i := range 6 {
		h.Publish(models.Update{ID: int64(i)})
	}
	h.Close()
	h.Publish(models.Update{ID: 8})
	var got []int64
	for u := range even.C {
		got = append(got, u.ID)
	}
	if len(got) != 3 || got[0] != 0 || got[1] != 2 || got[2] != 4 {
		t.Errorf("got %v", got)
	}
	even.Close()
	if late := h.Subscribe(1, all); !closed(late.C) {
		t.Error("a closed hub takes subscribers")
	}
}

func TestHubDropsTheSlow(t *testing.T) {
	h := NewHub()
	slow, quick := h.Subscribe(2, all), h.Subscribe(3, all)
	for i := range 3 {
		h.Publish(models.Update{ID: int64(i)})
	}
	if len(quick.C) != 3 {
		t.Errorf("the quick one has %d updates", len(quick.C))
	}
	<-slow.C
	<-slow.C
	if !closed(slow.C) {
		t.Error("the slow one was not dropped")
	}
	slow.Close()
	slow.Close()
	if h.Publish(models.Update{}); closed(quick.C) {
		t.Error("the quick one lost what it had")
	}
}

// closed reports whether c is closed and empty.
func closed(c <-chan models.Update) bool {
	select {
	case _, open := <-c:
		return !open
	default:
		return false
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
				h.Publish(models.Update{ID: int64(i)})
			}
		})
		for buffer := range 3 {
			subscribers.Go(func() {
				for range 200 {
					s := h.Subscribe(buffer, all)
					select {
					case <-s.C:
					default:
					}
					s.Close()
				}
			})
			subscribers.Go(func() {
				for range h.Subscribe(buffer, all).C { // until dropped or closed
				}
			})
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
