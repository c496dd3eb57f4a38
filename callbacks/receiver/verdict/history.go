package verdict

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strconv"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"petstore/callbacks/receiver/verdict/contract"
)

// History is what came earlier to an inbox, as far as verdicts on what comes later need it. It is of bounded size and
// safe for concurrent use.
type History struct {
	mu    sync.Mutex
	ids   *simplelru.LRU[digest, delivery]
	tasks *simplelru.LRU[digest, progress]
	urls  *simplelru.LRU[string, []string] // path of a callback URL → pointers to the callbacks that go there
}

// digest stands for any text in constant space.
type digest [sha256.Size]byte

// delivery is the first request that had an id.
type delivery struct {
	request string
	body    digest
}

// progress is the latest update of a task, by sequence.
type progress struct {
	request  string
	sequence int64
}

// NewHistory returns the history of an inbox that nothing has come to. It remembers the last ids, tasks and callback
// URLs, size of each, at some 300 bytes.
func NewHistory(size int) *History {
	return &History{ids: newLRU[digest, delivery](size), tasks: newLRU[digest, progress](size), urls: newLRU[string, []string](size)}
}

func newLRU[K comparable, V any](size int) *simplelru.LRU[K, V] {
	lru, err := simplelru.NewLRU[K, V](max(size, 1), nil)
	if err != nil {
		panic(err) // The size is positive.
	}
	return lru
}

// arrive judges what depends on what came earlier, and remembers r. What isn't genuine is remembered apart, so that a
// forged request makes no duplicate of the true one.
func (h *History) arrive(r *Request, genuine bool) []Verdict {
	scope := fmt.Sprint(genuine, r.Method, " ", r.path())
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []Verdict
	if id := deliveryID(r); id != nil {
		v := h.duplicate(r, *id, scope)
		all = append(all, v)
		if v.Earlier != "" {
			return all // The order of repetitions is not the sender's to choose.
		}
	}
	if v := h.order(r, scope); v != nil {
		all = append(all, *v)
	}
	return all
}

func (h *History) duplicate(r *Request, id deliveryName, scope string) Verdict {
	v := Verdict{Check: CheckDuplicate, Source: id.source}
	if id.value == "" {
		v.Code, v.Text = IDMissing, "It has no "+id.where+", by which a receiver tells a duplicate."
		return v
	}
	key, sum := digestOf(scope, id.where, id.value), digest(sha256.Sum256(r.Body))
	earlier, seen := h.ids.Get(key)
	shown := clip(id.value, 80)
	switch {
	case !seen:
		h.ids.Add(key, delivery{request: r.ID, body: sum})
		v.Code, v.OK, v.Text = IDNew, true, fmt.Sprintf("%s %s comes for the first time.", id.where, shown)
	case earlier.body == sum:
		v.Code, v.OK, v.Earlier = Duplicate, true, earlier.request
		v.Text = fmt.Sprintf("%s %s has come before, with the same body.", id.where, shown)
	default:
		v.Code, v.Earlier = DuplicateChanged, earlier.request
		v.Text = fmt.Sprintf("%s %s has come before, with another body. A receiver that deduplicates never sees this one.", id.where, shown)
	}
	return v
}

// order judges the sequence of a task's updates. Gaps are allowed: progress that is overtaken need not be sent.
func (h *History) order(r *Request, scope string) *Verdict {
	task := text(r.body().TaskID)
	sequence, found := integer(r.body().Sequence)
	if task == "" || !found {
		return nil
	}
	v := &Verdict{Check: CheckOrder, Source: sequenceSource}
	key, shown := digestOf(scope, "task_id", task), clip(task, 80)
	latest, seen := h.tasks.Get(key)
	switch {
	case seen && sequence < latest.sequence:
		v.Code, v.Earlier = OrderLate, latest.request
		v.Text = fmt.Sprintf("Update %d of %s came after update %d.", sequence, shown, latest.sequence)
		return v
	case seen && sequence == latest.sequence:
		v.Code, v.Earlier = OrderRepeated, latest.request
		v.Text = fmt.Sprintf("There was an update %d of %s before, with another id.", sequence, shown)
		return v
	}
	h.tasks.Add(key, progress{request: r.ID, sequence: sequence})
	v.Code, v.OK = OrderOK, true
	v.Text = "It is the first update of " + shown + "."
	if seen {
		v.Text = fmt.Sprintf("Update %d of %s comes after update %d.", sequence, shown, latest.sequence)
	}
	return v
}

// expect remembers which callbacks go to which paths.
func (h *History) expect(targets []contract.Target) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fresh := map[string][]string{}
	for _, target := range targets {
		fresh[target.Path] = append(fresh[target.Path], target.Pointer)
	}
	for path, pointers := range fresh {
		h.urls.Add(path, pointers)
	}
}

// expected are the pointers of the callbacks that are known to go to this path.
func (h *History) expected(path string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	pointers, _ := h.urls.Get(path)
	return pointers
}

// digestOf digests texts so that no other list of texts has the same.
func digestOf(texts ...string) digest {
	var all bytes.Buffer
	for _, text := range texts {
		all.WriteString(strconv.Itoa(len(text)) + ":" + text)
	}
	return sha256.Sum256(all.Bytes())
}
