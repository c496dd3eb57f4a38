package receiver

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/internal/status"
)

type entryKey struct{}

// record notes every callback, whatever becomes of it, around next, which decides that.
func (rc *Receiver) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// One byte more than is allowed: it is the middleware that refuses it.
		body, err := io.ReadAll(io.LimitReader(r.Body, callbacks.MaxBody+1))
		if err != nil {
			http.Error(w, "Invalid body", http.StatusBadRequest)
			return
		}
		e := rc.newEntry(r, body)
		r = r.WithContext(context.WithValue(r.Context(), entryKey{}, e))
		r.Body = io.NopCloser(bytes.NewReader(body))
		watched := &status.Writer{ResponseWriter: w}
		defer func() {
			e.conclude(watched.Status)
			rc.history.finish(e)
			rc.console.show(e)
		}()
		next.ServeHTTP(watched, r)
	})
}

func (rc *Receiver) newEntry(r *http.Request, body []byte) *entry {
	e := &entry{
		ReceivedAt: time.Now().UTC(),
		URL:        r.URL.RequestURI(),
		Headers:    r.Header,
		Verified:   callbacks.Verify(r.Header, body, rc.secret, time.Now()) == nil,
		path:       r.URL.Path,
	}
	if len(body) <= callbacks.MaxBody {
		e.Body = showBody(body)
		_ = json.Unmarshal(body, &e.update) // What isn't an update is listed all the same.
	}
	rc.history.add(e)
	return e
}

// showBody returns body itself if it is JSON, else as a JSON string.
func showBody(body []byte) json.RawMessage {
	if json.Valid(body) {
		return body
	}
	text, _ := json.Marshal(string(body)) // A string always marshals.
	return text
}

// process handles a callback that is verified and new.
func (rc *Receiver) process(w http.ResponseWriter, r *http.Request) {
	e := r.Context().Value(entryKey{}).(*entry)
	e.handled = true
	fault, err := parseFault(r.URL.Query())
	if err != nil {
		http.Error(w, "Invalid fault: "+err.Error(), http.StatusBadRequest)
		return
	}
	if !rc.pause(r.Context(), fault.delay) {
		panic(http.ErrAbortHandler)
	}
	if !fault.strike(w, e.Attempt) {
		io.WriteString(w, "OK")
	}
}

// pause reports whether d passed before the request or the receiver ended.
func (rc *Receiver) pause(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-rc.closing:
		return false
	}
}
