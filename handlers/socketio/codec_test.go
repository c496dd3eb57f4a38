package socketio

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDecodePacket(t *testing.T) {
	for _, c := range []struct {
		text string
		want packet
		ok   bool
	}{
		{"2probe", packet{typ: packetPing, data: []byte("probe")}, true},
		{"4hello", packet{typ: packetMessage, data: []byte("hello")}, true},
		{"4€", packet{typ: packetMessage, data: []byte("€")}, true},
		{"3", packet{typ: packetPong, data: []byte{}}, true},
		{"bAQIDBA==", packet{typ: packetMessage, binary: true}, true},
		{"", packet{}, false},
		{"7", packet{}, false},
		{"abc", packet{}, false},
		{"4\xff", packet{}, false},
	} {
		got, err := decodePacket([]byte(c.text))
		if (err == nil) != c.ok || !reflect.DeepEqual(got, c.want) {
			t.Errorf("decodePacket(%q) = %+v, %v", c.text, got, err)
		}
	}
}

func TestPayload(t *testing.T) {
	parts := [][]byte{[]byte("4hello"), []byte("2"), []byte("4world")}
	body := joinPayload(parts)
	if string(body) != "4hello\x1e2\x1e4world" { // the example of engine.io-protocol
		t.Errorf("payload %q", body)
	}
	if got := slices.Collect(splitPayload(body)); !reflect.DeepEqual(got, parts) {
		t.Errorf("split into %q", got)
	}
}

func TestOpenPacket(t *testing.T) {
	opts := Options{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond, MaxPayload: 1e6}
	got := string(openPacket("abc", []string{"websocket"}, opts))
	want := `0{"sid":"abc","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}`
	if got != want {
		t.Errorf("%s", got)
	}
}

// Most of these are the examples of socket.io-protocol, "Packet encoding".
func TestDecodeMessage(t *testing.T) {
	args := func(texts ...string) (raw []json.RawMessage) {
		raw = []json.RawMessage{}
		for _, text := range texts {
			raw = append(raw, json.RawMessage(text))
		}
		return raw
	}
	for text, want := range map[string]message{
		"0":                        {typ: '0', namespace: "/", id: noID},
		"0/admin,":                 {typ: '0', namespace: "/admin", id: noID},
		"0/admin":                  {typ: '0', namespace: "/admin", id: noID},
		`0/admin,{"token":"123"}`:  {typ: '0', namespace: "/admin", id: noID},
		"1":                        {typ: '1', namespace: "/", id: noID},
		"1/admin,":                 {typ: '1', namespace: "/admin", id: noID},
		`2["foo"]`:                 {typ: '2', namespace: "/", id: noID, event: "foo", args: args()},
		`2/admin,["bar"]`:          {typ: '2', namespace: "/admin", id: noID, event: "bar", args: args()},
		`212["foo",1,{"a":[]}]`:    {typ: '2', namespace: "/", id: 12, event: "foo", args: args("1", `{"a":[]}`)},
		`2[7,"x"]`:                 {typ: '2', namespace: "/", id: noID, event: "7", args: args(`"x"`)},
		`3/admin,13["bar"]`:        {typ: '3', namespace: "/admin", id: 13, args: args(`"bar"`)},
		"30[]":                     {typ: '3', namespace: "/", id: 0, args: args()},
		`51-["baz",{}]`:            {typ: '5', namespace: "/", id: noID, attachments: 1, event: "baz", args: args("{}")},
		`52-/admin,["baz",{},{}]`:  {typ: '5', namespace: "/admin", id: noID, attachments: 2, event: "baz", args: args("{}", "{}")},
		`61-15["bar",{}]`:          {typ: '6', namespace: "/", id: 15, attachments: 1, args: args(`"bar"`, "{}")},
		`2999999999999999["most"]`: {typ: '2', namespace: "/", id: 999999999999999, event: "most", args: args()},
	} {
		got, err := decodeMessage([]byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("decodeMessage(%s) = %+v, %v", text, got, err)
		}
	}
}

var malformedMessages = []string{
	"", "abc", "7", "9[]",
	"0[]", `0"token"`, "0null", "0{", "0{}}",
	"1{}", `1"x"`,
	"2", "2{}", "2[]", "2[", `2["foo"`, `2["foo"]x`, "2null", "2[null]", "2[{}]", "2[[]]", `2["connect"]`, `2["disconnect"]`,
	`2abc["foo"]`, `2-1["foo"]`, `21.5["foo"]`, `29999999999999999["foo"]`, `2/admin`,
	"3", "3[]", "31", "31{}", "31null",
	`4{"message":"no"}`,
	`5["foo"]`, `50-["foo"]`, `511-["foo"]`, `5-["foo"]`, `5x-["foo"]`, `51["foo"]`, "6", "61-[]",
	"0/" + strings.Repeat("n", maxNamespace),
	`2["foo"` + strings.Repeat(",1", maxArgs+1) + "]",
}

func TestDecodeMalformedMessage(t *testing.T) {
	for _, text := range malformedMessages {
		if got, err := decodeMessage([]byte(text)); err == nil {
			t.Errorf("decodeMessage(%s) = %+v", text, got)
		}
	}
}

func TestEncodeMessages(t *testing.T) {
	event := func(name string, args ...any) string {
		p, err := encodeEvent(name, args)
		if err != nil {
			t.Error(err)
		}
		return string(p)
	}
	ack, _ := encodeAck(13, []any{"bar", nil})
	for got, want := range map[string]string{
		event("foo", 1):     `42["foo",1]`,
		event("a\x1eb"):     `42["a\u001eb"]`,
		event("<&>", "</>"): `42["<&>","</>"]`,
		event("raw", json.RawMessage(`{ "kept":"<as it is>" }`)): `42["raw",{ "kept":"<as it is>" }]`,
		string(ack):                          `4313["bar",null]`,
		string(encodeConnectError("/admin")): `44/admin,{"message":"Invalid namespace"}`,
		string(encodeConnect("s")):           `40{"sid":"s"}`,
		string(disconnectPacket):             `41`,
	} {
		if got != want {
			t.Errorf("encoded %s, want %s", got, want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, arg := range map[string]any{
		"disconnect": 1,
		"function":   func() {},
		"raw":        json.RawMessage("{\x1e}"),
		"empty":      json.RawMessage(nil),
	} {
		if p, err := encodeEvent(name, []any{arg}); err == nil {
			t.Errorf("%s: %s", name, p)
		}
	}
}

// FuzzDecodeMessage: whatever is decoded is an event or acknowledgement that we
// could have sent ourselves, and decodes the same again.
func FuzzDecodeMessage(f *testing.F) {
	for _, text := range malformedMessages {
		f.Add([]byte(text))
	}
	f.Add([]byte(`2/admin,12["foo",{"a":[1,2]},"€"]`))
	f.Add([]byte(`3/admin,13["bar"]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := decodeMessage(text)
		if err != nil {
			return
		}
		var args []any
		for _, arg := range m.args {
			args = append(args, arg)
		}
		var p []byte
		switch m.typ {
		case messageEvent:
			m.namespace, m.id = mainNamespace, noID // the only ones that we send
			p, err = encodeEvent(m.event, args)
		case messageAck:
			m.namespace = mainNamespace
			p, err = encodeAck(m.id, args)
		default:
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, err := decodeMessage(p[1:])
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%q gave %+v, and %q gave %+v, %v", text, m, p, again, err)
		}
	})
}

func FuzzPayload(f *testing.F) {
	f.Add([]byte("4hello\x1e2\x1ebAQ=="))
	f.Fuzz(func(t *testing.T, body []byte) {
		if got := joinPayload(slices.Collect(splitPayload(body))); string(got) != string(body) {
			t.Fatalf("%q became %q", body, got)
		}
		for text := range splitPayload(body) {
			if p, err := decodePacket(text); err == nil && !p.binary && string(p.typ)+string(p.data) != string(text) {
				t.Fatalf("%q gave %+v", text, p)
			}
		}
	})
}
