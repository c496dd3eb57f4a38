package handlers_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"petstore/docs/contracttest"
)

// TestRoutesAreTheContract holds the routes against the contract, both ways.
func TestRoutesAreTheContract(t *testing.T) {
	pages := []string{"GET /", "GET /openapi.yaml", "GET /openapi.json", "GET /asyncapi.yaml", "GET /docs", "GET /docs/*path", "GET /lab/*path", "GET /socket.io/", "POST /socket.io/", "OPTIONS /socket.io/"}
	var routes []string
	for _, route := range newAPI(t, settings{}).handler.Handler.(*gin.Engine).Routes() {
		name := route.Method + " " + regexp.MustCompile(`:(\w+)`).ReplaceAllString(route.Path, "{$1}")
		if route.Method != http.MethodHead && !slices.Contains(pages, name) {
			routes = append(routes, name)
		}
	}
	slices.Sort(routes)
	operations := contracttest.Load(t).Operations()
	for _, route := range routes {
		if !slices.Contains(operations, route) {
			t.Errorf("%s is not in the contract", route)
		}
	}
	for _, operation := range operations {
		if !slices.Contains(routes, operation) {
			t.Errorf("%s is in the contract, and there is no such route", operation)
		}
	}
}

// checked is a transport that holds every answer against the contract, and
// every request that was accepted.
type checked struct {
	t    testing.TB
	next http.RoundTripper
}

func (c checked) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(sent))
	res, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(got))
	checkExchange(c.t, req, sent, res, got)
	return res, nil
}

// checkExchange fails the test unless the answer is one that the contract
// declares for this request.
func checkExchange(t testing.TB, req *http.Request, sent []byte, res *http.Response, got []byte) {
	t.Helper()
	contract := contracttest.Load(t)
	path, methods := declared(contract, req.Method, req.URL.Path)
	switch {
	case req.Method == http.MethodHead:
		if len(got) > 0 {
			t.Errorf("HEAD %s answers with a body", req.URL)
		}
		return
	case res.StatusCode == http.StatusMisdirectedRequest, res.StatusCode == http.StatusForbidden && req.Header.Get("Origin") != "":
		// The host and the origin are looked at before the path.
	case path == "":
		if res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusBadRequest && strings.HasPrefix(req.URL.Path, "/api/") {
			t.Errorf("%s %s answers %d, and is not in the contract", req.Method, req.URL, res.StatusCode)
		}
	case !slices.Contains(methods, req.Method):
		checkOtherMethod(t, req, res, methods)
	default:
		// The path with plain words for parameters: how odd ones are written is
		// no matter of the answer's shape.
		contract.Response(t, httptest.NewRequest(req.Method, regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "x"), nil), res, got)
		if res.StatusCode < 300 {
			contract.Request(t, withHeaders(req, "Content-Type", "If-Match", "If-None-Match"), sent)
		}
	}
	if res.StatusCode >= 400 {
		checkProblem(t, req, res, got)
	}
}

// withHeaders is req with those of its headers that an operation may care about:
// anybody may send others, which the contract does not declare.
func withHeaders(req *http.Request, names ...string) *http.Request {
	req = req.Clone(req.Context())
	for name := range req.Header {
		if !slices.Contains(names, name) {
			req.Header.Del(name)
		}
	}
	return req
}

// declared finds the path of the contract that a request is for, "" for none,
// and the methods that it can have.
func declared(contract *contracttest.Contract, method, requested string) (path string, methods []string) {
	for _, operation := range contract.Operations() {
		m, template, _ := strings.Cut(operation, " ")
		if !matches(template, requested) {
			continue
		}
		// /api/callbacks/redeliver is an id to GET, and an action to POST.
		if path == "" || m == method && (template == requested || !slices.Contains(methods, method)) {
			path = template
		}
		methods = append(methods, m)
	}
	return path, methods
}

func matches(template, requested string) bool {
	want, got := strings.Split(template, "/"), strings.Split(requested, "/")
	return slices.EqualFunc(want, got, func(want, got string) bool {
		return want == got || strings.HasPrefix(want, "{") && got != ""
	})
}

func checkOtherMethod(t testing.TB, req *http.Request, res *http.Response, methods []string) {
	t.Helper()
	want := http.StatusMethodNotAllowed
	if req.Method == http.MethodOptions {
		want = http.StatusNoContent
	}
	if res.StatusCode != want {
		t.Errorf("%s %s answers %d, want %d", req.Method, req.URL, res.StatusCode, want)
	}
	allowed := strings.Split(res.Header.Get("Allow"), ", ")
	for _, method := range methods {
		if !slices.Contains(allowed, method) {
			t.Errorf("%s %s: the Allow header %q lacks %s", req.Method, req.URL, allowed, method)
		}
	}
}

// checkProblem fails the test unless the answer is a problem (RFC 9457) that is
// the client's, and says which field is wrong where there is one.
func checkProblem(t testing.TB, req *http.Request, res *http.Response, got []byte) {
	t.Helper()
	if res.StatusCode >= 500 {
		t.Errorf("%s %s answers %d: %s", req.Method, req.URL, res.StatusCode, got)
	}
	if mediaType := res.Header.Get("Content-Type"); mediaType != "application/problem+json" {
		t.Errorf("%s %s answers %d as %q", req.Method, req.URL, res.StatusCode, mediaType)
		return
	}
	var p problem
	decoder := json.NewDecoder(bytes.NewReader(got))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		t.Errorf("%s %s: %v in %s", req.Method, req.URL, err, got)
		return
	}
	if p.Status != res.StatusCode || p.Code == "" || p.Detail == "" || p.Title == "" || p.Type != "about:blank" {
		t.Errorf("%s %s answers %d with the problem %s", req.Method, req.URL, res.StatusCode, got)
	}
	if len(p.Errors) == 0 && slices.Contains([]int{415, 422}, res.StatusCode) {
		t.Errorf("%s %s: the problem names no field: %s", req.Method, req.URL, got)
	}
	for _, e := range p.Errors {
		if e.Field == "" || e.Message == "" {
			t.Errorf("%s %s: a field without a name or a message: %s", req.Method, req.URL, got)
		}
	}
}
