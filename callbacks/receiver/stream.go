package receiver

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"
)

// streamSpan is how often a stream says that it is still there.
const streamSpan = 15 * time.Second

// stream tells of requests as they come and change, as server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func (rc *Receiver) stream(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	history := values.Get("history") == "1"
	values.Del("history")
	lookup, err := parseLookup(values, false)
	if err != nil {
		return err
	}
	f := &follower{w: w, inbox: r.PathValue("inbox"), lookup: lookup}
	if err := f.begin(rc, r.Header.Get("Last-Event-ID"), history); err != nil {
		return err
	}
	for {
		n := rc.store.since(f.inbox, f.version)
		if err := f.tell(n); err != nil {
			return nil //nolint:nilerr // Whoever listened has gone.
		}
		if len(n.requests) > 0 {
			continue
		}
		timer := time.NewTimer(streamSpan)
		select {
		case <-n.changed:
		case <-timer.C:
			io.WriteString(w, ": still there\n\n")
		case <-r.Context().Done():
			timer.Stop()
			return nil
		case <-rc.ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// follower is somebody who listens to a stream.
type follower struct {
	w       http.ResponseWriter
	inbox   string
	lookup  lookup
	version int64 // up to which it knows all
	cleared int64
}

// begin sends the head of the stream, and finds out where it begins.
func (f *follower) begin(rc *Receiver, lastEventID string, history bool) error {
	now := rc.store.since(f.inbox, math.MaxInt64)
	f.version, f.cleared = now.latest, now.cleared
	if history {
		f.version = now.dropped
	}
	if lastEventID != "" {
		version, err := strconv.ParseInt(lastEventID, 10, 64)
		if err != nil || version < 0 {
			return invalid(FieldError{"Last-Event-ID", "must be the id of an event"})
		}
		f.version = min(version, now.latest)
	}
	f.w.Header().Set("Content-Type", "text/event-stream")
	f.w.WriteHeader(http.StatusOK)
	return f.flush()
}

// tell sends what is new.
func (f *follower) tell(n news) error {
	if n.cleared != f.cleared {
		f.cleared = n.cleared
		f.event("clear", n.version, map[string]string{"inbox": f.inbox})
	}
	if f.version < n.dropped {
		f.event("gap", n.version, struct{}{})
	}
	for _, r := range n.requests {
		if !f.lookup.matches(r) {
			continue
		}
		name := "update"
		if r.arrived > f.version {
			name = "request"
		}
		f.event(name, r.version, r.view(f.lookup.summary))
	}
	f.version = n.version
	return f.flush()
}

func (f *follower) event(name string, id int64, data any) {
	body, err := encode(data)
	if err != nil {
		panic(err) // What is told consists of texts and numbers.
	}
	fmt.Fprintf(f.w, "event: %s\nid: %d\ndata: %s\n", name, id, body)
}

// flush sends what was written. Whoever doesn't read it for ten seconds is taken to have gone.
func (f *follower) flush() error {
	control := http.NewResponseController(f.w)
	if err := control.SetWriteDeadline(time.Now().Add(stall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return control.Flush()
}
