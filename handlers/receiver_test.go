package handlers_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/docs/contracttest"
)

// receiver takes callbacks, and holds each against its signature and the contract.
type receiver struct {
	url string
	// refuse, if set, picks callbacks that are answered with this status.
	refuse func(u callbacks.Update, attempt int) (status int)

	mu      sync.Mutex
	got     []received
	changed chan struct{} // closed and made anew with each callback
}

type received struct {
	callbacks.Update
	body   string
	status int
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{changed: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.receive(t, w, req) }))
	t.Cleanup(server.Close)
	r.url = server.URL + "/callbacks/order-status"
	return r
}

func (r *receiver) receive(t testing.TB, w http.ResponseWriter, req *http.Request) {
	t.Helper()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Errorf("a callback breaks off: %v", err)
		return
	}
	if err := callbacks.Verify(req.Header, body, secret, time.Now()); err != nil {
		t.Errorf("a callback is not signed well: %v", err)
	}
	if err := callbacks.VerifyBody(req.Header, body, secret); err != nil {
		t.Errorf("a callback is not signed as in the article: %v", err)
	}
	var u callbacks.Update
	if err := json.Unmarshal(body, &u); err != nil {
		t.Errorf("a callback is no update: %v in %s", err, body)
		return
	}
	kind, _, _ := strings.Cut(u.Type, ".")
	contracttest.Load(t).Callback(t, kind+"Update", req, body)
	r.mu.Lock()
	status := http.StatusOK
	if r.refuse != nil {
		attempt := 1
		for _, earlier := range r.got {
			if earlier.CallbackID == u.CallbackID {
				attempt++
			}
		}
		if refused := r.refuse(u, attempt); refused != 0 {
			status = refused
		}
	}
	r.got = append(r.got, received{u, string(body), status})
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	w.WriteHeader(status)
	io.WriteString(w, "OK")
}

// wait waits until enough says that what came is enough, and returns it all.
func (r *receiver) wait(t testing.TB, enough func(got []received) bool) []received {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for {
		r.mu.Lock()
		got, changed := append([]received(nil), r.got...), r.changed
		r.mu.Unlock()
		if enough(got) {
			return got
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("callbacks that are waited for have not come; there are %+v", got)
		}
	}
}

// ended waits for the last update of an order.
func ended(orderID string) func([]received) bool {
	return func(got []received) bool {
		for _, u := range got {
			if u.OrderID == orderID && u.Terminal() {
				return true
			}
		}
		return false
	}
}

// count waits for a number of callbacks.
func count(n int) func([]received) bool {
	return func(got []received) bool { return len(got) >= n }
}
