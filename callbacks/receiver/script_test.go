package receiver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// outcome puts into words what comes of a POST.
func (b *bench) outcome(path string) string {
	request, _ := http.NewRequest("POST", b.server.URL+path, strings.NewReader(`{"callback_id":"cb_`+path+`"}`))
	transport := &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}
	response, err := transport.RoundTrip(request)
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case err != nil && strings.Contains(err.Error(), "malformed HTTP"):
		return "malformed"
	case err != nil && strings.Contains(err.Error(), "Content-Length"):
		return "lengths"
	case err != nil && strings.Contains(err.Error(), "headers exceeded"):
		return "headers"
	case err != nil:
		return err.Error()
	}
	defer response.Body.Close()
	text := fmt.Sprint(response.StatusCode)
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		text += " reset"
	case err != nil:
		text += " " + err.Error()
	}
	if len(body) < 20 && len(body) > 0 {
		text += " " + string(body)
	} else if len(body) > 0 {
		text += fmt.Sprintf(" %d bytes", len(body))
	}
	return text
}

func TestScriptSteps(t *testing.T) {
	for _, test := range []struct{ step, want, fault string }{
		{`{}`, "200 OK", ""},
		{`{"status":204}`, "204", "status"},
		{`{"status":500,"body":"no <b>"}`, "500 no <b>", "status"},
		{`{"body":"{}","headers":{"content-type":"application/json"}}`, "200 {}", ""},
		{`{"delay":"1ms","retry_after":2}`, "503", "delay, status"},
		{`{"redirect":"/elsewhere"}`, "302", "status"},
		{`{"redirect":"/elsewhere","status":307}`, "307", "status"},
		{`{"drop":"before"}`, "reset", "drop before"},
		{`{"drop":"during"}`, "200 reset 512 bytes", "drop during"},
		{`{"drop":"after"}`, "200 1024 bytes", "drop after"},
		{`{"truncate":3}`, "200 unexpected EOF Thi", "truncate"},
		{`{"truncate":2000}`, "200 unexpected EOF 2000 bytes", "truncate"},
		{`{"truncate":0}`, "200 unexpected EOF", "truncate"},
		{`{"slow_body":"5ms"}`, "200 1024 bytes", "slow_body"},
		{`{"huge_body":100000}`, "200 100000 bytes", "huge_body"},
		{`{"huge_body":-1}`, "200 1048576 bytes", "huge_body"}, // read no further
		{`{"bad_http":"garbage"}`, "malformed", "bad_http garbage"},
		{`{"bad_http":"header"}`, "headers", "bad_http header"},
		{`{"bad_http":"length"}`, "lengths", "bad_http length"},
	} {
		t.Run(test.step, func(t *testing.T) {
			b := newBench(t)
			if status, body := b.call("PUT", "/inboxes/a", `{"script":[`+test.step+`]}`); status != 201 {
				t.Fatal(status, body)
			}
			if got := b.outcome("/in/a"); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			got, err := b.receiver.Wait(t.Context(), "a", 1, nil)
			if err != nil || got[0].Answer.Fault != test.fault {
				t.Errorf("listed %+v, %v", got[0].Answer, err)
			}
		})
	}
}

func TestRetryAfterDate(t *testing.T) {
	b := newBench(t)
	b.call("PUT", "/inboxes/a", `{"script":[{"status":429,"retry_after":100,"retry_after_date":true,"headers":{"x-own":"1"}}]}`)
	before := time.Now()
	response, err := http.Get(b.server.URL + "/in/a")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	at, err := http.ParseTime(response.Header.Get("Retry-After"))
	if err != nil || at.Before(before.Add(100*time.Second)) || at.After(time.Now().Add(102*time.Second)) || response.Header.Get("X-Own") != "1" {
		t.Errorf("%v, %v", response.Header, err)
	}
}

// TestHang gives up after a while, as senders do, and the receiver notices.
func TestHang(t *testing.T) {
	b := newBench(t)
	b.call("PUT", "/inboxes/a", `{"script":[{"hang":true}]}`)
	conn, err := net.Dial("tcp", b.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "GET /in/a HTTP/1.1\r\nHost: h\r\n\r\n")
	for { // It is listed before it is answered.
		n := b.receiver.store.since("a", 0)
		if len(n.requests) > 0 {
			if n.requests[0].Answer != nil {
				t.Errorf("answered: %+v", n.requests[0].Answer)
			}
			break
		}
		<-n.changed
	}
	conn.Close()
	got, err := b.receiver.Wait(t.Context(), "a", 1, nil)
	if err != nil || got[0].Answer.Fault != "hang" || got[0].Answer.Status != 0 || !got[0].Answer.Gone {
		t.Errorf("got %+v, %v", got[0].Answer, err)
	}
	answered := make(chan error)
	go func() {
		_, err := http.Get(b.server.URL + "/in/a")
		answered <- err
	}()
	b.receiver.Close()
	if err := <-answered; err == nil {
		t.Error("answered when the receiver was closed")
	}
}

func TestScriptOrder(t *testing.T) {
	one := func(status int, step Step) Step {
		step.Status = status
		return step
	}
	for _, test := range []struct {
		name     string
		steps    []Step
		attempts []int // of each request
		want     []int // statuses, 0 for no step
	}{
		{"by request", []Step{one(500, Step{Times: 2}), one(503, Step{Times: 1})}, []int{1, 1, 2, 2, 3}, []int{500, 500, 503, 0, 0}},
		{"by attempt", []Step{one(500, Step{Times: 2, By: ByAttempt}), one(503, Step{Times: 1, By: ByAttempt}), one(201, Step{})}, []int{1, 1, 2, 3, 3, 4, 1}, []int{500, 500, 500, 503, 503, 201, 500}},
		{"for ever", []Step{one(410, Step{})}, []int{1, 1, 2}, []int{410, 410, 410}},
		{"always by chance", []Step{one(500, Step{Probability: 1}), one(503, Step{})}, []int{1, 1}, []int{500, 500}},
		{"none", nil, []int{1}, []int{0}},
	} {
		s := newScript(test.steps)
		for i, attempt := range test.attempts {
			got := 0
			if step := s.next(attempt); step != nil {
				got = step.Status
			}
			if got != test.want[i] {
				t.Errorf("%s: request %d got %d, want %d", test.name, i+1, got, test.want[i])
			}
		}
	}
}

func TestProbability(t *testing.T) {
	s := newScript([]Step{{Probability: 0.3, Status: 500}})
	hits := 0
	for range 10_000 {
		if s.next(1) != nil {
			hits++
		}
	}
	if hits < 2500 || hits > 3500 { // ten standard deviations
		t.Errorf("%d of 10,000", hits)
	}
}

// TestScriptOfDefault: the script of the article's routes holds after the signature has been verified, for what is new.
func TestScriptOfDefault(t *testing.T) {
	b := newBench(t)
	b.call("PUT", "/inboxes/default", `{"script":[{"status":503,"retry_after":1,"times":1,"by":"attempt"}]}`)
	u := update("cb_1", "ord_1", "completed")
	for _, want := range []struct {
		key, query string
		status     int
	}{{"wrong", "", 401}, {secret, "", 503}, {secret, "", 200}, {secret, "", 200}} {
		if a := b.send("/callbacks/order-status", want.key, u); a.Status != want.status {
			t.Errorf("got %+v, want %d", a, want.status)
		}
	}
	if a := b.send("/callbacks/order-status?status=502", secret, update("cb_2", "ord_1", "completed")); a.Status != 502 {
		t.Errorf("the query does not go before the script: %+v", a)
	}
}

// TestQueryFaultsOfInboxes: by attempt of what is delivered, also where it has no id.
func TestQueryFaultsOfInboxes(t *testing.T) {
	b := newBench(t)
	for _, body := range []string{`{"callback_id":"1"}`, `{"callback_id":"2"}`, `no id`, ``} {
		for i, want := range []int{500, 500, 200} {
			if status, _ := b.call("POST", "/in/a?fail=2&own=x", body); status != want {
				t.Errorf("%q, attempt %d: %d", body, i+1, status)
			}
		}
	}
	if status, body := b.call("POST", "/in/a?fail=x", ""); status != 400 || !strings.Contains(body, "fail must be") {
		t.Errorf("%d %s", status, body)
	}
}

// TestHugeBodyEnds: an endless body ends when the sender stops reading, and when the receiver is closed.
func TestHugeBodyEnds(t *testing.T) {
	b := newBench(t)
	b.call("PUT", "/inboxes/a", `{"script":[{"huge_body":-1}]}`)
	response, err := http.Get(b.server.URL + "/in/a")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = bufio.NewReader(response.Body).Peek(10)
	response.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, err := b.receiver.Wait(ctx, "a", 1, nil)
	if err != nil || !got[0].Answer.Gone || got[0].Answer.Bytes == 0 || len(got[0].Answer.Body) != maxExcerpt {
		t.Errorf("got %+v, %v", got, err)
	}
}
