package receiver

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"petstore/callbacks"
)

// handlerUnderTest is a receiver that requests are passed on to; it tells what comes.
func handlerUnderTest(t *testing.T) (url string, came chan string) {
	t.Helper()
	came = make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		genuine := callbacks.VerifyEither(r.Header, body, secret, time.Now()) == nil
		came <- fmt.Sprintf("%s %s %s genuine=%v", r.Method, r.URL, body, genuine)
		w.Header().Set("X-From", "handler")
		w.WriteHeader(299)
		io.WriteString(w, "done")
	}))
	t.Cleanup(server.Close)
	return server.URL, came
}

func TestForward(t *testing.T) {
	b := newBench(t)
	url, came := handlerUnderTest(t)
	b.call("PUT", "/inboxes/a", `{"forward_to":"`+url+`/base?own=1"}`)
	response, err := http.Post(b.server.URL+"/in/a/x%20y?q=2", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if response.StatusCode != 299 || string(body) != "done" || response.Header.Get("X-From") != "handler" {
		t.Errorf("%d %s %v", response.StatusCode, body, response.Header)
	}
	if got := <-came; got != "POST /base/x%20y?own=1&q=2 hello genuine=false" {
		t.Errorf("got %s", got)
	}
	if f := b.requests("a", "").Items[0].Forwards; len(f) != 1 || f[0].Kind != "forward" || f[0].Status != 299 || f[0].URL != url+"/base/x%20y?own=1&q=2" {
		t.Errorf("listed %+v", f)
	}
}

func TestForwardByScript(t *testing.T) {
	for _, test := range []struct {
		name, script string
		want         []string // what comes of the callbacks 1, 2, 3
		statuses     []int
	}{
		{"repeat", `{"repeat":2,"times":1}`, []string{"1 true", "1 true", "1 true", "2 true", "3 true"}, []int{299, 299, 299}},
		{"swap", `{"swap":true,"times":1}`, []string{"2 true", "1 true", "3 true"}, []int{200, 299, 299}},
		{"hold", `{"hold":"1ms","times":1}`, []string{"1 true", "2 true", "3 true"}, []int{200, 299, 299}},
		{"corrupt", `{"corrupt_signature":true,"times":2}`, []string{"1 false", "2 false", "3 true"}, []int{299, 299, 299}},
		{"outage", `{"status":503,"times":2}`, []string{"3 true"}, []int{503, 503, 299}},
		{"lost answer", `{"drop":"during","times":1}`, []string{"1 true", "2 true", "3 true"}, []int{200, 299, 299}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			url, came := handlerUnderTest(t)
			b.call("PUT", "/inboxes/a", `{"forward_to":"`+url+`","script":[`+test.script+`]}`)
			var got []string
			next := func() {
				var u callbacks.Update
				line := <-came
				_, rest, _ := strings.Cut(line, "{")
				body, genuine, _ := strings.Cut(rest, " genuine=")
				_ = json.Unmarshal([]byte("{"+body), &u)
				got = append(got, u.CallbackID+" "+genuine)
			}
			for i, status := range test.statuses {
				a := b.send("/in/a", secret, update(fmt.Sprint(i+1), "ord_1", "completed"))
				if a.Status != status {
					t.Errorf("callback %d: %+v, want %d", i+1, a, status)
				}
				for status == 299 && len(got) < len(test.want) && (i == len(test.statuses)-1 || test.name == "repeat" && i == 0 && len(got) < 3) {
					next()
				}
			}
			for len(got) < len(test.want) {
				next()
			}
			if test.name == "swap" || test.name == "hold" || test.name == "lost answer" { // What was held and what comes after may cross.
				for _, want := range test.want {
					if !strings.Contains(strings.Join(got, ","), want) {
						t.Errorf("%s is missing: %v", want, got)
					}
				}
				if test.name == "swap" && got[0] != "2 true" {
					t.Errorf("not overtaken: %v", got)
				}
				return
			}
			if strings.Join(got, ",") != strings.Join(test.want, ",") {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestForwardFails(t *testing.T) {
	b := newBench(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "http://" + listener.Addr().String()
	listener.Close()
	for inbox, test := range map[string]struct{ to, want string }{
		"dead":   {dead, "connection refused"},
		"loop":   {b.server.URL + "/in/other", "forward to itself"},
		"public": {"http://host.invalid/", "host not found"},
	} {
		if status, body := b.call("PUT", "/inboxes/"+inbox, `{"forward_to":"`+test.to+`"}`); status != 201 {
			t.Fatal(status, body)
		}
		if status, body := b.call("POST", "/in/"+inbox, "x"); status != 502 || !strings.Contains(body, "BAD_GATEWAY") {
			t.Errorf("%s: %d %s", inbox, status, body)
		}
		if f := b.requests(inbox, "").Items[0].Forwards; len(f) != 1 || f[0].Status != 0 || inbox != "public" && !strings.Contains(f[0].Error, test.want) {
			t.Errorf("%s: %+v", inbox, f)
		}
	}
	if got := b.requests("other", ""); got.Count != 0 {
		t.Errorf("it went round: %+v", got)
	}
}

// TestTargets: names are decided on by the address that is dialled.
func TestTargets(t *testing.T) {
	none, err := ParseTargets("")
	if err != nil {
		t.Fatal(err)
	}
	some, err := ParseTargets("public, 172.17.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	for address, allowed := range map[string][2]bool{
		"127.0.0.1:80": {true, true}, "127.9.9.9:80": {true, true}, "[::1]:80": {true, true}, "[::ffff:127.0.0.1]:80": {true, true},
		"172.17.0.2:80": {false, true}, "172.18.0.2:80": {false, false}, "10.0.0.1:80": {false, false}, "169.254.169.254:80": {false, false},
		"0.0.0.0:80": {false, false}, "93.184.216.34:80": {false, true}, "[fe80::1]:80": {false, false}, "x": {false, false},
	} {
		for i, targets := range []Targets{none, some} {
			if got := targets.check("tcp4", address, nil) == nil; got != allowed[i] {
				t.Errorf("%s: %v, want %v", address, got, allowed[i])
			}
		}
	}
	for _, list := range []string{"everywhere", "10.0.0.1", "public;10.0.0.0/8"} {
		if _, err := ParseTargets(list); err == nil {
			t.Errorf("%q: no error", list)
		}
	}
}

func TestReplay(t *testing.T) {
	b := newBench(t)
	url, came := handlerUnderTest(t)
	conn := "POST /in/a/x HTTP/1.1\r\nhost: h\r\nx-Callback-signature: sha256=00\r\nX-Odd: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n1\r\n \r\n0\r\n\r\n"
	b.exchangeRaw(conn, 1)
	replay := func(body, want string) {
		t.Helper()
		if status, answer := b.call("POST", "/inboxes/a/requests/1/replay", body); !strings.Contains(fmt.Sprint(status, " ", answer), want) {
			t.Errorf("%s: %d %s, want %s", body, status, answer, want)
		}
	}
	replay(`{"url":"`+url+`/y?z=1"}`, `"status":299`)
	if got := <-came; got != "POST /y?z=1 {}  genuine=false" {
		t.Errorf("got %s", got)
	}
	replay(`{"url":"`+url+`","sign":true,"secret":"`+secret+`"}`, `"status":299`)
	if got := <-came; got != "POST / {}  genuine=true" {
		t.Errorf("got %s", got)
	}
	replay(`{}`, `"field":"url"`)
	replay(`{"url":"http://10.1.2.3/"}`, `"field":"url"`)
	replay(`{"url":"`+url+`","sign":true}`, `"field":"sign"`)
	replay(`{"url":"`+url+`","sign":true,"scheme":"x"}`, `"field":"scheme"`)
	replay(`{"to":"`+url+`"}`, `"field":"to"`)
	b.call("PATCH", "/inboxes/a", `{"forward_to":"`+url+`/forwarded"}`)
	replay(``, `"status":299`)
	if got := <-came; !strings.HasPrefix(got, "POST /forwarded ") {
		t.Errorf("got %s", got)
	}
	if status, _ := b.call("POST", "/inboxes/a/requests/99/replay", "{}"); status != 404 {
		t.Errorf("no such request: %d", status)
	}

	// Byte for byte: a receiver that keeps heads shows what was sent.
	replay(`{"url":"`+b.server.URL+`/in/copy"}`, `"status":200`)
	original, copied := b.receiver.Requests("a", nil)[0], b.receiver.Requests("copy", nil)[0]
	want := strings.NewReplacer("/in/a/x", "/in/copy", "host: h\r", "host: "+b.server.Listener.Addr().String()+"\r").Replace(string(original.Raw()))
	if string(copied.Raw()) != want {
		t.Errorf("got %q, want %q", copied.Raw(), want)
	}
	if n := len(original.Forwards); n != 4 {
		t.Errorf("%d replays are listed", n)
	}
}
