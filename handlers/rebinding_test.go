package handlers_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestRebinding (security 6): a page whose own name was made to resolve to this machine is
// refused, whatever it asks for, by whichever way.
func TestRebinding(t *testing.T) {
	a := newAPI(t, settings{})
	for _, request := range []string{
		"POST /api/webhooks/whk_1/rotate", "GET /api/callbacks", "GET /", "GET /docs/", "GET /openapi.yaml", "GET /nothing", "PUT /health",
		"OPTIONS /api/orders", "GET /api/ws", "GET /socket.io/?EIO=4&transport=polling", "GET /socket.io/?EIO=4&transport=websocket", "GET /api/orders/stream",
	} {
		method, path, _ := strings.Cut(request, " ")
		r, err := http.NewRequestWithContext(t.Context(), method, a.url+path, nil)
		must(t, err)
		r.Host = "evil.example"
		r.Header.Set("Origin", "http://evil.example")
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		res, err := http.DefaultClient.Do(r)
		must(t, err)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusMisdirectedRequest || res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s is answered %s, %v", request, res.Status, res.Header)
		}
	}
}
