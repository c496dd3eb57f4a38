package fetch

import (
	"errors"
	"sync"
	"testing"
)

func TestHostHasSoManyPlaces(t *testing.T) {
	h := newHosts(100, 4)
	var releases []func()
	for _, url := range []string{"http://one.test/x", "http://one.test/x", "http://one.test/x", "http://one.test/x", "http://one.test:81/x"} {
		release, err := h.acquire(url)
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, release)
	}
	var busy *BusyError
	if _, err := h.acquire("http://ONE.test/another-path"); !errors.As(err, &busy) {
		t.Errorf("one place too many: %v", err)
	}
	releases[0]()
	var err error
	if releases[0], err = h.acquire("http://one.test/"); err != nil {
		t.Error(err)
	}
	for _, release := range releases {
		release()
	}
	if len(h.byName) != 0 {
		t.Errorf("hosts that nobody uses are remembered: %v", h.byName)
	}
}

func TestHostsUnderConcurrency(t *testing.T) {
	h := newHosts(8, 8)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for range 50 {
				if release, err := h.acquire("http://one.test/"); err == nil {
					release()
				}
			}
		})
	}
	all.Wait()
	if len(h.byName) != 0 || h.all.free != 8 {
		t.Errorf("left: %v, %d free", h.byName, h.all.free)
	}
}

// TestFetchesInAll (security 2, another instance): with as many hosts that hang as there are places, one more is not waited for.
func TestFetchesInAll(t *testing.T) {
	h := newHosts(2, 1)
	first, _ := h.acquire("http://one.test/")
	_, err := h.acquire("http://two.test/")
	var busy *BusyError
	if _, third := h.acquire("http://three.test/"); err != nil || !errors.As(third, &busy) || busy.RetryAfter <= 0 || busy.RetryAfter > retryFirst {
		t.Errorf("got %v, then %v", err, third)
	}
	first()
	if _, err := h.acquire("http://three.test/"); err != nil {
		t.Error(err)
	}
}
