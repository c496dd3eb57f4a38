package receiver

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// listen follows a stream, and returns a function that returns the next event: its name and data, with its id.
func (b *bench) listen(path, lastEventID string) (next func() (event, id string)) {
	b.t.Helper()
	request, _ := http.NewRequestWithContext(b.t.Context(), "GET", b.server.URL+path, nil)
	if lastEventID != "" {
		request.Header.Set("Last-Event-ID", lastEventID)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		b.t.Fatalf("%d %v", response.StatusCode, response.Header)
	}
	b.t.Cleanup(func() { response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	return func() (event, id string) {
		for lines.Scan() {
			switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
			case "event", "data":
				event += value + " "
			case "id":
				id = value
			case "":
				if event != "" {
					return event, id
				}
			}
		}
		return "end", ""
	}
}

func TestStream(t *testing.T) {
	b := newBench(t)
	b.call("POST", "/in/a/before", "")
	next, all := b.listen("/inboxes/a/stream?method=POST", ""), b.listen("/inboxes/*/stream?view=full&history=1", "")
	b.call("GET", "/in/a/filtered", "")
	b.call("POST", "/in/a/one", `{"x":1}`)
	// What follows in quick succession may be told in one event.
	last, event := "", ""
	for !strings.Contains(event, `"answer":{"status":200`) {
		event, last = next()
		if !strings.Contains(event, `"path":"/in/a/one"`) || strings.Contains(event, `"body":`) {
			t.Errorf("got %s", event)
		}
	}
	if event, _ := all(); !strings.HasPrefix(event, "request {") || !strings.Contains(event, "/before") || !strings.Contains(event, `"body":""`) {
		t.Errorf("got %s", event)
	}
	b.call("POST", "/in/a/two", "")
	resumed := b.listen("/inboxes/a/stream", last)
	if event, _ := resumed(); !strings.HasPrefix(event, "request {") || !strings.Contains(event, `"path":"/in/a/two"`) {
		t.Errorf("got %s", event)
	}
	b.call("DELETE", "/inboxes/a/requests", "")
	for event != `clear {"inbox":"a"} ` {
		if event, _ = next(); event == "end" {
			t.Fatal("not told of the end")
		}
	}
	b.receiver.Close()
	for event != "end" {
		event, _ = next()
	}
	for _, query := range []string{"wait=1s", "order=newest", "x=y"} {
		if status, body := b.call("GET", "/inboxes/a/stream?"+query, ""); status != 422 {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	if status, body := b.call("GET", "/inboxes/a/stream", "", "Last-Event-ID", "x"); status != 422 {
		t.Errorf("bad Last-Event-ID: %d %s", status, body)
	}
}

// TestStreamGap: who comes back too late is told that something is missing.
func TestStreamGap(t *testing.T) {
	b := newBench(t)
	for i := range limits.Requests + 10 {
		b.receiver.store.add("a", Request{Target: fmt.Sprint(i)}, false)
	}
	next := b.listen("/inboxes/a/stream", "1")
	if event, _ := next(); event != "gap {} " {
		t.Errorf("got %s", event)
	}
	seen := 0
	for range limits.Requests {
		if event, _ := next(); strings.HasPrefix(event, "request {") {
			seen++
		}
	}
	if seen != limits.Requests {
		t.Errorf("%d requests", seen)
	}
}
