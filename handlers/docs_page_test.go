package handlers_test

import (
	"net/http/httptest"
	"testing"

	"petstore/handlers"
)

// TestDocsPage: whoever leaves out the slash gets there, too.
func TestDocsPage(t *testing.T) {
	api := handlers.New(handlers.Config{Hosts: exampleHosts})
	for _, c := range []struct {
		path, location string
		status         int
	}{
		{"/docs", "/docs/", 308},
		{"/docs/", "", 200},
	} {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
		if w.Code != c.status || w.Header().Get("Location") != c.location {
			t.Errorf("GET %s: %d, Location %q, want %d and %q", c.path, w.Code, w.Header().Get("Location"), c.status, c.location)
		}
	}
}
