package handlers_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"petstore/handlers"
)

// TestRequestIDs holds that every answer names its request, and so does what is logged of it.
func TestRequestIDs(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(handlers.LogRequestIDs(slog.NewTextHandler(&log, nil))))
	t.Cleanup(func() { slog.SetDefault(before) })
	api := handlers.New(handlers.Config{Hosts: exampleHosts, Resources: []handlers.Resource{handlers.Deliveries(faulty{errors.New("it broke")})}})
	for sent, kept := range map[string]bool{
		"abc-123": true, strings.Repeat("x", 128): true, "": false, strings.Repeat("x", 129): false, "a b": false, "ä": false, "a\x7f": false,
	} {
		for _, path := range []string{"/api/callbacks", "/api/callbacks/dlv_1", "/nowhere", "/openapi.json"} { // the first fails, the second panics
			log.Reset()
			r := httptest.NewRequest(http.MethodGet, path, nil)
			if sent != "" {
				r.Header.Set("X-Request-Id", sent)
			}
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			id := w.Header().Get("X-Request-Id")
			if kept != (id == sent) || !kept && !strings.HasPrefix(id, "req_") {
				t.Errorf("GET %s with %q is answered with %q", path, sent, id)
			}
			if w.Code == http.StatusInternalServerError && !strings.Contains(log.String(), "request_id="+id) {
				t.Errorf("GET %s: logged was %s", path, log.String())
			}
			if path == "/api/callbacks/dlv_1" && !strings.Contains(log.String(), "faults_test.go") {
				t.Errorf("no stack of the panic was logged: %s", log.String())
			}
		}
	}
}
