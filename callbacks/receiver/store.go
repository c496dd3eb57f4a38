package receiver

import (
	"petstore/callbacks/receiver/verdict"

	"container/list"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Limits are what a receiver keeps at most. Beyond them the oldest goes first: of an inbox the request that came
// first, of all inboxes the one that was used least recently.
type Limits struct {
	Inboxes  int   `json:"inboxes"`
	Requests int   `json:"requests"` // of one inbox
	Bytes    int64 `json:"bytes"`    // of all requests, roughly
}

// limits are those of every receiver. There is nothing to choose: what is beyond them is for a database.
var limits = Limits{Inboxes: 1000, Requests: 1000, Bytes: 64 << 20}

// maxCounters bounds how many deliveries have their attempts counted.
const maxCounters = 1 << 16

// kept is a request in the store. Its fields change under the store's lock only.
type kept struct {
	Request
	inbox *inbox
	bytes int64
	count *int64 // where it is counted among the verdicts of its inbox, nil as long as it isn't judged
	// Where it stands in the lists: all nil once it was let go.
	inArrivals, inInbox, inChanges *list.Element
}

// store keeps inboxes and what came to them.
type store struct {
	limits   Limits
	newSetup func(inbox string) *setup

	mu       sync.Mutex
	inboxes  map[string]*inbox
	uses     *list.List // of *inbox: all inboxes, that which was used last at the end
	arrivals *list.List // of *kept: all requests, in the order of arrival
	changes  *list.List // the same, in the order of their last change
	attempts *simplelru.LRU[attemptKey, int]
	bytes    int64
	number   int64 // of the last request
	version  int64 // of the last change
	dropped  int64 // the highest version among the requests that were let go
	removed  int   // inboxes that were let go
	use      int64 // counts uses of inboxes
	cleared  int64 // counts clears of inboxes
	notices  notices
	changed  chan struct{}
}

// newStore returns a store whose inboxes begin with a setup of newSetup.
func newStore(l Limits, newSetup func(inbox string) *setup) *store {
	attempts, err := simplelru.NewLRU[attemptKey, int](maxCounters, nil)
	if err != nil {
		panic(err) // The size is a positive constant.
	}
	return &store{limits: l, newSetup: newSetup, inboxes: map[string]*inbox{}, uses: list.New(), arrivals: list.New(), changes: list.New(), attempts: attempts}
}

// attemptKey stands for an inbox since it was cleared, a path and a delivery.
type attemptKey [16]byte

func keyOf(in *inbox, r *Request) (key attemptKey) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%d %d %s %s", in.serial, len(r.Path), r.Path, r.DeliveryID)
	if r.DeliveryID == "" {
		hash.Write(r.Body)
	}
	copy(key[:], hash.Sum(nil))
	return key
}

// add lists a request that has just come, and returns it with its number. It is counted as an attempt if counts. The inbox is made if
// it is not there.
func (s *store) add(name string, r Request, counts bool) (*kept, Request, *setup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.open(name)
	k := &kept{Request: r, inbox: in}
	s.number++
	k.Number, k.Inbox, k.Attempt = s.number, in.name, 1
	if counts {
		key := keyOf(in, &r)
		before, _ := s.attempts.Get(key)
		k.Attempt = before + 1
		s.attempts.Add(key, k.Attempt)
	}
	in.total++
	in.lastAt = r.ReceivedAt
	k.inArrivals, k.inInbox = s.arrivals.PushBack(k), in.requests.PushBack(k)
	s.touch(k)
	added := k.Request
	s.shrink(in)
	return k, added, in.setup
}

// change changes a request, if it is still there.
func (s *store) change(k *kept, change func(r *Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.inArrivals == nil {
		return
	}
	change(&k.Request)
	s.touch(k)
	s.shrink(k.inbox)
}

// touch notes that k has changed, and tells who waits for that.
func (s *store) touch(k *kept) {
	s.version++
	k.version = s.version
	if k.inChanges == nil {
		k.arrived = s.version
		k.inChanges = s.changes.PushBack(k)
	} else {
		s.changes.MoveToBack(k.inChanges)
	}
	size := k.size()
	s.bytes, k.inbox.bytes = s.bytes+size-k.bytes, k.inbox.bytes+size-k.bytes
	k.bytes = size
	if k.count == nil && k.Verdicts != nil {
		k.count = k.inbox.count(verdict.OK(k.Verdicts))
		*k.count++
	}
	s.wake(k.inbox)
}

// wake wakes who waits for changes of this inbox, or of any.
func (s *store) wake(in *inbox) {
	for _, changed := range []*chan struct{}{&s.changed, &in.changed} {
		if *changed != nil {
			close(*changed)
			*changed = nil
		}
	}
}

// shrink lets the oldest go until the limits hold.
func (s *store) shrink(in *inbox) {
	for in.requests.Len() > s.limits.Requests {
		s.drop(in.requests.Front().Value.(*kept))
		if !in.told.requests {
			in.told.requests = s.notices.tellf("inbox %s is full: it keeps %d requests, the oldest go", in.name, s.limits.Requests)
		}
	}
	for s.bytes > s.limits.Bytes {
		oldest := s.arrivals.Front().Value.(*kept)
		if told := &oldest.inbox.told.bytes; !*told {
			*told = s.notices.tellf("all inboxes are full: they keep %d MiB, the oldest requests go, of inbox %s", s.limits.Bytes>>20, oldest.Inbox)
		}
		s.drop(oldest)
	}
}

// drop lets a request go. Whoever is still answering it holds nothing big.
func (s *store) drop(k *kept) {
	k.inbox.dropped++
	s.dropped, k.inbox.droppedVersion = max(s.dropped, k.version), max(k.inbox.droppedVersion, k.version)
	s.forget(k)
}

func (s *store) forget(k *kept) {
	s.arrivals.Remove(k.inArrivals)
	k.inbox.requests.Remove(k.inInbox)
	s.changes.Remove(k.inChanges)
	k.inArrivals, k.inInbox, k.inChanges = nil, nil, nil
	s.bytes -= k.bytes
	k.inbox.bytes -= k.bytes
	if k.count != nil {
		*k.count--
	}
	k.Request = Request{Number: k.Number, Inbox: k.Inbox}
}

// list returns what there is of an inbox, or of all of them, in the order of arrival, and the version of the last
// change.
func (s *store) list(name string) ([]*Request, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.arrivals
	if name != allInboxes {
		in := s.inboxes[name]
		if in == nil {
			return []*Request{}, s.version
		}
		from = in.requests
	}
	found := make([]*Request, 0, from.Len())
	for e := from.Front(); e != nil; e = e.Next() {
		r := e.Value.(*kept).Request
		found = append(found, &r)
	}
	return found, s.version
}

// find returns one request.
func (s *store) find(name string, number int64) (*kept, *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.arrivals.Front(); e != nil; e = e.Next() {
		if k := e.Value.(*kept); k.Number == number && (name == allInboxes || k.Inbox == name) {
			r := k.Request
			return k, &r
		}
	}
	return nil, nil
}

// news is what has changed.
type news struct {
	requests []*Request // in the order of their last change
	version  int64      // up to which that is
	latest   int64      // of all changes so far
	dropped  int64      // the highest version of what was let go: who doesn't know it has missed something
	cleared  int64      // another number each time the inbox is cleared
	changed  <-chan struct{}
}

// since returns what has changed in an inbox, or in any, after a version. That is 1,000 requests at most, and then there is
// more at once.
func (s *store) since(name string, version int64) news {
	const most = 1000
	s.mu.Lock()
	defer s.mu.Unlock()
	var after []*kept
	for e := s.changes.Back(); e != nil; e = e.Prev() {
		k := e.Value.(*kept)
		if k.version <= version {
			break
		}
		if name == allInboxes || k.Inbox == name {
			after = append(after, k)
		}
	}
	slices.Reverse(after)
	n := s.follow(name)
	n.version = s.version
	if len(after) > most {
		after = after[:most]
		n.version = after[most-1].version
	}
	for _, k := range after {
		r := k.Request
		n.requests = append(n.requests, &r)
	}
	return n
}

// follow returns what there is to know beside the requests.
func (s *store) follow(name string) news {
	n := news{latest: s.version, dropped: s.dropped, cleared: s.cleared}
	changed := &s.changed
	if in := s.inboxes[name]; in != nil {
		changed = &in.changed
		n.dropped, n.cleared = in.droppedVersion, in.serial
	}
	if *changed == nil {
		*changed = make(chan struct{})
	}
	n.changed = *changed
	return n
}
