package handlers_test

import (
	"strings"
	"testing"
	"time"
)

func TestPollingWithETag(t *testing.T) {
	a := newAPI(t, settings{})
	o := a.order(`{"product":"dog-food"}`)
	at := "/api/tasks/" + o.TaskID
	first := a.do("GET", at, "").want(200)
	tag := first.Header.Get("ETag")
	if first.Header.Get("Retry-After") != "1" || tag == "" {
		t.Errorf("a task that is processing answers with %v", first.Header)
	}
	same := a.do("GET", at, "", "If-None-Match: "+tag).want(304)
	if same.Header.Get("ETag") != tag || same.Header.Get("Retry-After") != "1" || len(same.body) > 0 {
		t.Errorf("304 with %v %s", same.Header, same.body)
	}
	a.do("GET", at, "", `If-None-Match: "other", W/`+tag).want(304)
	a.do("GET", at, "", `If-None-Match: "other"`).want(200)

	// What the task says can change without an update.
	a.do("PATCH", "/api/orders/"+o.OrderID, `{"metadata":{"basket":"43"}}`).want(200)
	changed := a.do("GET", at, "", "If-None-Match: "+tag).want(200)
	tag = changed.Header.Get("ETag")

	a.start()
	done := a.do("GET", at+"?wait=30", "", "If-None-Match: "+tag).want(200)
	if got := read[task](done); got.Status != "completed" || done.Header.Get("Retry-After") != "" {
		t.Errorf("long poll: %+v %v", got, done.Header)
	}
	a.do("GET", at+"?wait=30", "", "If-None-Match: "+done.Header.Get("ETag")).want(304)
}

// TestPostThatWaits is the synchronous way of the article, on top of the
// asynchronous one.
func TestPostThatWaits(t *testing.T) {
	a := newAPI(t, settings{})
	begun := time.Now()
	slow := a.do("POST", "/api/orders", `{"product":"dog-food"}`, "Prefer: respond-async, wait=1").want(202) // nobody works yet
	if time.Since(begun) < time.Second || slow.Header.Get("Preference-Applied") != "wait=1" || slow.Header.Get("Retry-After") != "1" {
		t.Errorf("after %s: %v", time.Since(begun), slow.Header)
	}
	a.start()
	for name, test := range map[string]struct{ path, body, status, location string }{
		"completed": {"/api/orders", `{"product":"dog-food"}`, "completed", "/api/orders/ord_"},
		"failed":    {"/api/orders", `{"product":"cat-tree","quantity":1000}`, "failed", "/api/orders/ord_"},
		"a report":  {"/api/reports", `{"type":"dataset","data":"a,b\n1,2\n"}`, "completed", "/api/reports/rpt_"},
	} {
		t.Run(name, func(t *testing.T) {
			got := a.do("POST", test.path, test.body, `Prefer: wait="30"; why=impatient`).want(201)
			if o := read[order](got); o.Status != test.status || !strings.HasPrefix(got.Header.Get("Location"), test.location) {
				t.Errorf("got %+v %v", o, got.Header)
			}
			if got.Header.Get("Preference-Applied") != "wait=30" || got.Header.Get("Retry-After") != "" {
				t.Errorf("headers %v", got.Header)
			}
		})
	}
	a.do("POST", "/api/orders", `{"product":"dog-food"}`, "Prefer: wait=0").want(202)
	a.do("POST", "/api/orders", `{"product":"no-such"}`, "Prefer: wait=30").want(422)
}

func TestOrigins(t *testing.T) {
	development := newAPI(t, settings{})
	production := newAPI(t, settings{production: true, origins: []string{"https://app.example.com"}})
	for _, test := range []struct {
		a       *api
		origin  string
		allowed bool
	}{
		{development, "http://localhost:5173", true},
		{development, "http://127.0.0.1:5173", true},
		{development, "http://[::1]:5173", true},
		{development, development.url, true},
		{development, "https://evil.example.com", false},
		{development, "http://localhost.evil.example.com", false},
		{development, "null", false},
		{production, "https://app.example.com", true},
		{production, production.url, true},
		{production, "http://localhost:5173", false},
		{production, "http://app.example.com", false},
		{production, "https://app.example.com.evil.example.com", false},
		{production, "%%%", false},
	} {
		want := ""
		if test.allowed {
			want = test.origin
		}
		got := test.a.do("GET", "/api/products", "", "Origin: "+test.origin).want(200)
		if header := got.Header.Get("Access-Control-Allow-Origin"); header != want || got.Header.Get("Vary") != "Origin" {
			t.Errorf("%s: Access-Control-Allow-Origin %q, want %q", test.origin, header, want)
		}
		status := 422
		if !test.allowed {
			status = 403
		}
		test.a.do("POST", "/api/orders", "{}", "Origin: "+test.origin).want(status)
		if _, err := test.a.dial(test.origin); (err == nil) != test.allowed {
			t.Errorf("%s: WebSocket: %v", test.origin, err)
		}
	}
	preflight, err := development.client.Transport.(checked).next.RoundTrip(newRequest(t, "OPTIONS", development.url+"/api/orders",
		"Origin: http://localhost:5173", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type,prefer,traceparent,authorization,x-requested-with")) // faults 12
	must(t, err)
	defer preflight.Body.Close()
	if h := preflight.Header; preflight.StatusCode != 204 || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") ||
		h.Get("Access-Control-Allow-Headers") != "content-type,prefer,traceparent,authorization,x-requested-with" {
		t.Errorf("preflight: %s %v", preflight.Status, h)
	}
}
