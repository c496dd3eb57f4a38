package handlers_test

import "testing"

// TestForeignRanges (faults 17, another instance): pages are served in parts as pictures are.
func TestForeignRanges(t *testing.T) {
	a := newAPI(t, settings{})
	for _, path := range []string{"/docs/dog.png", "/docs/petstore.css", "/openapi.yaml", "/openapi.json", "/asyncapi.yaml", "/lab/lab.css"} {
		for ranges, status := range map[string]int{"items=0-1": 200, "BYTES=0-1": 206, "bytes=-0": 416, "bytes=-2": 206} {
			a.do("GET", path, "", "Range: "+ranges).want(status)
		}
	}
}

// TestForeignErrors (security 12): what libraries would answer in plain text is a problem, too.
func TestForeignErrors(t *testing.T) {
	a := newAPI(t, settings{})
	for _, test := range []struct {
		method, path string
		headers      []string
		status       int
		code         string
	}{
		{"GET", "/docs/nope", nil, 404, "NOT_FOUND"},
		{"GET", "/docs/%ff", nil, 404, "NOT_FOUND"},
		{"GET", "/docs/%00", nil, 404, "NOT_FOUND"},
		{"GET", "/docs/..%2fopenapi.yaml", nil, 404, "NOT_FOUND"},
		{"GET", "/docs/%2e%2e/go.mod", nil, 404, "NOT_FOUND"},
		{"GET", "/docs//index.html", nil, 404, "NOT_FOUND"},
		{"GET", "/docs/petstore.css/", nil, 404, "NOT_FOUND"},
		{"POST", "/docs/", nil, 405, "METHOD_NOT_ALLOWED"},
		{"GET", "/docs/petstore.css", []string{"Range: bytes=99999999-"}, 416, "RANGE_NOT_SATISFIABLE"},
		{"GET", "/openapi.yaml", []string{`If-Match: "x"`}, 412, "PRECONDITION_FAILED"},
		{"GET", "/openapi.json", []string{"Range: bytes=99999999-"}, 416, "RANGE_NOT_SATISFIABLE"},
		{"GET", "/api/ws", nil, 426, "UPGRADE_REQUIRED"},
		{"GET", "/api/ws", []string{"Upgrade: websocket"}, 426, "UPGRADE_REQUIRED"},
		{"GET", "/api/ws", []string{"Upgrade: websocket", "Connection: Upgrade"}, 400, "MALFORMED_REQUEST"},
		{"GET", "/api/ws", []string{"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x"}, 400, "MALFORMED_REQUEST"},
		{"GET", "/socket.io/", nil, 400, "MALFORMED_REQUEST"},
		{"GET", "/socket.io/?EIO=4&transport=polling&sid=nobody", nil, 400, "MALFORMED_REQUEST"},
		{"POST", "/socket.io/?EIO=4&transport=polling", nil, 400, "MALFORMED_REQUEST"},
		{"GET", "/socket.io/?EIO=4&transport=websocket", []string{"Upgrade: websocket"}, 426, "UPGRADE_REQUIRED"},
		{"GET", "/socket.io/?EIO=4&transport=websocket", []string{"Upgrade: websocket", "Connection: Upgrade"}, 400, "MALFORMED_REQUEST"},
		{"GET", "/socket.io/?EIO=4&transport=polling", []string{"Origin: https://evil.example"}, 403, "ORIGIN_FORBIDDEN"},
	} {
		got := a.do(test.method, test.path, "", test.headers...).want(test.status)
		p := read[problem](got)
		if p.Code != test.code || p.Status != test.status || p.Detail == "" || got.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s %v: %s %s", test.method, test.path, test.headers, got.Header.Get("Content-Type"), got.body)
		}
	}
}
