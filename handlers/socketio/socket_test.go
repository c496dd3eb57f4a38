package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
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
	c.srv.Namespace("/").OnConnect(echo)
	c.srv.Namespace("/custom").OnConnect(echo)
	for _, p := range [][3]string{
		{"40", `40{"sid":`, `42["auth",{}]`},
		{`40{"token":"123"}`, `40{"sid":`, `42["auth",{"token":"123"}]`},
		{"40/custom,", `40/custom,{"sid":`, `42/custom,["auth",{}]`},
		{`40/custom,{"token":"abc"}`, `40/custom,{"sid":`, `42/custom,["auth",{"token":"abc"}]`},
	} {
		w := c.session()
		w.send(p[0])
		w.expectPrefix(p[1])
		w.expect(p[2])
	}
	w := c.session()
	w.send("40/random")
	w.expect(`44/random,{"message":"Invalid namespace"}`)
	w.send("40", "40") // the first is fine, the second is one too many
	w.expectPrefix(`40{"sid":`)
	w.expect(`42["auth",{}]`)
	w.expectClose()
}

func TestConnectTimeout(t *testing.T) {
	c := newRaw(t, socketio.Options{ConnectTimeout: 30 * time.Millisecond})
	c.session().expectClose()
	w := c.connected()
	w.send("41") // leaves its only namespace
	w.expectClose()
}

func TestRefusedConnect(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	c.srv.Namespace("/").OnConnect(func(s *socketio.Socket, auth json.RawMessage) error {
		s.Join("room")
		s.Emit("never seen")
		switch string(auth) {
		case `{"how":"error"}`:
			return fmt.Errorf("database password is %s", "secret")
		case `{"how":"panic"}`:
			panic("as asked")
		default:
			return fmt.Errorf("wrapped: %w", &socketio.ConnectError{Message: "Not authorized", Data: 7})
		}
	})
	w := c.session()
	w.send("40", `40{"how":"error"}`, `40{"how":"panic"}`)
	w.expect(`44{"message":"Not authorized","data":7}`, `44{"message":"Connection refused"}`, `44{"message":"Internal error"}`)
	if n := c.srv.Namespace("/").To("room").Len(); n != 0 {
		t.Errorf("%d refused sockets in the room", n)
	}
}

func TestEventsAndAcks(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	c.srv.Namespace("/").OnConnect(echo)
	c.srv.Namespace("/custom").OnConnect(echo)
	w := c.connected()
	w.expect(`42["auth",{}]`)
	w.send(`42["message",1,"2",{"3":[true]}]`, `42["nobody listens"]`, `42456["message-with-ack",1,"2",{"3":[false]}]`)
	w.expect(`42["message-back",1,"2",{"3":[true]}]`, `43456[1,"2",{"3":[false]}]`)
	w.send("40/custom")
	w.expectPrefix(`40/custom,{"sid":`)
	w.expect(`42/custom,["auth",{}]`)
	w.send(`42/custom,3["message-with-ack"]`, "41/custom", `42/custom,["message","late"]`, `42["message","main"]`)
	w.expect(`43/custom,3[]`, `42["message-back","main"]`)
	for _, malformed := range []string{"4abc", "42{}", `42abc["message"]`} {
		w := c.connected()
		w.expect(`42["auth",{}]`)
		w.send(malformed)
		if status := w.expectClose(); status != websocket.StatusProtocolError {
			t.Errorf("%s: %v", malformed, status)
		}
	}
}

func TestOtherEvents(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	c.srv.Namespace("/").OnConnect(func(s *socketio.Socket, _ json.RawMessage) error {
		s.On("known", func(_ []json.RawMessage, ack socketio.Ack) { ack("known") })
		s.OnOther(func(args []json.RawMessage, ack socketio.Ack) { ack("other", args) })
		return nil
	})
	w := c.connected()
	w.send(`421["known"]`, `422["unknown",7]`)
	w.expect(`431["known"]`, `432["other",[7]]`)
}

func TestEmitAck(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	sockets := make(chan *socketio.Socket, 1)
	c.srv.Namespace("/").OnConnect(func(s *socketio.Socket, _ json.RawMessage) error {
		sockets <- s
		return nil
	})
	w := c.connected()
	s := <-sockets
	answers := make(chan string, 1)
	ask := func(ctx context.Context) {
		args, err := s.EmitAck(ctx, "ask", 1)
		answers <- fmt.Sprintf("%s %v", args, err)
	}
	expect := func(want string) {
		t.Helper()
		if got := <-answers; got != want {
			t.Errorf("answer %s, want %s", got, want)
		}
	}
	go ask(t.Context())
	w.expect(`421["ask",1]`)
	w.send(`4399["for nobody"]`, `431["yes",{}]`, `431["again"]`)
	expect(`["yes" {}] <nil>`)

	ctx, cancel := contextWithCancel(t)
	go ask(ctx)
	w.expect(`422["ask",1]`)
	cancel()
	expect("[] context canceled")

	go ask(t.Context())
	w.expect(`423["ask",1]`)
	w.send(`461-3[{"_placeholder":true,"num":0}]`)
	w.sendBinary([]byte{1})
	expect("[] " + socketio.ErrBinary.Error())

	go ask(t.Context())
	w.expect(`424["ask",1]`)
	w.conn.CloseNow()
	expect("[] " + socketio.ErrDisconnected.Error())
	if err := s.Emit("late"); !errors.Is(err, socketio.ErrDisconnected) {
		t.Error(err)
	}
	if err := s.Join("late"); !errors.Is(err, socketio.ErrDisconnected) && err != nil {
		t.Error(err)
	}
}

func TestBinaryIsRefused(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	c.srv.Namespace("/other").OnConnect(echo)
	reasons := make(chan socketio.Reason, 1)
	c.srv.Namespace("/").OnConnect(func(s *socketio.Socket, _ json.RawMessage) error {
		s.OnDisconnect(func(reason socketio.Reason) { reasons <- reason })
		return nil
	})
	w := c.connected()
	w.send("40/other")
	w.expectPrefix("40/other,")
	w.expect(`42/other,["auth",{}]`)
	w.send(`452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
	w.sendBinary([]byte{1, 2, 3})
	w.sendBinary(nil)
	w.expect(`42["error",{"code":"BINARY_UNSUPPORTED","message":"Binary arguments are not supported; send JSON"}]`, "41")
	if reason := <-reasons; reason != socketio.ReasonBinary {
		t.Errorf("reason %q", reason)
	}
	w.send(`42/other,["message","unharmed"]`)
	w.expect(`42/other,["message-back","unharmed"]`)
}

func TestDisconnectReasons(t *testing.T) {
	reasons := make(chan socketio.Reason, 1)
	opts := socketio.Options{PingInterval: 300 * time.Millisecond, PingTimeout: 100 * time.Millisecond, IdleTimeout: 200 * time.Millisecond}
	c := newRaw(t, opts)
	c.srv.Namespace("/").OnConnect(func(s *socketio.Socket, _ json.RawMessage) error {
		s.Join("everyone")
		s.On("kick", func([]json.RawMessage, socketio.Ack) { s.Emit("last"); s.Disconnect(); s.Disconnect() })
		s.On("panic", func([]json.RawMessage, socketio.Ack) { panic("as asked") })
		s.OnDisconnect(func(reason socketio.Reason) {
			if s.Context().Err() == nil || len(s.Rooms()) > 0 {
				t.Error("OnDisconnect was called while the socket was connected")
			}
			reasons <- reason
		})
		return nil
	})
	for want, f := range map[socketio.Reason]func(*wire){
		socketio.ReasonClientDisconnect: func(w *wire) { w.send("41") },
		socketio.ReasonServerDisconnect: func(w *wire) { w.send(`42["kick"]`); w.expect(`42["last"]`, "41") },
		socketio.ReasonPanic:            func(w *wire) { w.send(`42["panic"]`); w.expect("41") },
		socketio.ReasonTransportClose:   func(w *wire) { w.conn.Close(websocket.StatusNormalClosure, "") },
		socketio.ReasonParseError:       func(w *wire) { w.send("4abc") },
		socketio.ReasonIdle:             func(w *wire) { w.expect("41") },
	} {
		f(c.connected())
		if got := <-reasons; got != want {
			t.Errorf("reason %q, want %q", got, want)
		}
	}
	if n := c.srv.Namespace("/").To("everyone").Len(); n != 0 {
		t.Errorf("%d sockets left in the room", n)
	}
	opts.IdleTimeout = 0
	// Nobody answers the ping.
	c2 := newRaw(t, opts)
	c2.srv.Namespace("/").OnConnect(func(s *socketio.Socket, _ json.RawMessage) error {
		s.OnDisconnect(func(reason socketio.Reason) { reasons <- reason })
		return nil
	})
	w := c2.connected()
	if got := <-reasons; got != socketio.ReasonPingTimeout {
		t.Errorf("reason %q", got)
	}
	w.expect("2")
	w.expectClose()
}

// A client that stops reading is dropped; the others get everything.
func TestSlowReader(t *testing.T) {
	c := newRaw(t, socketio.Options{MaxBuffer: 256 << 10})
	main := c.srv.Namespace("/")
	gone := make(chan socketio.Reason, 1)
	main.OnConnect(func(s *socketio.Socket, auth json.RawMessage) error {
		if string(auth) == `{"slow":true}` {
			s.OnDisconnect(func(reason socketio.Reason) { gone <- reason })
		}
		return s.Join("news")
	})
	slow := c.session()
	slow.send(`40{"slow":true}`)
	slow.expectPrefix("40{")
	fast := c.connected()
	poll := c.open()
	c.post(poll, `40`, 200, "ok") // nobody polls for its packets
	c.getPrefix(poll, "40{")

	news := json.RawMessage(`"` + strings.Repeat("x", 10_000) + `"`)
	for i := 0; ; i++ {
		if err := main.To("news").Emit("news", i, news); err != nil {
			t.Fatal(err)
		}
		fast.expect(fmt.Sprintf(`42["news",%d,%s]`, i, news))
		select {
		case reason := <-gone:
			if reason != socketio.ReasonSlowReader {
				t.Errorf("reason %q", reason)
			}
			if n := main.To("news").Len(); n != 1 {
				t.Errorf("%d sockets in the room", n)
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
	c.srv.Namespace("/").OnConnect(func(s *socketio.Socket, _ json.RawMessage) error {
		s.On("n", func(args []json.RawMessage, ack socketio.Ack) {
			<-release
			got = append(got, string(args[0])) // no lock: handlers don't overlap
			if len(got) == 1000 {
				s.Emit("done")
			}
		})
		return nil
	})
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

type counted struct{ n *atomic.Int32 }

func (c counted) MarshalJSON() ([]byte, error) { c.n.Add(1); return []byte(`"counted"`), nil }

func TestRoomEncodesOnce(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	main := c.srv.Namespace("/")
	main.OnConnect(func(s *socketio.Socket, auth json.RawMessage) error { return s.Join("room") })
	wires := []*wire{c.connected(), c.connected(), c.connected()}
	var n atomic.Int32
	if err := main.To("room").Emit("e", counted{&n}); err != nil {
		t.Fatal(err)
	}
	main.Emit("all")
	main.To("empty").Emit("nobody")
	for _, w := range wires {
		w.expect(`42["e","counted"]`, `42["all"]`)
	}
	if n.Load() != 1 {
		t.Errorf("encoded %d times", n.Load())
	}
	if err := main.To("room").Emit("connect"); err == nil {
		t.Error("a reserved event was emitted")
	}
}

func TestRooms(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	main := c.srv.Namespace("/")
	sockets := make(chan *socketio.Socket, 1)
	main.OnConnect(func(s *socketio.Socket, _ json.RawMessage) error {
		sockets <- s
		return nil
	})
	w := c.connected()
	s := <-sockets
	s.Join("a")
	s.Join("b")
	s.Join("a")
	if got := s.Rooms(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("rooms %v", got)
	}
	s.Leave("a")
	s.Leave("never joined")
	main.To("a").Emit("lost")
	main.To("b").Emit("found")
	w.expect(`42["found"]`)
	if s.ID() == "" || main.To("a").Len() != 0 || main.To("b").Len() != 1 {
		t.Error("wrong members")
	}
}

func TestClose(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	reasons := make(chan socketio.Reason, 2)
	c.srv.Namespace("/").OnConnect(func(s *socketio.Socket, _ json.RawMessage) error {
		s.OnDisconnect(func(reason socketio.Reason) { reasons <- reason })
		return nil
	})
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
	c.srv.Namespace("/").OnConnect(func(s *socketio.Socket, _ json.RawMessage) error {
		s.On("wait", func([]json.RawMessage, socketio.Ack) { close(started); <-s.Context().Done(); <-t.Context().Done() })
		return nil
	})
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
	srv := socketio.New(socketio.Options{PingInterval: 250 * time.Millisecond})
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
	srv := socketio.New(socketio.Options{})
	srv.Namespace("/").OnConnect(echo)
	router.Any("/socket.io/*path", gin.WrapH(srv))
	web := httptest.NewServer(router)
	defer web.Close()
	c := &raw{t: t, srv: srv, web: web}
	sid := c.open()
	w := c.dial(strings.Replace(sid, "polling", "websocket", 1))
	w.send("2probe", "5", "40")
	w.expect("3probe")
	w.expectPrefix("40{")
	w.expect(`42["auth",{}]`)
	shutdownWhileReading(t, srv, w)
}

func shutdownWhileReading(t *testing.T, srv *socketio.Server, w *wire) {
	t.Helper()
	closed := background(func() { shutdown(t, srv) })
	w.expectClose()
	closed()
}

func TestNamespaceName(t *testing.T) {
	srv := socketio.New(socketio.Options{})
	if a := srv.Namespace("/a"); a != srv.Namespace("/a") {
		t.Error("the same name gave two namespaces")
	}
	for _, name := range []string{"", "a", "/a,b", "/" + strings.Repeat("a", 256)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was accepted", name)
				}
			}()
			srv.Namespace(name)
		}()
	}
}

var _ http.Handler = (*socketio.Server)(nil)

func contextWithTimeout(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
