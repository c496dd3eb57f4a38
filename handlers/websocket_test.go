package handlers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func newRequest(t testing.TB, method, url string, headers ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, nil)
	must(t, err)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
	}
	return req
}

// socket is a WebSocket client.
type socket struct {
	testing.TB
	*websocket.Conn
	ctx context.Context
}

type message struct {
	Event string          `json:"event"`
	ID    json.RawMessage `json:"id"`
	Data  json.RawMessage `json:"data"`
}

func (a *api) dial(origin string) (*socket, error) {
	a.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	options := &websocket.DialOptions{HTTPHeader: http.Header{}}
	if origin != "" {
		options.HTTPHeader.Set("Origin", origin)
	}
	conn, res, err := websocket.Dial(ctx, a.url+"/api/ws", options)
	a.Cleanup(cancel)
	if err != nil {
		if res != nil && res.StatusCode != http.StatusForbidden {
			a.Errorf("GET /api/ws answers %s", res.Status)
		}
		return nil, err
	}
	conn.SetReadLimit(4 << 20)
	a.Cleanup(func() { _ = conn.CloseNow() })
	return &socket{a.TB, conn, ctx}, nil
}

func (a *api) socket() *socket {
	a.Helper()
	s, err := a.dial("")
	must(a, err)
	return s
}

func (s *socket) say(text string) {
	s.Helper()
	must(s, s.Write(s.ctx, websocket.MessageText, []byte(text)))
}

func (s *socket) hear() message {
	s.Helper()
	_, text, err := s.Read(s.ctx)
	must(s, err)
	var m message
	must(s, json.Unmarshal(text, &m))
	return m
}

// hearAll hears a task to its end.
func (s *socket) hearAll() (events []string, bodies []string) {
	s.Helper()
	for {
		m := s.hear()
		events, bodies = append(events, m.Event), append(bodies, string(m.Data))
		if m.Event == "complete" || m.Event == "failed" {
			return events, bodies
		}
	}
}

func TestWebSocket(t *testing.T) {
	a := newAPI(t, settings{})
	s := a.socket()
	s.say(`{"event":"process","data":{"kind":"order","product":"dog-food"},"id":"mine"}`)
	m := s.hear()
	var o order
	must(t, json.Unmarshal(m.Data, &o))
	if m.Event != "ack" || string(m.ID) != `"mine"` || o.Status != "processing" {
		t.Fatalf("got %s %s %s", m.Event, m.ID, m.Data)
	}
	a.start()
	events, bodies := s.hearAll()
	if got, want := strings.Join(events, " "), "progress progress complete"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for i, want := range a.told("task_id = ?", o.TaskID) {
		if bodies[i] != want.data {
			t.Errorf("message %d is\n%s, stored is\n%s", i, bodies[i], want.data)
		}
	}
	// Whoever comes later hears it all.
	late := a.socket()
	late.say(fmt.Sprintf(`{"event":"subscribe","data":%q}`, o.TaskID))
	if _, again := late.hearAll(); strings.Join(again, "") != strings.Join(bodies, "") {
		t.Errorf("a later subscriber hears %v", again)
	}
	// The article's request, and an order that fails.
	s.say(`{"event":"process","data":{"data":"large dataset"}}`)
	if events, bodies = s.hearAll(); events[len(events)-1] != "complete" || !strings.Contains(bodies[0], `"report_id"`) {
		t.Errorf("got %v %v", events, bodies)
	}
	s.say(`{"event":"process","data":{"kind":"order","product":"cat-tree","quantity":1000}}`)
	if events, bodies = s.hearAll(); events[len(events)-1] != "failed" || !strings.Contains(bodies[len(bodies)-1], "OUT_OF_STOCK") {
		t.Errorf("got %v %v", events, bodies)
	}
}

func TestWebSocketRefuses(t *testing.T) {
	a := newAPI(t, settings{})
	unchanged := a.watch()
	a.do("GET", "/api/ws", "").want(426)
	s := a.socket()
	for text, want := range map[string]string{
		`{`:                   "MALFORMED_REQUEST",
		`[]`:                  "MALFORMED_REQUEST",
		`{"event":"x"}`:       "event",
		`{"event":"process"}`: "MALFORMED_REQUEST",
		`{"event":"process","data":"large dataset"}`:                                              "MALFORMED_REQUEST",
		`{"event":"process","data":{}}`:                                                           "kind",
		`{"event":"process","data":{"kind":7}}`:                                                   "kind",
		`{"event":"process","data":{"kind":"nap"}}`:                                               "kind",
		`{"event":"process","data":{"kind":"order","product":"no-such"}}`:                         "product",
		`{"event":"process","data":{"kind":"order","product":"dog-food","quantity":0}}`:           "quantity",
		`{"event":"process","data":{"kind":"order","product":"dog-food","qty":1}}`:                "qty",
		`{"event":"process","data":{"kind":"order","product":"dog-food","product":"x"}}`:          "product",
		`{"event":"process","data":{"kind":"order","product":"dog-food","callback_url":"ftp:x"}}`: "callback_url",
		`{"event":"process","data":{"type":"dataset","data":7}}`:                                  "data",
		`{"event":"subscribe","data":"task_none"}`:                                                "NOT_FOUND",
		`{"event":"subscribe","data":7}`:                                                          "task_id",
		`{"event":"unsubscribe","data":null}`:                                                     "task_id",
		`{"event":"process","more":1}`:                                                            "more",
	} {
		s.say(text)
		if m := s.hear(); m.Event != "error" || !strings.Contains(string(m.Data), want) {
			t.Errorf("%s\nis answered with %s %s, want %s", text, m.Event, m.Data, want)
		}
	}
	if !unchanged() {
		t.Error("something was written")
	}
	s.say(`{"event":"nap","id":{"n":[1]}}`)
	if m := s.hear(); m.Event != "error" || string(m.ID) != `{"n":[1]}` {
		t.Errorf("got %s %s", m.Event, m.ID)
	}
	if err := s.Write(s.ctx, websocket.MessageText, make([]byte, 2<<20)); err == nil {
		_, _, err = s.Read(s.ctx)
		if websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
			t.Errorf("two MiB are answered with %v", err)
		}
	}
}

func TestWebSocketFollowsAHundred(t *testing.T) {
	a := newAPI(t, settings{})
	s := a.socket()
	var last order
	for i := range 101 {
		last = a.order(`{"product":"dog-food"}`)
		s.say(fmt.Sprintf(`{"event":"subscribe","data":%q,"id":%d}`, last.TaskID, i))
	}
	acks, refused := 0, 0
	for acks+refused < 101 {
		switch m := s.hear(); {
		case m.Event == "ack":
			acks++
		case m.Event == "error" && strings.Contains(string(m.Data), "TOO_MANY_SUBSCRIPTIONS"):
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d were refused, want 1", refused)
	}
}

func TestWebSocketUnsubscribe(t *testing.T) {
	a := newAPI(t, settings{})
	s := a.socket()
	silent, heard := a.order(`{"product":"dog-food"}`), a.order(`{"product":"dog-food"}`)
	s.say(fmt.Sprintf(`{"event":"subscribe","data":%q}`, silent.TaskID))
	if m := s.hear(); m.Event != "progress" {
		t.Fatalf("got %s", m.Event)
	}
	s.say(fmt.Sprintf(`{"event":"unsubscribe","data":%q,"id":1}`, silent.TaskID))
	if m := s.hear(); m.Event != "ack" {
		t.Fatalf("got %s", m.Event)
	}
	a.start()
	a.do("GET", "/api/tasks/"+silent.TaskID+"?wait=30", "")
	s.say(fmt.Sprintf(`{"event":"subscribe","data":%q}`, heard.TaskID))
	_, bodies := s.hearAll()
	for _, body := range bodies {
		if strings.Contains(body, silent.TaskID) {
			t.Errorf("heard %s", body)
		}
	}
}

// TestWebSocketPings has a client that does not answer its pings, and so is
// dropped; and one that does, and is not.
func TestWebSocketPings(t *testing.T) {
	a := newAPI(t, settings{heartbeat: 20 * time.Millisecond, writeTimeout: time.Second})
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /api/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	must(t, err)
	must(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	alive := a.socket()
	var group sync.WaitGroup
	group.Go(func() { alive.hear() }) // answers pings meanwhile
	if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the silent client was not dropped: %v", err)
	}
	alive.say(`{"event":"nap"}`)
	group.Wait()
}

func TestWebSocketGoodbye(t *testing.T) {
	a := newAPI(t, settings{})
	s := a.socket()
	group := sync.WaitGroup{}
	group.Go(func() {
		if _, _, err := s.Read(s.ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("the server stops with %v, want 1001", err)
		}
	})
	must(t, a.handler.Close(context.Background()))
	group.Wait()
}
