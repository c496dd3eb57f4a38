package receiver

import (
	"net/http/httptest"
	"testing"

	"petstore/callbacks/origin"
)

// TestOrigins: a page that isn't the receiver's own can neither read nor trigger anything, also under a name that was
// made to resolve to this machine. Callbacks come from anywhere.
func TestOrigins(t *testing.T) {
	pages, err := origin.ParseAll([]string{"https://App.example.com/"})
	if err != nil {
		t.Fatal(err)
	}
	rc := New(Options{AllowedHosts: []string{"Receiver.test"}, AllowedOrigins: pages})
	defer rc.Close()
	rc.Configure("a", Settings{})
	own := []struct{ method, path string }{
		{"GET", "/"}, {"GET", "/received"}, {"DELETE", "/received"}, {"GET", "/inboxes"}, {"PUT", "/inboxes/a"}, {"PATCH", "/inboxes/a"},
		{"GET", "/inboxes/a/requests"}, {"GET", "/inboxes/a/requests.har"}, {"GET", "/inboxes/a/stream?x=1"}, {"GET", "/inboxes/a/requests/1/raw"},
		{"POST", "/inboxes/a/requests/1/replay"}, {"DELETE", "/inboxes/a/requests"}, {"DELETE", "/inboxes/b"}, {"OPTIONS", "/inboxes/a"},
	}
	for _, visit := range []struct {
		host, origin string
		refused      int // 0 for let in
	}{
		{"127.0.0.1:9090", "", 0},
		{"127.0.0.1:9090", "http://127.0.0.1:9090", 0},
		{"localhost:9090", "http://localhost:9090", 0},
		{"LOCALHOST.:9090", "", 0},
		{"[::1]:9090", "http://[::1]:9090", 0},
		{"a.localhost", "", 0},
		{"192.168.1.5:9090", "", 0},
		{"receiver.test", "", 0},
		{"receiver.test:9090", "https://app.example.com", 0},
		{"receiver.test:9090", "https://APP.example.com:443", 0},
		{"", "", 0},
		{"evil.example", "", 421},
		{"evil.example", "http://evil.example", 421}, // rebinding
		{"127.0.0.1.evil.example:9090", "", 421},
		{"localhost.evil.example", "", 421},
		{"evil.example:9090", "https://app.example.com", 421},
		{"127.0.0.1:9090", "http://evil.example", 403},
		{"127.0.0.1:9090", "http://127.0.0.1:8080", 403},
		{"127.0.0.1:9090", "http://localhost:9090", 403},
		{"127.0.0.1:9090", "null", 403},
		{"127.0.0.1:9090", "file://", 403},
		{"127.0.0.1:9090", "https://app.example.com.evil.example", 403},
	} {
		for _, request := range own {
			r := httptest.NewRequest(request.method, request.path, nil)
			r.Host = visit.host
			if visit.origin != "" {
				r.Header.Set("Origin", visit.origin)
			}
			w := httptest.NewRecorder()
			rc.ServeHTTP(w, r)
			refused := 0
			if w.Code == 421 || w.Code == 403 {
				refused = w.Code
			}
			if refused != visit.refused {
				t.Errorf("%s %s, Host %q, Origin %q: %d", request.method, request.path, visit.host, visit.origin, w.Code)
			}
			if shared := w.Header().Get("Access-Control-Allow-Origin"); (shared != "") != (visit.origin != "" && visit.refused == 0) {
				t.Errorf("%s %s, Origin %q: shared with %q", request.method, request.path, visit.origin, shared)
			}
		}
		for _, path := range []string{"/in/b/x", "/callbacks/order-status", "/nothing"} {
			r := httptest.NewRequest("POST", path, nil)
			r.Host = visit.host
			r.Header.Set("Origin", visit.origin)
			w := httptest.NewRecorder()
			rc.ServeHTTP(w, r)
			if w.Code == 421 || w.Code == 403 || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("POST %s, Host %q, Origin %q: %d", path, visit.host, visit.origin, w.Code)
			}
		}
	}
}
