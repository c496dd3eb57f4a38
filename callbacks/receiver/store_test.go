package receiver

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"petstore/callbacks/receiver/verdict"
)

func newTestStore(l Limits) *store {
	return newStore(l, func(inbox string) *setup {
		return &setup{inbox: inbox, script: newScript(nil), rules: new(verdict.Rules), history: newHistory(inbox)}
	})
}

func numbers(requests []*Request) string {
	var text []string
	for _, r := range requests {
		text = append(text, fmt.Sprint(r.Number))
	}
	return strings.Join(text, " ")
}

func TestStoreLimits(t *testing.T) {
	s := newTestStore(Limits{Inboxes: 3, Requests: 3, Bytes: 20 << 10})
	for range 5 {
		s.add("a", Request{}, false)
	}
	if all, _ := s.list("a"); numbers(all) != "3 4 5" {
		t.Errorf("an inbox has %s", numbers(all))
	}
	s.add("b", Request{Body: make([]byte, 19<<10)}, false)
	if all, _ := s.list(allInboxes); numbers(all) != "6" { // 19 KiB and 1 for itself: there is no room for 5
		t.Errorf("all have %s", numbers(all))
	}
	if a, _ := s.info("a"); a.Requests != 0 || a.Total != 5 || a.Dropped != 5 || a.Bytes != 0 {
		t.Errorf("got %+v", a)
	}
	s.add("a", Request{}, false) // used again
	s.open(DefaultInbox)
	s.open("c")
	if infos, removed := s.infos(); len(infos) != 3 || removed != 1 || infos[0].Name != "c" || infos[2].Name != "a" {
		t.Errorf("got %+v, %d removed", infos, removed)
	}
	if s.bytes != func() (sum int64) {
		for e := s.arrivals.Front(); e != nil; e = e.Next() {
			sum += e.Value.(*kept).size()
		}
		return sum
	}() {
		t.Errorf("%d bytes are counted", s.bytes)
	}
}

// TestNotices: what goes because of the limits is told, but not again and again.
func TestNotices(t *testing.T) {
	s := newTestStore(Limits{Inboxes: 2, Requests: 3, Bytes: 1 << 20})
	expect := func(want string) {
		t.Helper()
		if got := s.notice(); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
		s.notices.at = time.Time{}
	}
	add := func(inbox string, times, size int) {
		for range times {
			s.add(inbox, Request{Body: make([]byte, size)}, false)
		}
	}
	add("a", 3, 0)
	expect("")
	add("a", 2, 0)
	expect("inbox a is full: it keeps 3 requests, the oldest go")
	add("a", 2, 0)
	expect("") // It is known.
	add("b", 1, 1<<20-2<<10)
	add("b", 1, 4<<10)
	expect("all inboxes are full: they keep 1 MiB, the oldest requests go, of inbox a")
	s.empty("a")
	add("a", 4, 0)
	add("c", 1, 0)
	expect("inbox a is full: it keeps 3 requests, the oldest go") // Within a second nothing else is told.
	add("d", 1, 0)
	expect("inbox a is removed: there are 2, and it was used least recently")
}

// TestLateAnswers: what was let go while it was answered stays away.
func TestLateAnswers(t *testing.T) {
	s := newTestStore(Limits{Inboxes: 3, Requests: 1, Bytes: 1 << 20})
	k, _, _ := s.add("a", Request{}, false)
	s.add("a", Request{}, false)
	s.change(k, func(r *Request) { r.Answer = &Answer{Status: 200} })
	if all, _ := s.list("a"); numbers(all) != "2" || all[0].Answer != nil {
		t.Errorf("got %+v", all)
	}
	k, _, _ = s.add("b", Request{}, false)
	s.remove("b")
	s.change(k, func(r *Request) { r.Answer = &Answer{Status: 200} })
	if _, found := s.info("b"); found || s.arrivals.Len() != 1 || s.changes.Len() != 1 {
		t.Errorf("%d requests", s.arrivals.Len())
	}
}

// TestStoreConcurrently is for the race detector; and all that comes is told.
func TestStoreConcurrently(t *testing.T) {
	s := newTestStore(Limits{Inboxes: 10, Requests: 10_000, Bytes: 1 << 30})
	const writers, each = 8, 500
	var writing, reading sync.WaitGroup
	for _, inbox := range []string{"a", allInboxes} {
		reading.Go(func() {
			answered := map[int64]bool{}
			for version := int64(0); len(answered) < writers*each; {
				n := s.since(inbox, version)
				version = n.version
				for _, r := range n.requests {
					if r.Answer != nil {
						answered[r.Number] = true
					}
				}
				if len(n.requests) == 0 {
					<-n.changed
				}
			}
		})
	}
	for range writers {
		writing.Go(func() {
			for range each {
				k, _, _ := s.add("a", Request{}, true)
				s.change(k, func(r *Request) { r.Answer = &Answer{} })
				s.info("a")
			}
		})
	}
	writing.Wait()
	reading.Wait()
}
