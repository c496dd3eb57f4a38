package socketio_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"petstore/docs/nodetest"
	"petstore/handlers/socketio"
)

const nodeDir = "testdata/node"

// TestNodeClient runs the scenarios of testdata/node/client.mjs with the npm
// package socket.io-client.
func TestNodeClient(t *testing.T) {
	nodetest.Need(t, nodeDir)
	for _, scenario := range []string{
		"upgrade", "polling", "websocket", "pollingTraffic", "namespaces",
		"kicked", "panics", "binary", "large",
	} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			srv := newNodeServer(socketio.Options{MaxBuffer: 8 << 20})
			web := httptest.NewServer(srv)
			defer web.Close()
			runNode(t, scenario, web.URL)
			shutdown(t, srv)
		})
	}
	t.Run("heartbeat", func(t *testing.T) {
		t.Parallel()
		srv := newNodeServer(socketio.Options{PingInterval: 100 * time.Millisecond, PingTimeout: 5 * time.Second})
		web := httptest.NewServer(srv)
		defer web.Close()
		runNode(t, "heartbeat", web.URL)
		shutdown(t, srv)
	})
}

// TestNodeClientUpgradesUnderTraffic holds each upgrade back until some hundred
// events have come by polling, and lets it happen while they go on.
func TestNodeClientUpgradesUnderTraffic(t *testing.T) {
	nodetest.Need(t, nodeDir)
	t.Parallel()
	events := newCounter()
	srv := socketio.New(socketio.Options{MaxBuffer: 8 << 20}, func(s *socketio.Socket) { answerSequence(s, events.add) })
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("transport") == "websocket" {
			events.wait(500)
		}
		srv.ServeHTTP(w, r)
	}))
	defer web.Close()
	runNode(t, "traffic", web.URL)
	shutdown(t, srv)
}

// A counter lets goroutines wait until n more events have come.
type counter struct {
	mu   sync.Mutex
	more sync.Cond
	n    int
}

func newCounter() *counter {
	c := new(counter)
	c.more.L = &c.mu
	return c
}

func (c *counter) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	c.more.Broadcast()
}

func (c *counter) wait(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for target := c.n + n; c.n < target; {
		c.more.Wait()
	}
}

// answerSequence answers the events seq 1, 2, 3 … with tick of the same number;
// seq-end is acknowledged with the last number that came in its order.
func answerSequence(s *socketio.Socket, seen func()) {
	last := 0
	s.On("seq", func(args []json.RawMessage, _ socketio.Ack) {
		var n int
		if json.Unmarshal(args[0], &n); n == last+1 {
			last = n
		}
		s.Emit("tick", n)
		seen()
	})
	s.On("seq-end", func(_ []json.RawMessage, ack socketio.Ack) { ack(last) })
}

func runNode(t *testing.T, scenario, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "client.mjs", scenario, url)
	node.Dir = nodeDir
	if out, err := node.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestNodeClientReconnects(t *testing.T) {
	nodetest.Need(t, nodeDir)
	srv := newNodeServer(socketio.Options{})
	web := &http.Server{Handler: srv}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	go web.Serve(listener)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "client.mjs", "reconnect", "http://"+address)
	node.Dir, node.Stderr = nodeDir, os.Stderr
	stdin, _ := node.StdinPipe()
	stdout, _ := node.StdoutPipe()
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	expectLine(t, lines, "connected: hello")
	shutdown(t, srv)
	web.Close()
	expectLine(t, lines, "disconnected: transport")

	srv = newNodeServer(socketio.Options{})
	web = &http.Server{Handler: srv}
	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	go web.Serve(listener)
	expectLine(t, lines, "connected: hello")
	io.WriteString(stdin, "quit\n")
	if err := node.Wait(); err != nil {
		t.Fatal(err)
	}
	shutdown(t, srv)
	web.Close()
}

func expectLine(t *testing.T, lines *bufio.Scanner, prefix string) {
	t.Helper()
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), prefix) {
		t.Fatalf("the client said %q (%v), want %q", lines.Text(), lines.Err(), prefix)
	}
}

// shutdown closes srv, which must not need its whole time.
func shutdown(t *testing.T, srv *socketio.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	if err := srv.Close(ctx); err != nil {
		t.Error(err)
	}
	if n := srv.Sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// newNodeServer is the server that client.mjs expects.
func newNodeServer(opts socketio.Options) *socketio.Server {
	return socketio.New(opts, func(s *socketio.Socket) {
		s.On("echo", func(args []json.RawMessage, ack socketio.Ack) { ack(args) })
		s.On("bye", func([]json.RawMessage, socketio.Ack) { s.Emit("last words", "farewell"); s.Disconnect() })
		s.On("panic", func([]json.RawMessage, socketio.Ack) { panic("as asked") })
		answerSequence(s, func() {})
		s.Emit("welcome")
	})
}
