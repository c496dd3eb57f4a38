package services

import (
	"context"
	"sync"
	"testing"
)

func TestHostHasSoManyPlaces(t *testing.T) {
	h := newHosts(maxPerHost)
	var releases []func()
	for range maxPerHost {
		release, ok := h.take(t.Context(), "http://one.test/x")
		if !ok {
			t.Fatal("no place at a free host")
		}
		releases = append(releases, release)
	}
	if _, ok := h.take(t.Context(), "http://one.test/another-path"); ok {
		t.Error("one place too many")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ok := h.take(cancelled, "http://ONE.test/"); ok {
		t.Error("one place too many for a host in capitals")
	}
	other, ok := h.take(t.Context(), "http://one.test:81/x")
	if !ok {
		t.Fatal("another host has to wait")
	}
	waiting := make(chan func(), 1)
	go func() {
		release, _ := h.take(t.Context(), "http://one.test/")
		waiting <- release
	}()
	releases[0]()
	if release := await(t, waiting, "a place"); release != nil { // nil: it waited too long
		releases[0] = release
	} else {
		releases = releases[1:]
	}
	other()
	for _, release := range releases {
		release()
	}
	if len(h.byName) != 0 {
		t.Errorf("hosts that nobody uses are remembered: %v", h.byName)
	}
}

func TestHostsUnderConcurrency(t *testing.T) {
	h := newHosts(maxPerHost)
	var all sync.WaitGroup
	for range 4 * maxPerHost {
		all.Go(func() {
			for range 50 {
				if release, ok := h.take(t.Context(), "http://one.test/"); ok {
					release()
				}
			}
		})
	}
	all.Wait()
	if len(h.byName) != 0 {
		t.Errorf("left: %v", h.byName)
	}
}
