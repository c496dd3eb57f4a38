package services

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
)

// receiver takes callbacks, checks their signatures, and answers as the test says.
type receiver struct {
	*httptest.Server
	t       testing.TB
	arrived chan arrival // every request, before it is answered

	mu       sync.Mutex
	attempts map[string]int
	accepted map[string][]callbacks.Update // by task, in the order of the answers
}

// arrival is one request.
type arrival struct {
	callbacks.Update
	Path    string
	Body    string
	Attempt int // 1, 2, 3, … of this callback_id
	Context interface{ Done() <-chan struct{} }
}

// answer writes an answer; nil stands for 200 OK.
type answer func(w http.ResponseWriter, a arrival)

func newReceiver(t testing.TB, answer answer) *receiver {
	t.Helper()
	rc := &receiver{t: t, arrived: make(chan arrival, 10_000), attempts: map[string]int{}, accepted: map[string][]callbacks.Update{}}
	rc.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := rc.read(r)
		if !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		rc.arrived <- a
		noted := &notedStatus{ResponseWriter: w, status: http.StatusOK}
		if answer != nil {
			answer(noted, a)
		}
		rc.note(a, noted.status)
	}))
	t.Cleanup(rc.Close)
	return rc
}

func (rc *receiver) read(r *http.Request) (arrival, bool) {
	body, err := io.ReadAll(r.Body)
	a := arrival{Path: r.URL.Path, Body: string(body), Context: r.Context()}
	if err == nil {
		err = json.Unmarshal(body, &a.Update)
	}
	if err == nil {
		err = callbacks.Verify(r.Header, body, testSecret, time.Now())
	}
	if err != nil {
		rc.t.Errorf("a callback that cannot be trusted: %v: %s", err, body)
		return a, false
	}
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.attempts[a.CallbackID]++
	a.Attempt = rc.attempts[a.CallbackID]
	return a, true
}

func (rc *receiver) note(a arrival, status int) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if status >= 200 && status <= 299 {
		rc.accepted[a.TaskID] = append(rc.accepted[a.TaskID], a.Update)
	}
}

// acceptedOf lists what was accepted of a task, in order.
func (rc *receiver) acceptedOf(taskID string) []callbacks.Update {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return rc.accepted[taskID]
}

// next waits for the next request.
func (rc *receiver) next() arrival {
	rc.t.Helper()
	return await(rc.t, rc.arrived, "a callback")
}

// last waits for a request with the last update of a task.
func (rc *receiver) last(taskID string) arrival {
	rc.t.Helper()
	for {
		if a := rc.next(); a.TaskID == taskID && a.Terminal() {
			return a
		}
	}
}

// nothingMore fails the test if there are requests that it has not asked for.
func (rc *receiver) nothingMore() {
	rc.t.Helper()
	select {
	case a := <-rc.arrived:
		rc.t.Errorf("one callback too many: attempt %d of %s: %s", a.Attempt, a.Type, a.Body)
	default:
	}
}

type notedStatus struct {
	http.ResponseWriter
	status int
}

func (w *notedStatus) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *notedStatus) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// statuses answers the first attempts of each callback with the given statuses,
// and later ones with the last of them.
func statuses(codes ...int) answer {
	return func(w http.ResponseWriter, a arrival) { w.WriteHeader(codes[min(a.Attempt, len(codes))-1]) }
}

// hang answers when the client has given up.
func hang(_ http.ResponseWriter, a arrival) { <-a.Context.Done() }

// reset breaks the connection.
func reset(w http.ResponseWriter, _ arrival) { panic(http.ErrAbortHandler) }
