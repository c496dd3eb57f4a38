package receiver

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"petstore/callbacks"
)

// What the history keeps: the last entries, of them no more bytes than that, and the count of attempts of the last
// callbacks.
const (
	maxEntries  = 1000
	maxBytes    = 16 << 20
	maxCounters = 1 << 16
)

// entry is one callback that came, as GET /received shows it. All but the first fields change until it is concluded;
// the goroutine that answers it owns it until the history's finish.
type entry struct {
	ReceivedAt time.Time   `json:"received_at"`
	URL        string      `json:"url"` // path and query
	Headers    http.Header `json:"headers"`
	Verified   bool        `json:"verified"`
	// Duplicate: it was answered with "Already processed".
	Duplicate bool `json:"duplicate"`
	// Attempt counts how often this callback_id has come to this path, verified, this one included.
	Attempt int `json:"attempt"`
	// Status is what was answered, 0 if the connection was dropped.
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body,omitempty"`

	path    string
	update  callbacks.Update
	handled bool // it came through to process
}

// conclude fills in what became of the callback.
func (e *entry) conclude(status int) {
	e.Status = status
	e.Duplicate = e.Verified && !e.handled && status == http.StatusOK
}

func (e *entry) accepted() bool { return e.handled && e.Status >= 200 && e.Status <= 299 }

func (e *entry) size() int {
	size := len(e.Body) + len(e.URL)
	for name, values := range e.Headers {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	return size
}

// history keeps what came lately.
type history struct {
	mu       sync.Mutex
	entries  []*entry // finished ones, oldest first
	bytes    int
	attempts *simplelru.LRU[string, int]
	changed  chan struct{} // closed and replaced when an entry is finished
}

func newHistory() *history {
	attempts, err := simplelru.NewLRU[string, int](maxCounters, nil)
	if err != nil {
		panic(err) // The size is a positive constant.
	}
	return &history{attempts: attempts, changed: make(chan struct{})}
}

// add numbers a callback that has just come.
func (h *history) add(e *entry) {
	e.Attempt = 1
	const longest = 256 // A longer callback_id is refused by the middleware.
	if id := e.update.CallbackID; !e.Verified || id == "" || len(id) > longest {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	key := e.path + " " + e.update.CallbackID
	before, _ := h.attempts.Get(key)
	e.Attempt = before + 1
	h.attempts.Add(key, e.Attempt)
}

// finish lists an entry that has been answered. It must not be changed afterwards.
func (h *history) finish(e *entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entries = append(h.entries, e)
	h.bytes += e.size()
	for len(h.entries) > maxEntries || h.bytes > maxBytes {
		h.bytes -= h.entries[0].size()
		h.entries[0] = nil
		h.entries = h.entries[1:]
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

// find returns the entries that match, and a channel that is closed when there may be more.
func (h *history) find(match func(*entry) bool) ([]*entry, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := []*entry{}
	for _, e := range h.entries {
		if match(e) {
			found = append(found, e)
		}
	}
	return found, h.changed
}

func (h *history) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entries, h.bytes = nil, 0
	h.attempts.Purge()
}
