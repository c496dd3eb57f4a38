package contracttest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// spy records what a check reports, so that the checks themselves can be tested.
type spy struct {
	testing.TB
	mu     sync.Mutex
	report string
}

func (s *spy) Helper() {}

func (s *spy) Errorf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report += fmt.Sprintf(format, args...)
}

// expect fails the test unless the report contains want; with no want, unless it is empty.
func (s *spy) expect(t *testing.T, want string) {
	t.Helper()
	if want == "" && s.report != "" {
		t.Errorf("unexpected report: %s", s.report)
	}
	if !strings.Contains(s.report, want) {
		t.Errorf("report does not say %q:\n%s", want, s.report)
	}
}

var fixture = sync.OnceValues(func() (*Contract, error) {
	document, err := os.ReadFile("testdata/fixture.yaml")
	if err != nil {
		return nil, err
	}
	return New(document)
})

func loadFixture(t *testing.T) *Contract {
	t.Helper()
	c, err := fixture()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestResponse(t *testing.T) {
	t.Parallel()
	const ok = `{"order_id":"ord_1","created_at":"2026-01-02T03:04:05Z","metadata":{"a":"b"},"result":{"x":{"y":1,"z":[{"a":[1]}]}},"next":null}`
	tests := map[string]struct {
		method, path string
		status       int
		mediaType    string
		body, report string
	}{
		"valid":               {"POST", "/orders", 202, "application/json", ok, ""},
		"problem":             {"POST", "/orders", 400, "application/problem+json", `{"code":"X"}`, ""},
		"no content":          {"DELETE", "/orders/ord_1", 204, "", "", ""},
		"body with a 204":     {"DELETE", "/orders/ord_1", 204, "", "{}", "declares no body"},
		"undeclared field":    {"POST", "/orders", 202, "application/json", strings.Replace(ok, `"next"`, `"prev":1,"next"`, 1), "prev"},
		"nested undeclared":   {"POST", "/orders", 202, "application/json", strings.Replace(ok, `"result"`, `"error":{"code":"X","stack":"…"},"result"`, 1), "stack"},
		"wrong type":          {"POST", "/orders", 202, "application/json", strings.Replace(ok, `"ord_1"`, `1`, 1), "order_id"},
		"wrong type in a map": {"POST", "/orders", 202, "application/json", strings.Replace(ok, `"b"`, `1`, 1), "metadata"},
		"wrong format":        {"POST", "/orders", 202, "application/json", strings.Replace(ok, "T03", " 03", 1), "date-time"},
		"missing field":       {"POST", "/orders", 202, "application/json", `{"order_id":"ord_1"}`, "created_at"},
		"no JSON":             {"POST", "/orders", 202, "application/json", `{`, "decode"},
		"empty body":          {"POST", "/orders", 202, "application/json", ``, "body is empty"},
		"undeclared status":   {"POST", "/orders", 409, "application/problem+json", `{"code":"X"}`, "409"},
		"wrong media type":    {"POST", "/orders", 400, "application/json", `{"code":"X"}`, "application/json"},
		"unknown path":        {"POST", "/nope", 202, "application/json", ok, "/nope"},
		"unknown method":      {"PUT", "/orders", 202, "application/json", ok, "PUT"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp := &http.Response{StatusCode: test.status, Header: http.Header{}}
			if test.mediaType != "" {
				resp.Header.Set("Content-Type", test.mediaType)
			}
			if test.status == 202 {
				resp.Header.Set("Location", "/orders/ord_1")
			}
			var s spy
			loadFixture(t).Response(&s, httptest.NewRequest(test.method, test.path, nil), resp, []byte(test.body))
			s.expect(t, test.report)
		})
	}
}

func TestResponseHeaders(t *testing.T) {
	t.Parallel()
	const body = `{"order_id":"ord_1","created_at":"2026-01-02T03:04:05Z","next":null}`
	tests := map[string]struct {
		header http.Header
		report string
	}{
		"declared":         {http.Header{"Location": {"/orders/ord_1"}}, ""},
		"required missing": {http.Header{}, "Location"},
		"undeclared":       {http.Header{"Location": {"/orders/ord_1"}, "X-Debug": {"1"}}, "X-Debug"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.header.Set("Content-Type", "application/json")
			resp := &http.Response{StatusCode: 202, Header: test.header}
			var s spy
			loadFixture(t).Response(&s, httptest.NewRequest("POST", "/orders", nil), resp, []byte(body))
			s.expect(t, test.report)
		})
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ method, target, body, report string }{
		"valid":                {"POST", "/orders", `{"product":"dog-food"}`, ""},
		"alternative":          {"POST", "/orders", `{"items":[{"product":"dog-food"}]}`, ""},
		"both alternatives":    {"POST", "/orders", `{"product":"a","items":[{"product":"dog-food"}]}`, "oneOf"},
		"neither":              {"POST", "/orders", `{}`, "missing property 'items'"},
		"undeclared field":     {"POST", "/orders", `{"product":"a","colour":"red"}`, "colour"},
		"bad URL":              {"POST", "/orders", `{"product":"a","callback_url":"http://[::"}`, "uri"},
		"undeclared parameter": {"DELETE", "/orders/ord_1?force=1", ``, "force"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequest(test.method, test.target, nil)
			if test.body != "" {
				req.Header.Set("Content-Type", "application/json")
			}
			var s spy
			loadFixture(t).Request(&s, req, []byte(test.body))
			s.expect(t, test.report)
		})
	}
}

func TestCallback(t *testing.T) {
	t.Parallel()
	const ok = `{"callback_id":"cb_1","metadata":{"any":"thing"}}`
	tests := map[string]struct{ name, method, signature, body, report string }{
		"valid":              {"orderUpdate", "POST", "sha256=00", ok, ""},
		"webhook":            {"orderPaid", "POST", "", ok, ""},
		"unknown":            {"nope", "POST", "sha256=00", ok, "nope"},
		"other method":       {"orderUpdate", "PUT", "sha256=00", ok, "PUT"},
		"unsigned":           {"orderUpdate", "POST", "", ok, "X-Callback-Signature"},
		"malformed signing":  {"orderUpdate", "POST", "00", ok, "X-Callback-Signature"},
		"undeclared field":   {"orderUpdate", "POST", "sha256=00", `{"callback_id":"cb_1","metadata":{},"secret":"x"}`, "secret"},
		"missing field":      {"orderUpdate", "POST", "sha256=00", `{"callback_id":"cb_1"}`, "metadata"},
		"wrong type":         {"orderUpdate", "POST", "sha256=00", `{"callback_id":"cb_1","metadata":{"n":1}}`, "metadata"},
		"undeclared in hook": {"orderPaid", "POST", "", `{"callback_id":"cb_1","metadata":{},"secret":"x"}`, "secret"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequest(test.method, "http://client.example/callbacks/order-status?fail=2", nil)
			req.Header.Set("Content-Type", "application/json")
			if test.signature != "" {
				req.Header.Set("X-Callback-Signature", test.signature)
			}
			var s spy
			loadFixture(t).Callback(&s, test.name, req, []byte(test.body))
			s.expect(t, test.report)
			if req.URL.RawQuery != "fail=2" {
				t.Error("the caller's request was changed")
			}
		})
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	c := loadFixture(t)
	if got, want := fmt.Sprint(c.Operations()), "[DELETE /orders/{order_id} POST /orders]"; got != want {
		t.Errorf("Operations() = %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(c.Callbacks()), "[orderPaid orderUpdate]"; got != want {
		t.Errorf("Callbacks() = %s, want %s", got, want)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"not YAML":     "\t:",
		"empty":        "",
		"no OpenAPI":   "a: b",
		"no info":      "openapi: 3.1.1\npaths: {}\n",
		"bad response": "openapi: 3.1.1\ninfo: {title: x, version: '1'}\npaths: {/a: {get: {responses: {'200': {}}}}}\n",
	} {
		if _, err := New([]byte(document)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestOwnContract holds the real contract against what its readers rely on.
func TestOwnContract(t *testing.T) {
	t.Parallel()
	c := Load(t)
	if err := c.checkRuntimeExpressions(); err != nil {
		t.Error(err)
	}
	for _, operation := range c.Operations() {
		if strings.Contains(operation, "/callbacks-sent/") {
			t.Errorf("%s describes a callback: docs/gen must move it to its operations", operation)
		}
	}
	if len(c.Callbacks()) == 0 {
		t.Error("the contract has no callbacks")
	}
	for name, item := range c.sent { // faults 5: what is said of the server's answers is none of a receiver's
		answers := item.Post.Responses.Codes
		if answers.GetOrZero("401") == nil || answers.GetOrZero("410") == nil || answers.GetOrZero("421") != nil || answers.GetOrZero("403") != nil {
			t.Errorf("%s is answered by a receiver with %v", name, slices.Collect(answers.KeysFromOldest()))
		}
	}
}

func BenchmarkResponse(b *testing.B) {
	c, err := fixture()
	if err != nil {
		b.Fatal(err)
	}
	body := []byte(`{"order_id":"ord_1","created_at":"2026-01-02T03:04:05Z","next":null}`)
	req := httptest.NewRequest("POST", "/orders", nil)
	resp := &http.Response{StatusCode: 202, Header: http.Header{"Content-Type": {"application/json"}, "Location": {"/"}}}
	for b.Loop() {
		c.Response(b, req, resp, body)
	}
}
