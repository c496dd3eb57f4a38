package receiver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestBodyEverywhere (faults 4, another instance): wherever a request is shown, its body is what came, to the byte: in
// lists and streams, alone, in HAR, as a download.
func TestBodyEverywhere(t *testing.T) {
	b := newBench(t)
	next := b.listen("/inboxes/a/stream?view=full", "")
	for i, body := range []string{
		"{\"a\":\"<&>\\u2028\u2028\u2029\",  \"a\":1.0,\"a\":1e2}\r\n", `"\u0041\/"`, "\ufeff{}", "a\x00b", "{\"a\":\"\xff\"}", " \n", "\u007f\u0085",
	} {
		b.exchangeRaw(fmt.Sprintf("POST /in/a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body), 1)
		one := fmt.Sprintf("/inboxes/a/requests/%d", i+1)
		for _, path := range []string{one, one + "/har", one + "/body", one + "/raw"} {
			_, shown := b.call("GET", path, "")
			if got := bodyIn(t, path, shown); got != body {
				t.Errorf("%s: %q, want %q", path, got, body)
			}
		}
		list := b.requests("a", "").Items
		if got := bodyOf(list[i].message); got != body {
			t.Errorf("listed: %q, want %q", got, body)
		}
		for number := fmt.Sprintf(`{"number":%d,`, i+1); ; {
			event, _ := next()
			_, data, _ := strings.Cut(event, " ")
			if !strings.HasPrefix(data, number) && event != "end" {
				continue // the stream begins, or tells of the one before again
			}
			if got := bodyIn(t, "stream", data); got != body {
				t.Errorf("streamed: %q, want %q", got, body)
			}
			break
		}
	}
}

// bodyIn finds the body in what a path shows.
func bodyIn(t *testing.T, path, shown string) string {
	t.Helper()
	switch path[strings.LastIndex(path, "/")+1:] {
	case "body":
		return shown
	case "raw":
		_, body, _ := strings.Cut(shown, "\r\n\r\n")
		return body
	case "har":
		var h har
		if err := json.Unmarshal([]byte(shown), &h); err != nil {
			t.Fatalf("%v in %s", err, shown)
		}
		posted := h.Log.Entries[0].Request.PostData
		if posted.Encoding == "base64" {
			decoded, _ := base64.StdEncoding.DecodeString(posted.Text)
			return string(decoded)
		}
		return posted.Text
	}
	var m message
	if err := json.Unmarshal([]byte(shown), &m); err != nil {
		t.Fatalf("%v in %s", err, shown)
	}
	return bodyOf(m)
}

func bodyOf(m message) string {
	if m.Body == nil {
		return string(m.BodyBase64)
	}
	return *m.Body
}
