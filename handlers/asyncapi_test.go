package handlers_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/goccy/go-yaml"
	"github.com/pb33f/jsonschema/v6"

	"petstore/docs"
)

// streams are the messages of docs/asyncapi.yaml.
type streams struct {
	t        *testing.T
	compiler *jsonschema.Compiler
	seen     map[string]bool // channel and message
}

func loadStreams(t *testing.T) *streams {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON(docs.AsyncAPI)
	must(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	must(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7) // AsyncAPI 3.0, Schema Object
	must(t, compiler.AddResource("asyncapi.json", document))
	return &streams{t, compiler, map[string]bool{}}
}

// check holds a message of a channel against its schema.
func (s *streams) check(channel, name, body string) {
	s.t.Helper()
	s.seen[channel+" "+name] = true
	message := name
	if channel == "websocket" {
		message = "ws-" + name
	}
	schema, err := s.compiler.Compile("asyncapi.json#/components/messages/" + message + "/payload")
	must(s.t, err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	must(s.t, err)
	if err := schema.Validate(value); err != nil {
		s.t.Errorf("%s, %s: %v\n%s", channel, name, err, body)
	}
}

// saw expects that all of these messages came.
func (s *streams) saw(channel string, names ...string) {
	s.t.Helper()
	for _, name := range names {
		if !s.seen[channel+" "+name] {
			s.t.Errorf("%s: no %s came", channel, name)
		}
	}
}

func TestAsyncAPIStreams(t *testing.T) {
	a, s := newAPI(t, settings{}), loadStreams(t)
	a.start()
	for channel, path := range map[string]string{"orders": "/api/orders/stream", "tasks": "/api/tasks/stream"} {
		res, err := http.DefaultClient.Do(newRequest(t, "GET", a.url+path+"?last_event_id=999999"))
		must(t, err)
		defer res.Body.Close()
		a.do("POST", "/api/orders", `{"product":"dog-food"}`).want(202)
		for text := ""; !strings.Contains(text, `"order.completed"`); {
			piece := make([]byte, 4096)
			n, err := res.Body.Read(piece)
			must(t, err)
			text += string(piece[:n])
			for event, rest, found := strings.Cut(text, "\n\n"); found; event, rest, found = strings.Cut(rest, "\n\n") {
				if name, data, ok := serverSent(event); ok {
					s.check(channel, name, data)
				}
			}
		}
		s.saw(channel, strings.TrimSuffix(channel, "s")+"-update", "stream-reset")
	}
}

// serverSent is the name and the data of an event.
func serverSent(event string) (name, data string, ok bool) {
	for line := range strings.SplitSeq(event, "\n") {
		if text, found := strings.CutPrefix(line, "event: "); found {
			name = text
		}
		if text, found := strings.CutPrefix(line, "data: "); found {
			data, ok = text, true
		}
	}
	return name, data, ok
}

// talk says what makes a server answer with every message that it has, to a socket of either kind. The last is refused.
func (s *streams) talk(a *api, channel string, say func(event, data string), hear func() (name, body string)) {
	s.t.Helper()
	failed := read[struct {
		ID string `json:"task_id"`
	}](a.do("POST", "/api/orders", `{"product":"aquarium-60","quantity":1000}`).want(202)).ID
	for _, message := range [][2]string{{"process", `{"kind":"order","product":"dog-food"}`}, {"subscribe", `"` + failed + `"`}, {"unsubscribe", `"` + failed + `x"`}, {"process", `{}`}} {
		say(message[0], message[1])
	}
	for wanted := []string{"ack", "progress", "complete", "failed", "error"}; ; {
		name, body := hear()
		s.check(channel, name, body)
		for len(wanted) > 0 && s.seen[channel+" "+wanted[0]] {
			wanted = wanted[1:]
		}
		if len(wanted) == 0 {
			return
		}
	}
}

func TestAsyncAPIWebSocket(t *testing.T) {
	a, s := newAPI(t, settings{}), loadStreams(t)
	a.start()
	c, id := a.socket(), 0
	s.talk(a, "websocket", func(event, data string) {
		id++
		text := fmt.Sprintf(`{"event":%q,"id":%d,"data":%s}`, event, id, data)
		if data != "{}" { // which is refused
			s.check("websocket", event, text)
		}
		c.say(text)
	}, func() (name, body string) {
		_, text, err := c.Read(c.ctx)
		must(t, err)
		for _, name := range []string{"ack", "progress", "complete", "failed", "error"} {
			if bytes.HasPrefix(text, []byte(`{"event":"`+name+`"`)) {
				return name, string(text)
			}
		}
		t.Fatalf("the server says %s", text)
		return "", ""
	})
}

func TestAsyncAPISocketIO(t *testing.T) {
	a, s := newAPI(t, settings{}), loadStreams(t)
	a.start()
	conn, _, err := websocket.Dial(t.Context(), a.url+"/socket.io/?EIO=4&transport=websocket", nil)
	must(t, err)
	defer conn.CloseNow()
	send := func(packet string) { must(t, conn.Write(t.Context(), websocket.MessageText, []byte(packet))) }
	send("40")
	number := 0
	s.talk(a, "socketio", func(event, data string) {
		acknowledged := ""
		if number++; data != "{}" { // which is refused; an error is an event where no acknowledgement is wanted
			s.check("socketio", event, data)
			acknowledged = fmt.Sprint(number)
		}
		send(fmt.Sprintf(`42%s[%q,%s]`, acknowledged, event, data))
	}, func() (name, body string) {
		for {
			_, packet, err := conn.Read(t.Context())
			must(t, err)
			text := string(packet)
			list := strings.TrimSuffix(strings.TrimLeft(text, "0123456789"), "]")
			switch {
			case strings.HasPrefix(text, "43"):
				return "ack", strings.TrimPrefix(list, "[")
			case strings.HasPrefix(text, "42"):
				name, body, _ := strings.Cut(strings.TrimPrefix(list, `["`), `",`)
				return name, body
			}
		}
	})
}

func TestAsyncAPIIsServed(t *testing.T) {
	a := newAPI(t, settings{})
	for _, path := range []string{"/asyncapi.yaml", "/docs/asyncapi.yaml"} {
		req := newRequest(t, "GET", a.url+path, "X-Forwarded-Prefix: /pets")
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		body, err := io.ReadAll(res.Body)
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != 200 || !strings.Contains(string(body), "host: "+strings.TrimPrefix(a.url, "http://")+"\n") || !strings.Contains(string(body), "pathname: /pets/\n") {
			t.Errorf("%s: %s\n%.600s", path, res.Status, body)
		}
	}
}
