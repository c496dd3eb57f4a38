package socketio_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"petstore/handlers/socketio"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // panics are part of the tests
	goleak.VerifyTestMain(m)
}

// long is far more than anything here takes, on however busy a machine.
const long = time.Minute

// A raw is a server and a client that speaks to it packet by packet.
type raw struct {
	t         *testing.T
	srv       *socketio.Server
	onConnect func(*socketio.Socket) // set before anyone connects
	web       *httptest.Server
	polls     chan struct{} // gets a value whenever a GET waits for packets
	posts     chan struct{} // and whenever the body of a POST is being read, if watched
	watch     atomic.Bool
}

func newRaw(t *testing.T, opts socketio.Options) *raw {
	t.Helper()
	c := &raw{t: t, onConnect: func(*socketio.Socket) {}, polls: make(chan struct{}, 100), posts: make(chan struct{}, 100)}
	c.srv = socketio.New(opts, func(s *socketio.Socket) { c.onConnect(s) })
	c.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.watch.Load() && r.Method == http.MethodGet {
			r = r.WithContext(watchedContext{r.Context(), c.polls})
		}
		if c.watch.Load() && r.Method == http.MethodPost {
			r.Body = watchedBody{r.Body, c.posts}
		}
		c.srv.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		shutdown(t, c.srv)
		c.web.Close()
	})
	return c
}

type watchedContext struct {
	context.Context
	waits chan struct{}
}

func (c watchedContext) Done() <-chan struct{} {
	c.waits <- struct{}{}
	return c.Context.Done()
}

type watchedBody struct {
	io.ReadCloser
	reads chan struct{}
}

func (b watchedBody) Read(p []byte) (int, error) {
	b.reads <- struct{}{}
	return b.ReadCloser.Read(p)
}

// echo welcomes everyone, and answers what they send.
func echo(s *socketio.Socket) {
	s.On("message", func(args []json.RawMessage, _ socketio.Ack) { s.Emit("message-back", values(args)...) })
	s.On("message-with-ack", func(args []json.RawMessage, ack socketio.Ack) { ack(values(args)...) })
	s.Emit("welcome")
}

func values(args []json.RawMessage) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		out[i] = arg
	}
	return out
}

func (c *raw) url(query string) string { return c.web.URL + "/socket.io/?" + query }

func (c *raw) do(method, query, body string, header http.Header) (int, string, http.Header) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url(query), strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	res, err := c.web.Client().Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, string(answer), res.Header
}

// open begins a polling session and returns the query of its further requests.
func (c *raw) open() string {
	c.t.Helper()
	_, body, _ := c.do("GET", "EIO=4&transport=polling", "", nil)
	var handshake struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal([]byte(body[1:]), &handshake); err != nil {
		c.t.Fatal(err)
	}
	return "EIO=4&transport=polling&sid=" + handshake.SID
}

func (c *raw) get(query string, status int, want string) {
	c.t.Helper()
	if got, body, _ := c.do("GET", query, "", nil); got != status || body != want && want != "*" {
		c.t.Errorf("GET: %d %q, want %d %q", got, body, status, want)
	}
}

// getPrefix is get for an answer that ends in a name made up by the server.
func (c *raw) getPrefix(query, want string) {
	c.t.Helper()
	if got, body, _ := c.do("GET", query, "", nil); got != 200 || !strings.HasPrefix(body, want) {
		c.t.Errorf("GET: %d %q, want %q…", got, body, want)
	}
}

// getUntil polls until a payload ends in last: packets come in one payload or
// in several, as the moment has it.
func (c *raw) getUntil(query, last string) {
	c.t.Helper()
	for got := ""; !strings.HasSuffix(got, last); {
		var status int
		if status, got, _ = c.do("GET", query, "", nil); status != 200 {
			c.t.Fatalf("GET: %d %q before %q", status, got, last)
		}
	}
}

func (c *raw) post(query, body string, status int, want string) {
	c.t.Helper()
	if got, answer, _ := c.do("POST", query, body, nil); got != status || answer != want {
		c.t.Errorf("POST %.80q: %d %q, want %d %q", body, got, answer, status, want)
	}
}

const (
	unknownSID = `{"code":1,"message":"Session ID unknown"}` + "\n"
	badRequest = `{"code":3,"message":"Bad request"}` + "\n"
)

// background runs f, and returns a function that waits for it.
func background(f func()) (wait func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	return func() { <-done }
}

// A wire is a WebSocket on which each packet is spelled out.
type wire struct {
	t    *testing.T
	conn *websocket.Conn
}

func (c *raw) dial(query string) *wire {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), long)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, c.url(query), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	c.t.Cleanup(func() { conn.CloseNow() })
	return &wire{c.t, conn}
}

// session begins a WebSocket session.
func (c *raw) session() *wire {
	c.t.Helper()
	w := c.dial("EIO=4&transport=websocket")
	w.expectPrefix(`0{"sid":`)
	return w
}

// connected begins a WebSocket session that is connected to the main namespace.
func (c *raw) connected() *wire {
	c.t.Helper()
	w := c.session()
	w.send("40")
	w.expectPrefix(`40{"sid":`)
	return w
}

func (w *wire) send(packets ...string) {
	w.t.Helper()
	for _, p := range packets {
		if err := w.conn.Write(w.t.Context(), websocket.MessageText, []byte(p)); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *wire) sendBinary(p []byte) {
	w.t.Helper()
	if err := w.conn.Write(w.t.Context(), websocket.MessageBinary, p); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) read() (string, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), long)
	defer cancel()
	_, data, err := w.conn.Read(ctx)
	return string(data), err
}

func (w *wire) expect(packets ...string) {
	w.t.Helper()
	for _, want := range packets {
		if got, err := w.read(); err != nil || got != want {
			w.t.Fatalf("received %q, %v, want %q", got, err, want)
		}
	}
}

func (w *wire) expectPrefix(want string) {
	w.t.Helper()
	if got, err := w.read(); err != nil || !strings.HasPrefix(got, want) {
		w.t.Fatalf("received %q, %v, want %q…", got, err, want)
	}
}

// expectClose wants the server to close the WebSocket, with nothing before that.
func (w *wire) expectClose() websocket.StatusCode {
	w.t.Helper()
	got, err := w.read()
	if err == nil {
		w.t.Fatalf("received %q, want a close", got)
	}
	if context.Cause(w.t.Context()) != nil || strings.Contains(err.Error(), "deadline") {
		w.t.Fatalf("not closed: %v", err)
	}
	return websocket.CloseStatus(err)
}
