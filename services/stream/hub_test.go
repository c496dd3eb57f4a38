package stream

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"petstore/models"
)

func TestHubHandsOutWhatIsWanted(t *testing.T) {
	h := newHub()
	one, every := h.Subscribe("task_1", 10), h.Subscribe("", 10)
	for i := range 6 {
		h.publish(models.Update{ID: int64(i), TaskID: fmt.Sprintf("task_%d", i%2)})
	}
	if got := positions(t, every, 6); !slices.Equal(got, []int64{0, 1, 2, 3, 4, 5}) {
		t.Errorf("got %v of everything", got)
	}
	if got := positions(t, one, 3); !slices.Equal(got, []int64{1, 3, 5}) {
		t.Errorf("got %v of one task", got)
	}
	h.Close()
	h.publish(models.Update{ID: 8, TaskID: "task_1"})
	one.Close()
	for _, s := range []*Subscription{one, every, h.Subscribe("", 1)} {
		if !ended(s) {
			t.Error("a closed hub has subscribers")
		}
	}
}

// positions receives until n updates have come.
func positions(t *testing.T, s *Subscription, n int) []int64 {
	t.Helper()
	var got []int64
	for len(got) < n {
		for _, u := range await(t, s.C, "updates") {
			got = append(got, u.ID)
		}
	}
	return got
}

func TestHubDropsTheSlow(t *testing.T) {
	h := newHub()
	t.Cleanup(h.Close)
	slow, quick := h.Subscribe("", 2), h.Subscribe("", 3)
	for i := range 3 {
		h.publish(models.Update{ID: int64(i), TaskID: "task_1"})
		if got := positions(t, quick, 1); got[0] != int64(i) {
			t.Errorf("the quick one got %v", got)
		}
	}
	h.publish(models.Update{ID: 3, TaskID: "task_1"})
	positions(t, quick, 1) // by now the third batch has been handed out to all
	<-slow.C
	<-slow.C
	if !ended(slow) || !slow.slow {
		t.Error("the slow one was not dropped")
	}
	slow.Close()
	slow.Close()
}

// ended reports whether a subscription is closed and has nothing left.
func ended(s *Subscription) bool {
	select {
	case _, open := <-s.C:
		return !open
	default:
		return false
	}
}

// TestHubUnderConcurrency subscribes, publishes, drops and closes at once; a
// send on a closed channel would panic.
func TestHubUnderConcurrency(t *testing.T) {
	h := newHub()
	var publishers, subscribers sync.WaitGroup
	for range 4 {
		publishers.Go(func() {
			for i := range 2000 {
				h.publish(models.Update{ID: int64(i)})
			}
		})
		for buffer := range 3 {
			subscribers.Go(func() {
				for range 200 {
					s := h.Subscribe("", buffer)
					select {
					case <-s.C:
					default:
					}
					s.Close()
				}
			})
			subscribers.Go(func() {
				for range h.Subscribe("", buffer).C { // until dropped or closed
				}
			})
		}
	}
	publishers.Wait()
	h.Close()
	subscribers.Wait()
}
