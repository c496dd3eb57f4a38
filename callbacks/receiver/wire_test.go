package receiver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// dial opens a connection and sends bytes as they are.
func (b *bench) dial(message string) net.Conn {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, message); err != nil {
		b.t.Fatal(err)
	}
	return conn
}

// exchangeRaw sends bytes as they are, and returns the statuses of so many answers.
func (b *bench) exchangeRaw(message string, answers int) []int {
	b.t.Helper()
	conn := b.dial(message)
	defer conn.Close()
	var statuses []int
	in := bufio.NewReader(conn)
	for range answers {
		method, _, _ := strings.Cut(message, " ")
		response, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			b.t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		statuses = append(statuses, response.StatusCode)
	}
	return statuses
}

const oddHead = "PUT /in/odd//a/../b%2F?x=1&&=%zz HTTP/1.1\r\n" +
	"hOST: Receiver.example:1\r\n" +
	"x-b:2\r\n" +
	"X-A: \t one  two \r\n" +
	"X-B: 3\r\n" +
	"Empty:\r\n" +
	"Content-Length: 8\r\n\r\n"

func TestHeadsAreKept(t *testing.T) {
	b := newBench(t)
	b.exchangeRaw(oddHead+"{\"a\": \x00}", 1)
	got := b.receiver.Requests("odd", nil)
	if len(got) != 1 || !got[0].HeadersExact {
		t.Fatalf("got %+v", got)
	}
	r := got[0]
	want := headers("hOST", "Receiver.example:1", "x-b", "2", "X-A", "one  two", "X-B", "3", "Empty", "", "Content-Length", "8")
	if !slices.Equal(r.Headers, want) {
		t.Errorf("headers %q", r.Headers)
	}
	if r.Method != "PUT" || r.Path != "/in/odd//a/../b%2F" || r.Query != "x=1&&=%zz" || string(r.Body) != "{\"a\": \x00}" || r.Host != "Receiver.example:1" {
		t.Errorf("got %+v", r)
	}
	if string(r.Raw()) != oddHead+"{\"a\": \x00}" {
		t.Errorf("raw %q", r.Raw())
	}
}

// TestHeadsFindTheirRequests sends requests of all framings over one connection, without waiting for answers.
func TestHeadsFindTheirRequests(t *testing.T) {
	b := newBench(t)
	var message strings.Builder
	const rounds = 20
	for i := range rounds {
		fmt.Fprintf(&message, "GET /in/p/%d/get HTTP/1.1\r\nHost: h\r\nn: %d\r\n\r\n", i, i)
		fmt.Fprintf(&message, "POST /in/p/%d/length HTTP/1.1\r\nHost: h\r\nn: %d\r\ncontent-LENGTH: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\n", i, i)
		fmt.Fprintf(&message, "POST /in/p/%d/chunked HTTP/1.1\r\nHost: h\r\nn: %d\r\ntransfer-encoding: Chunked\r\n\r\n", i, i)
		message.WriteString("4;x=y\r\nGET \r\n0005\r\n/\r\n\r\n\r\n0\r\nTrailer: 1\r\n\r\n")
	}
	b.exchangeRaw(message.String(), 3*rounds)
	got := b.receiver.Requests("p", nil)
	if len(got) != 3*rounds {
		t.Fatalf("%d requests", len(got))
	}
	for _, r := range got {
		if n := strings.Split(r.Path, "/")[3]; r.Header("n") != n || !r.HeadersExact {
			t.Errorf("%s has the headers %q", r.Path, r.Headers)
		}
	}
	if chunked := got[2]; string(chunked.Body) != "GET /\r\n\r\n" || !slices.Equal(chunked.Trailers, headers("Trailer", "1")) {
		t.Errorf("chunks %q, trailers %q", chunked.Body, chunked.Trailers)
	}
	if get := got[3]; len(get.Trailers) > 0 {
		t.Errorf("trailers of another: %q", get.Trailers)
	}
}

// TestTrailersAreKept: announced or not, in their order and spelling, wherever a request is shown, and when it is passed on.
func TestTrailersAreKept(t *testing.T) {
	b := newBench(t)
	b.call("PUT", "/inboxes/mine", `{"forward_to":"`+b.server.URL+`/callbacks/nowhere"}`)
	const message = "POST /in/mine HTTP/1.1\r\nHost: h\r\nTrailer: b\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"2\r\nab\r\n0\r\nX-b:  2 \r\nb: 1\r\nX-B: 3\r\n\r\n"
	b.exchangeRaw(message, 1)
	want := headers("X-b", "2", "b", "1", "X-B", "3")
	for _, inbox := range []string{"mine", UnmatchedInbox} { // the latter is where it was passed on to
		got := b.receiver.Requests(inbox, nil)
		if len(got) != 1 || !slices.Equal(got[0].Trailers, want) {
			t.Fatalf("%s: %+v", inbox, got)
		}
	}
	if _, raw := b.call("GET", "/inboxes/mine/requests/1/raw", ""); raw != message {
		t.Errorf("raw %q", raw)
	}
	if _, text := b.call("GET", "/inboxes/mine/requests/1", ""); !strings.Contains(text, `"trailers":[{"name":"X-b","value":"2"},{"name":"b",`) {
		t.Errorf("JSON %s", text)
	}
	if _, text := b.call("GET", "/inboxes/mine/requests/1/har", ""); !strings.Contains(text, `"_trailers":[{"name":"X-b","value":"2"},{"name":"b",`) {
		t.Errorf("HAR %s", text)
	}
	if _, curl := b.call("GET", "/inboxes/mine/requests/1/curl", ""); strings.Contains(curl, "railer") {
		t.Errorf("curl can send none: %s", curl)
	}
}

// TestOddRequests: what HTTP/1.1 allows and few senders do.
func TestOddRequests(t *testing.T) {
	for name, c := range map[string]struct {
		message    string
		status     int
		path, curl string
	}{
		"absolute target":      {"POST http://other.example/in/a/b?c=d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi", 200, "/in/a/b", "'http://h/in/a/b?c=d'"},
		"no path":              {"OPTIONS http://h?c=://d HTTP/1.1\r\nHost: h\r\n\r\n", 404, "/", "'http://h/?c=://d'"},
		"no path and no query": {"OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n", 404, "/", "'http://h/'"},
		"URL in the path":      {"GET /in/a/http://h HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/in/a/http://h", "'http://h/in/a/http://h'"},
		"all of the server":    {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 404, "*", "OPTIONS"},
		"folded header":        {"GET /in/a HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", 200, "/in/a", "-H 'X: a b'"},
		"more trailers than net/http reads": {"POST /in/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + strings.Repeat("x", 5000) + "\r\n\r\n",
			400, "/in/a", "'http://h/in/a'"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if got := b.exchangeRaw(c.message, 1); got[0] != c.status {
				t.Errorf("answered %d", got[0])
			}
			r := b.receiver.Requests(allInboxes, nil)[0]
			if r.Path != c.path || !r.HeadersExact {
				t.Errorf("got %+v", r)
			}
			if curl := r.Curl("http://h" + r.Target); !strings.Contains(curl, c.curl) {
				t.Errorf("got %s", curl)
			}
		})
	}
}

// TestExpect: the body is asked for before it is sent (RFC 9110, section 10.1.1).
func TestExpect(t *testing.T) {
	b := newBench(t)
	conn := b.dial("POST /in/a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, want := range []int{100, 200} {
		response, err := http.ReadResponse(in, nil)
		if err != nil || response.StatusCode != want {
			t.Fatalf("got %+v, %v", response, err)
		}
		if want == 100 {
			_, _ = io.WriteString(conn, "hi")
		}
	}
	if r := b.receiver.Requests("a", nil)[0]; string(r.Body) != "hi" || r.Answer.Status != 200 || r.Header("Expect") == "" {
		t.Errorf("got %+v", r)
	}
}

// TestScannerIsBounded: what a connection is noted of is bounded, whatever comes.
func TestScannerIsBounded(t *testing.T) {
	for name, block := range map[string]string{
		"no line end": strings.Repeat("x", 1000), "no end of the head": "a: b\r\n", "many heads": "GET / HTTP/1.1\r\n\r\n",
		"bad chunks": "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		"trailers":   "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: y\r\n\r\n",
	} {
		var s scanner
		for range 10_000 {
			s.write([]byte(block))
		}
		if size := len(s.line) + len(s.fields) + len(s.heads); size > maxHead+maxHeads {
			t.Errorf("%s: %d", name, size)
		}
	}
}

func TestHeadsWithoutListener(t *testing.T) {
	rc := New(Options{})
	defer rc.Close()
	request := httptest.NewRequest("GET", "/in/x", nil)
	request.Host = "h"
	request.Header = http.Header{"B": {"2"}, "A": {"1"}}
	rc.ServeHTTP(nullWriter{}, request)
	got := rc.Requests("x", nil)
	if len(got) != 1 || got[0].HeadersExact || !slices.Equal(got[0].Headers, headers("Host", "h", "A", "1", "B", "2")) {
		t.Errorf("got %+v", got)
	}
	if raw := string(got[0].Raw()); raw != "GET /in/x HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\n\r\n" {
		t.Errorf("raw %q", raw)
	}
}

// nullWriter is an answer that nobody reads.
type nullWriter struct{}

func (nullWriter) Header() http.Header         { return http.Header{} }
func (nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (nullWriter) WriteHeader(int)             {}

func FuzzScanner(f *testing.F) {
	f.Add([]byte(oddHead), 3)
	f.Add([]byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\n\n"), 1)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		var whole, pieces scanner
		whole.write(data)
		step = max(1, step)
		for rest := data; len(rest) > 0; {
			n := min(step, len(rest))
			pieces.write(rest[:n])
			rest = rest[n:]
		}
		if !slices.Equal(whole.heads, pieces.heads) || whole.state != pieces.state {
			t.Errorf("in one: %q, in pieces of %d: %q", whole.heads, step, pieces.heads)
		}
	})
}

// headers are given by name and value in turn.
func headers(fields ...string) []Header {
	var all []Header
	for i := 0; i+1 < len(fields); i += 2 {
		all = append(all, Header{Name: fields[i], Value: fields[i+1]})
	}
	return all
}
