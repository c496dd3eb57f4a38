package fetch

import (
	"context"
	"errors"
	"sync"
	"testing"
)

func TestHostHasSoManyPlaces(t *testing.T) {
	h := newHosts(4)
	acquire := func(url string) func() {
		t.Helper()
		release, err := h.acquire(within(t), url)
		if err != nil {
			t.Fatal(err)
		}
		return release
	}
	var releases []func()
	for range 4 {
		releases = append(releases, acquire("http://one.test/x"))
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.acquire(cancelled, "http://ONE.test/another-path"); !errors.Is(err, context.Canceled) {
		t.Errorf("one place too many: %v", err)
	}
	acquire("http://one.test:81/x")() // another host need not wait
	waiting := make(chan func())
	go func() { waiting <- acquire("http://one.test/") }()
	releases[0]()
	releases[0] = <-waiting
	for _, release := range releases {
		release()
	}
	if len(h.byName) != 0 {
		t.Errorf("hosts that nobody uses are remembered: %v", h.byName)
	}
}

func TestHostsUnderConcurrency(t *testing.T) {
	h := newHosts(8)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for range 50 {
				release, err := h.acquire(within(t), "http://one.test/")
				if err != nil {
					t.Error(err)
					return
				}
				release()
			}
		})
	}
	all.Wait()
	if len(h.byName) != 0 {
		t.Errorf("left: %v", h.byName)
	}
}
