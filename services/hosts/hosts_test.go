package hosts

import (
	"context"
	"sync"
	"testing"
)

const perHost = 64

func TestHostHasSoManyPlaces(t *testing.T) {
	l := New(perHost)
	var releases []func()
	for range perHost {
		release, ok := l.Take(t.Context(), "http://one.test/x")
		if !ok {
			t.Fatal("no place at a free host")
		}
		releases = append(releases, release)
	}
	if _, ok := l.Take(t.Context(), "http://one.test/another-path"); ok {
		t.Error("one place too many")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ok := l.Take(cancelled, "http://ONE.test/"); ok {
		t.Error("one place too many for a host in capitals")
	}
	other, ok := l.Take(t.Context(), "http://one.test:81/x")
	if !ok {
		t.Fatal("another host has to wait")
	}
	waiting := make(chan func(), 1)
	go func() {
		release, _ := l.Take(t.Context(), "http://one.test/")
		waiting <- release
	}()
	releases[0]()
	if release := <-waiting; release != nil { // nil: it waited too long
		releases[0] = release
	} else {
		releases = releases[1:]
	}
	other()
	for _, release := range releases {
		release()
	}
	if len(l.byName) != 0 {
		t.Errorf("hosts that nobody uses are remembered: %v", l.byName)
	}
}

func TestHostsUnderConcurrency(t *testing.T) {
	l := New(perHost)
	var all sync.WaitGroup
	for range 4 * perHost {
		all.Go(func() {
			for range 50 {
				if release, ok := l.Take(t.Context(), "http://one.test/"); ok {
					release()
				}
			}
		})
	}
	all.Wait()
	if len(l.byName) != 0 {
		t.Errorf("left: %v", l.byName)
	}
}
