package receiver

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// answerTo sends a message and returns the bytes of the answer, until the connection is closed.
func (b *bench) answerTo(message string) string {
	b.t.Helper()
	conn := b.dial(message)
	defer conn.Close()
	answer, _ := io.ReadAll(conn) // Some answers end with a reset.
	return string(answer)
}

// TestAnswersAreShownAsSent compares what is listed with what has gone over the wire, net/http's own headers too.
func TestAnswersAreShownAsSent(t *testing.T) {
	for name, c := range map[string]struct{ first, settings string }{
		"plain":            {"POST /in/mine HTTP/1.1", `{}`},
		"HTTP/1.0":         {"POST /in/mine HTTP/1.0", `{}`},
		"HEAD":             {"HEAD /in/mine HTTP/1.1", `{}`},
		"status":           {"POST /in/mine HTTP/1.1", `{"script":[{"status":503,"retry_after":2,"headers":{"X-Own":"1"}}]}`},
		"no content":       {"POST /in/mine HTTP/1.1", `{"script":[{"status":204,"body":"x"}]}`},
		"in chunks":        {"POST /in/mine HTTP/1.1", `{"script":[{"huge_body":100000}]}`},
		"slow":             {"POST /in/mine HTTP/1.1", `{"script":[{"slow_body":"10ms"}]}`},
		"truncated":        {"POST /in/mine HTTP/1.1", `{"script":[{"truncate":3}]}`},
		"dropped before":   {"POST /in/mine HTTP/1.1", `{"script":[{"drop":"before"}]}`},
		"dropped after":    {"POST /in/mine HTTP/1.1", `{"script":[{"drop":"after"}]}`},
		"dropped during":   {"POST /in/mine HTTP/1.1", `{"script":[{"drop":"during"}]}`},
		"garbage":          {"POST /in/mine HTTP/1.1", `{"script":[{"bad_http":"garbage"}]}`},
		"two lengths":      {"POST /in/mine HTTP/1.1", `{"script":[{"bad_http":"length"}]}`},
		"endless head":     {"POST /in/mine HTTP/1.1", `{"script":[{"bad_http":"header"}]}`},
		"refused by fault": {"POST /callbacks/order-status?fial=1 HTTP/1.1", `{}`},
		"no such path":     {"POST /callbacks/nothing HTTP/1.1", `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.call("PUT", "/inboxes/mine", c.settings)
			got := b.answerTo(c.first + "\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			listed := b.receiver.Requests(allInboxes, nil)
			if len(listed) != 1 || listed[0].Answer == nil {
				t.Fatal("the sender has seen the end of what is not listed yet")
			}
			expectSent(t, got, listed[0])
		})
	}
}

func expectSent(t *testing.T, got string, listed *Request) {
	t.Helper()
	head, _, _ := strings.Cut(got, "\r\n\r\n")
	if len(head) > maxSentHead {
		head = head[:strings.LastIndex(head[:maxSentHead], "\r\n")]
	}
	a := listed.Answer
	want := parseHead(head)
	if strings.HasPrefix(got, "HTTP/") && len(want) == 0 || !slices.Equal(a.Headers, want) {
		t.Errorf("listed %d %q, sent %q", len(a.Headers), a.Headers[:min(len(a.Headers), 9)], head[:min(len(head), 500)])
	}
	if a.Status == 0 {
		return // The rest is no HTTP.
	}
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), &http.Request{Method: listed.Method})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	if a.Status != response.StatusCode || a.Bytes != int64(len(body)) || !bytes.HasPrefix(body, a.Body) || a.Gone {
		t.Errorf("listed %d, %d bytes, gone %t; sent %d, %d bytes", a.Status, a.Bytes, a.Gone, response.StatusCode, len(body))
	}
}
