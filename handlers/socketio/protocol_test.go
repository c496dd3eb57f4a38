package socketio_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"petstore/handlers/socketio"
)

// The tests of this file go through the Engine.IO protocol packet by packet.

func TestPollingHandshake(t *testing.T) {
	c := newRaw(t, socketio.Options{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond})
	status, body, header := c.do("GET", "EIO=4&transport=polling&t=abc", "", nil)
	var got map[string]any
	if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "0")), &got); err != nil {
		t.Fatal(err)
	}
	sid, _ := got["sid"].(string)
	if status != 200 || body[0] != '0' || len(sid) < 20 || len(got) != 5 ||
		got["pingInterval"] != 300.0 || got["pingTimeout"] != 200.0 || got["maxPayload"] != 1e6 ||
		len(got["upgrades"].([]any)) != 1 || got["upgrades"].([]any)[0] != "websocket" {
		t.Errorf("%d %s", status, body)
	}
	if header.Get("Content-Type") != "text/plain; charset=UTF-8" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", header)
	}
}

func TestWebSocketHandshake(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	w := c.dial("EIO=4&transport=websocket")
	packet, err := w.read()
	if err != nil || !strings.Contains(packet, `"upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`) {
		t.Errorf("%s, %v", packet, err)
	}
}

func TestRequestErrors(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	sid := c.open()
	for _, r := range []struct {
		method, query string
		status        int
		body          string
	}{
		{"GET", "EIO=4", 400, `{"code":0,"message":"Transport unknown"}`},
		{"GET", "EIO=4&transport=abc", 400, `{"code":0,"message":"Transport unknown"}`},
		{"GET", "EIO=4&transport=polling&sid=nobody", 400, `{"code":1,"message":"Session ID unknown"}`},
		{"POST", "EIO=4&transport=polling&sid=nobody", 400, `{"code":1,"message":"Session ID unknown"}`},
		{"GET", "EIO=4&transport=websocket&sid=nobody", 400, `{"code":1,"message":"Session ID unknown"}`},
		{"POST", "EIO=4&transport=polling", 400, `{"code":2,"message":"Bad handshake method"}`},
		{"PUT", "EIO=4&transport=polling", 400, `{"code":2,"message":"Bad handshake method"}`},
		{"PUT", sid, 400, `{"code":3,"message":"Bad request"}`},
		{"GET", "EIO=4&transport=websocket", 400, `{"code":3,"message":"Bad request"}`},
		{"GET", "transport=polling", 400, `{"code":5,"message":"Unsupported protocol version"}`},
		{"GET", "EIO=3&transport=polling", 400, `{"code":5,"message":"Unsupported protocol version"}`},
		{"GET", "EIO=abc&transport=websocket", 400, `{"code":5,"message":"Unsupported protocol version"}`},
	} {
		status, body, header := c.do(r.method, r.query, "", nil)
		if status != r.status || strings.TrimSpace(body) != r.body || header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %s", r.method, r.query, status, body)
		}
	}
}

func TestPollingMessages(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	c.onConnect = echo
	sid := c.open()
	c.post(sid, "40", 200, "ok")
	c.getUntil(sid, `42["welcome"]`)
	c.watch.Store(true)
	wait := background(func() { c.get(sid, 200, `42["message-back","€",{"a":1}]`) })
	<-c.polls // it waits, with nothing to send
	c.post(sid, `42["message","€",{"a":1}]`, 200, "ok")
	wait()
	c.post(sid, "427[\"message-with-ack\",1]\x1e428[\"message-with-ack\",2]\x1e429[\"message-with-ack\"]", 200, "ok")
	var all []string
	for len(all) < 3 { // one body or several, as they come
		_, body, _ := c.do("GET", sid, "", nil)
		all = append(all, strings.Split(body, "\x1e")...)
	}
	if got := strings.Join(all, " "); got != "437[1] 438[2] 439[]" {
		t.Errorf("received %s", got)
	}
}

func TestMalformedPolling(t *testing.T) {
	c := newRaw(t, socketio.Options{MaxPayload: 1000, MaxPackets: 5})
	for body, status := range map[string]int{
		"abc": 400, "": 400, "3\x1e": 400, "4\xff": 400, "2": 400, "4abc": 400, "bAQID": 400,
		strings.Repeat("x", 1001):                 413,
		"3" + strings.Repeat("\x1e3", 5):          413,
		"4" + strings.Repeat("0", 998) + "\x1e40": 413,
	} {
		sid := c.open()
		if got, _, _ := c.do("POST", sid, body, nil); got != status {
			t.Errorf("POST %.20q: %d, want %d", body, got, status)
		}
		c.get(sid, 400, unknownSID) // the session has been closed
	}
	sid := c.open()
	binary := http.Header{"Content-Type": {"application/octet-stream"}}
	if got, _, _ := c.do("POST", sid, "40", binary); got != 400 {
		t.Errorf("binary body: %d", got)
	}
	c.get(sid, 400, unknownSID)
}

func TestMalformedWebSocket(t *testing.T) {
	c := newRaw(t, socketio.Options{MaxPayload: 1000})
	for _, packet := range []string{"abc", "", "2", "4\xff", "4abc", "1", `42["first"]`, "bAQ==", `443{"message":"no"}`} {
		w := c.session()
		w.send(packet)
		w.expectClose()
	}
	w := c.session()
	w.send("4" + strings.Repeat("x", 1000))
	if status := w.expectClose(); status != websocket.StatusMessageTooBig {
		t.Errorf("status %v", status)
	}
	w = c.session()
	w.sendBinary([]byte{1})
	w.expectClose()
}

func TestHeartbeat(t *testing.T) {
	c := newRaw(t, socketio.Options{PingInterval: 20 * time.Millisecond, PingTimeout: 5 * time.Second})
	sid := c.open()
	w := c.session()
	for range 3 {
		c.get(sid, 200, "2")
		c.post(sid, "3", 200, "ok")
		w.expect("2")
		w.send("3")
	}
}

func TestPingTimeout(t *testing.T) {
	c := newRaw(t, socketio.Options{PingInterval: 20 * time.Millisecond, PingTimeout: 50 * time.Millisecond})
	c.watch.Store(true)
	sid := c.open()
	c.get(sid, 200, "2")
	if _, body, _ := c.do("GET", sid, "", nil); body != "1" && body != unknownSID {
		t.Errorf("after the ping: %q", body)
	}
	c.get(sid, 400, unknownSID)
	w := c.session()
	w.expect("2")
	w.expectClose()
}

func TestPollingClose(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	c.watch.Store(true)
	sid := c.open()
	wait := background(func() { c.get(sid, 200, "6") })
	<-c.polls
	c.post(sid, "1", 200, "ok")
	wait()
	c.get(sid, 400, unknownSID)
}

func TestConcurrentPolls(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	c.watch.Store(true)
	sid := c.open()
	wait := background(func() { c.get(sid, 200, "1") })
	<-c.polls
	c.get(sid, 400, badRequest)
	wait()
	c.get(sid, 400, unknownSID)
}

func TestConcurrentPosts(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	c.watch.Store(true)
	sid := c.open()
	body, end := io.Pipe()
	wait := background(func() {
		res, err := c.web.Client().Post(c.url(sid), "text/plain", body)
		if err != nil {
			t.Error(err)
			return
		}
		res.Body.Close()
		if res.StatusCode != 400 {
			t.Errorf("first POST: %d", res.StatusCode)
		}
	})
	<-c.posts
	c.post(sid, "40", 400, badRequest)
	end.Close()
	wait()
	c.get(sid, 400, unknownSID)
}

// A client that breaks off a poll may have missed packets: its session ends.
func TestAbandonedPoll(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	gone := make(chan socketio.Reason, 1)
	c.onConnect = func(s *socketio.Socket) {
		s.OnDisconnect(func(reason socketio.Reason) { gone <- reason })
	}
	sid := c.open()
	c.post(sid, "40", 200, "ok")
	c.getPrefix(sid, "40")
	c.watch.Store(true)
	req, _ := http.NewRequest("GET", c.url(sid), nil)
	ctx, cancel := contextWithCancel(t)
	wait := background(func() {
		if res, err := c.web.Client().Do(req.WithContext(ctx)); err == nil {
			res.Body.Close()
			t.Error("the poll was answered")
		}
	})
	<-c.polls
	cancel()
	wait()
	if reason := <-gone; reason != socketio.ReasonTransportError {
		t.Errorf("reason %q", reason)
	}
}

func TestUpgrade(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	sockets := make(chan *socketio.Socket, 1)
	c.onConnect = func(s *socketio.Socket) {
		s.On("message", func(args []json.RawMessage, _ socketio.Ack) { s.Emit("message-back", values(args)...) })
		sockets <- s
	}
	sid := c.open()
	c.post(sid, "40", 200, "ok")
	c.getPrefix(sid, "40{")
	s := <-sockets
	c.watch.Store(true)

	upgraded := strings.Replace(sid, "polling", "websocket", 1)
	wait := background(func() { c.get(sid, 200, "6") }) // the waiting poll is flushed
	<-c.polls
	w := c.dial(upgraded)
	w.send("2probe")
	w.expect("3probe")
	wait()
	s.Emit("n", 1) // still by polling, until the client says otherwise
	c.get(sid, 200, `42["n",1]`)
	c.get(sid, 200, "6") // and a poll with nothing to receive doesn't wait
	s.Emit("n", 2)
	s.Emit("n", 3)
	second := c.dial(upgraded)
	second.expectClose()
	w.send("5")
	w.expect(`42["n",2]`, `42["n",3]`)

	c.get(sid, 400, badRequest)
	c.post(sid, "42[]", 400, badRequest)
	third := c.dial(upgraded)
	third.expectClose()
	w.send(`42["message","still here"]`)
	w.expect(`42["message-back","still here"]`)
}

func TestUpgradeWithoutWaiting(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	c.onConnect = echo
	sid := c.open()
	w := c.dial(strings.Replace(sid, "polling", "websocket", 1))
	w.send("2probe", "5", "40")
	w.expect("3probe")
	w.expectPrefix(`40{"sid":`)
	w.expect(`42["welcome"]`)
}

// The client does not poll any more once it has had 3probe: a session that ends
// then has to tell it on the WebSocket.
func TestCloseDuringUpgrade(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	sid := c.open()
	w := c.dial(strings.Replace(sid, "polling", "websocket", 1))
	w.send("2probe")
	w.expect("3probe")
	c.post(sid, "40", 200, "ok")
	closed := background(func() { shutdown(t, c.srv) })
	for status := 0; status != 400; { // until the session has ended
		status, _, _ = c.do("GET", sid, "", nil)
	}
	w.send("5")
	packet, err := w.read()
	for ; err == nil; packet, err = w.read() {
		if !strings.HasPrefix(packet, "40{") {
			t.Errorf("received %q", packet)
		}
	}
	if status := websocket.CloseStatus(err); status != websocket.StatusGoingAway {
		t.Error(err)
	}
	closed()
}

func TestFailedUpgrade(t *testing.T) {
	c := newRaw(t, socketio.Options{UpgradeTimeout: 50 * time.Millisecond})
	c.onConnect = echo
	for _, packets := range [][]string{{"2"}, {"5"}, {"2probe", "40"}, {"2probe", "4"}, {"2probe"}, {}} {
		sid := c.open()
		w := c.dial(strings.Replace(sid, "polling", "websocket", 1))
		w.send(packets...)
		if len(packets) > 0 && packets[0] == "2probe" {
			w.expect("3probe")
		}
		w.expectClose()
		c.post(sid, "40", 200, "ok") // the session polls on
		c.getUntil(sid, `42["welcome"]`)
	}
}

func TestCrossOrigin(t *testing.T) {
	c := newRaw(t, socketio.Options{})
	from := func(origin string) http.Header { return http.Header{"Origin": {origin}} }
	if status, body, h := c.do("GET", "EIO=4&transport=polling", "", from("https://evil.example")); status != 403 ||
		body != `{"code":4,"message":"Forbidden"}`+"\n" || h.Get("Access-Control-Allow-Origin") != "" || h.Get("Vary") != "Origin" {
		t.Errorf("any page, without CheckOrigin: %d %s", status, body)
	}

	c = newRaw(t, socketio.Options{CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "https://good.example" }})
	preflight := from("https://good.example")
	preflight.Set("Access-Control-Request-Headers", "x-token")
	status, _, h := c.do("OPTIONS", "EIO=4&transport=polling", "", preflight)
	if status != 204 || h.Get("Access-Control-Allow-Origin") != "https://good.example" ||
		h.Get("Access-Control-Allow-Headers") != "x-token" || h.Get("Access-Control-Allow-Methods") != "GET, POST" {
		t.Errorf("preflight: %d %v", status, h)
	}
	if status, _, _ := c.do("GET", "EIO=4&transport=polling", "", from("null")); status != 403 {
		t.Errorf("refused by CheckOrigin: %d", status)
	}
	if status, _, _ := c.do("GET", "EIO=4&transport=polling", "", nil); status != 200 {
		t.Errorf("no browser: %d", status)
	}
}
