package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gin-gonic/gin"

	"petstore/handlers/socketio"
)

// The tests of this file go through the Socket.IO protocol packet by packet.

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

func TestConnect(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	c.onConnect = echo
	for _, p := range []string{"40", `40{"token":"123"}`} {
		w := c.session()
		w.send(p)
		w.expectPrefix(`40{"sid":`)
		w.expect(`42["welcome"]`)
	}
	w := c.session()
	w.send("40/random")
	w.expect(`44/random,{"message":"Invalid namespace"}`)
	w.send("40", "40") // the first is fine, the second is one too many
	w.expectPrefix(`40{"sid":`)
	w.expect(`42["welcome"]`)
	w.expectClose()
}

func TestConnectTimeout(t *testing.T) {
	c := newRaw(t, socketio.Options{ConnectTimeout: 30 * time.Millisecond})
	c.session().expectClose()
	w := c.connected()
	w.send("41") // leaves its only namespace
	w.expectClose()
}

func TestPanicOnConnect(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	c.onConnect = func(*socketio.Socket) { panic("as asked") }
	w := c.connected()
	w.expect("41")
}

func TestEventsAndAcks(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	c.onConnect = echo
	w := c.connected()
	w.expect(`42["welcome"]`)
	w.send(`42["message",1,"2",{"3":[true]}]`, `42["nobody listens"]`, `42456["message-with-ack",1,"2",{"3":[false]}]`)
	w.expect(`42["message-back",1,"2",{"3":[true]}]`, `43456[1,"2",{"3":[false]}]`)
	// What is for another namespace, or acknowledges what was never asked, is ignored.
	w.send(`42/custom,3["message-with-ack"]`, "41/custom", `4399["for nobody"]`, `461-3[{"_placeholder":true,"num":0}]`)
	w.sendBinary([]byte{1})
	w.send(`42["message","main"]`)
	w.expect(`42["message-back","main"]`)
	for _, malformed := range []string{"4abc", "42{}", `42abc["message"]`} {
		w := c.connected()
		w.expect(`42["welcome"]`)
		w.send(malformed)
		if status := w.expectClose(); status != websocket.StatusProtocolError {
			t.Errorf("%s: %v", malformed, status)
		}
	}
}

func TestOtherEvents(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	c.onConnect = func(s *socketio.Socket) {
		s.On("known", func(_ []json.RawMessage, ack socketio.Ack) { ack("known") })
		s.OnOther(func(args []json.RawMessage, ack socketio.Ack) { ack("other", args) })
	}
	w := c.connected()
	w.send(`421["known"]`, `422["unknown",7]`)
	w.expect(`431["known"]`, `432["other",[7]]`)
}

func TestBinaryIsRefused(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	reasons := make(chan socketio.Reason, 1)
	c.onConnect = func(s *socketio.Socket) {
		s.OnDisconnect(func(reason socketio.Reason) { reasons <- reason })
	}
	w := c.connected()
	w.send(`452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
	w.sendBinary([]byte{1, 2, 3})
	w.sendBinary(nil)
	w.expect(`42["error",{"code":"BINARY_UNSUPPORTED","message":"Binary arguments are not supported; send JSON"}]`, "41")
	if reason := <-reasons; reason != socketio.ReasonBinary {
		t.Errorf("reason %q", reason)
	}
	w.send("40") // the session is unharmed
	w.expectPrefix(`40{"sid":`)
}

func TestDisconnectReasons(t *testing.T) {
	reasons := make(chan socketio.Reason, 1)
	c := newRaw(t, socketio.Options{})
	c.onConnect = func(s *socketio.Socket) {
		s.On("kick", func([]json.RawMessage, socketio.Ack) { s.Emit("last"); s.Disconnect(); s.Disconnect() })
		s.On("panic", func([]json.RawMessage, socketio.Ack) { panic("as asked") })
		s.OnDisconnect(func(reason socketio.Reason) {
			if s.Context().Err() == nil {
				t.Error("OnDisconnect was called while the socket was connected")
			}
			reasons <- reason
		})
	}
	for want, f := range map[socketio.Reason]func(*wire){
		socketio.ReasonClientDisconnect: func(w *wire) { w.send("41") },
		socketio.ReasonServerDisconnect: func(w *wire) { w.send(`42["kick"]`); w.expect(`42["last"]`, "41") },
		socketio.ReasonPanic:            func(w *wire) { w.send(`42["panic"]`); w.expect("41") },
		socketio.ReasonTransportClose:   func(w *wire) { w.conn.Close(websocket.StatusNormalClosure, "") },
		socketio.ReasonParseError:       func(w *wire) { w.send("4abc") },
	} {
		f(c.connected())
		if got := <-reasons; got != want {
			t.Errorf("reason %q, want %q", got, want)
		}
	}
}

func TestDisconnectedWithoutPong(t *testing.T) {
	c := newRaw(t, socketio.Options{PingInterval: 50 * time.Millisecond, PingTimeout: 50 * time.Millisecond})
	reasons := make(chan socketio.Reason, 1)
	c.onConnect = func(s *socketio.Socket) {
		s.OnDisconnect(func(reason socketio.Reason) { reasons <- reason })
	}
	c.connected()
	if got := <-reasons; got != socketio.ReasonPingTimeout {
		t.Errorf("reason %q", got)
	}
}

// A client that stops reading is dropped; the others get everything.
func TestSlowReader(t *testing.T) {
	c := newRaw(t, socketio.Options{MaxBuffer: 256 << 10})
	sockets, gone := make(chan *socketio.Socket, 1), make(chan socketio.Reason, 1)
	c.onConnect = func(s *socketio.Socket) { sockets <- s }
	c.connected()
	slow := <-sockets
	slow.OnDisconnect(func(reason socketio.Reason) { gone <- reason })
	reader := c.connected()
	fast := <-sockets
	poll := c.open()
	c.post(poll, `40`, 200, "ok") // nobody polls for its packets
	c.getPrefix(poll, "40{")
	polled := <-sockets

	news := json.RawMessage(`"` + strings.Repeat("x", 10_000) + `"`)
	for i := 0; ; i++ {
		for _, s := range []*socketio.Socket{slow, polled} {
			if err := s.Emit("news", i, news); err != nil && !errors.Is(err, socketio.ErrDisconnected) {
				t.Fatal(err)
			}
		}
		if err := fast.Emit("news", i, news); err != nil {
			t.Fatal(err)
		}
		reader.expect(fmt.Sprintf(`42["news",%d,%s]`, i, news))
		select {
		case reason := <-gone:
			if reason != socketio.ReasonSlowReader {
				t.Errorf("reason %q", reason)
			}
			c.get(poll, 400, unknownSID)
			return
		default:
		}
	}
}

func TestMaxSessions(t *testing.T) {
	c := newRaw(t, socketio.Options{MaxSessions: 2})
	c.connected()
	sid := c.open()
	if status, body, _ := c.do("GET", "EIO=4&transport=polling", "", nil); status != 503 || !strings.Contains(body, "Too many sessions") {
		t.Errorf("%d %s", status, body)
	}
	if _, res, err := websocket.Dial(t.Context(), c.url("EIO=4&transport=websocket"), nil); err == nil || res.StatusCode != 503 {
		t.Errorf("%v", err)
	}
	c.post(sid, "1", 200, "ok")
	c.open()
}

// Handlers run in order; when they are slow, the client's transport is slowed
// down, acknowledgements and heartbeats still come through, and nothing is lost.
func TestBackpressure(t *testing.T) {
	c := newRaw(t, socketio.Options{PingInterval: 20 * time.Millisecond, PingTimeout: 50 * time.Millisecond})
	release := make(chan struct{})
	var got []string
	c.onConnect = func(s *socketio.Socket) {
		s.On("n", func(args []json.RawMessage, ack socketio.Ack) {
			<-release
			got = append(got, string(args[0])) // no lock: handlers don't overlap
			if len(got) == 1000 {
				s.Emit("done")
			}
		})
	}
	w := c.connected()
	sent := background(func() {
		for i := range 1000 {
			w.send(fmt.Sprintf(`42["n",%d]`, i))
		}
	})
	w.expect("2") // and the pong can't be read while the handlers stand still
	timer := time.AfterFunc(300*time.Millisecond, func() { close(release) })
	defer timer.Stop()
	sent()
	w.send("3")
	for {
		p, err := w.read()
		if err != nil {
			t.Fatal(err)
		}
		if p == "2" {
			w.send("3")
		}
		if p == `42["done"]` {
			break
		}
	}
	for i, n := range got {
		if n != fmt.Sprint(i) {
			t.Fatalf("event %d came as %s", i, n)
		}
	}
}

func TestClose(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	reasons := make(chan socketio.Reason, 2)
	c.onConnect = func(s *socketio.Socket) {
		s.OnDisconnect(func(reason socketio.Reason) { reasons <- reason })
	}
	w := c.connected()
	sid := c.open()
	c.post(sid, "40", 200, "ok")
	c.getPrefix(sid, "40")
	c.watch.Store(true)
	polled := background(func() { c.get(sid, 200, "1") })
	<-c.polls
	closed := background(func() { shutdown(t, c.srv) })
	if status := w.expectClose(); status != websocket.StatusGoingAway {
		t.Errorf("status %v", status)
	}
	closed()
	polled()
	for range 2 {
		if got := <-reasons; got != socketio.ReasonServerShutdown {
			t.Errorf("reason %q", got)
		}
	}
	if status, _, _ := c.do("GET", "EIO=4&transport=polling", "", nil); status != 503 {
		t.Errorf("a new session got %d", status)
	}
}

// Close does not wait for a handler, or for a client that doesn't answer, beyond its context.
func TestCloseGivesUp(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	started := make(chan struct{})
	c.onConnect = func(s *socketio.Socket) {
		s.On("wait", func([]json.RawMessage, socketio.Ack) { close(started); <-s.Context().Done(); <-t.Context().Done() })
	}
	ctx, cancel := contextWithCancel(t)
	cancel()
	w := c.connected() // reads nothing any more
	if err := c.srv.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	w.conn.CloseNow()
}

// http.Server's timeouts are meant for requests; a poll lasts longer.
func TestPollOutlastsServerTimeouts(t *testing.T) {
	srv := socketio.New(socketio.Options{PingInterval: 250 * time.Millisecond}, echo)
	web := httptest.NewUnstartedServer(srv)
	web.Config.ReadTimeout, web.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	web.Start()
	defer web.Close()
	c := &raw{t: t, srv: srv, web: web}
	sid := c.open()
	c.get(sid, 200, "2")
	shutdown(t, srv)
}

func TestInsideGin(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(gin.Recovery())
	srv := socketio.New(socketio.Options{}, echo)
	router.Any("/socket.io/*path", gin.WrapH(srv))
	web := httptest.NewServer(router)
	defer web.Close()
	c := &raw{t: t, srv: srv, web: web}
	sid := c.open()
	w := c.dial(strings.Replace(sid, "polling", "websocket", 1))
	w.send("2probe", "5", "40")
	w.expect("3probe")
	w.expectPrefix("40{")
	w.expect(`42["welcome"]`)
	shutdownWhileReading(t, srv, w)
}

func shutdownWhileReading(t *testing.T, srv *socketio.Server, w *wire) {
	t.Helper()
	closed := background(func() { shutdown(t, srv) })
	w.expectClose()
	closed()
}

var _ http.Handler = (*socketio.Server)(nil)

func contextWithTimeout(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
