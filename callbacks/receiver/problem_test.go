package receiver

import (
	"cmp"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestProblems: what the receiver refuses is said as the Pet Store says it: what is wrong, with which fields, and what would
// be right.
func TestProblems(t *testing.T) {
	rc := New(Options{})
	defer rc.Close()
	for _, test := range []struct {
		method, path, body, host string
		status                   int
		code, detail, fields     string
	}{
		{"PUT", "/inboxes/a", `{"sceret":"s"}`, "", 422, codeInvalid, "sceret is not a field here; there are secret, refuse_unverified, scheme, contract, cause, script, forward_to.", "sceret"},
		{"PUT", "/inboxes/a", `{"script":[{"times":"x"}]}`, "", 422, codeInvalid, "script[0].times must be a whole number.", "script[0].times"},
		{"PUT", "/inboxes/a", `{"script":[{},{}],"scheme":"x"}`, "", 422, codeInvalid, "Another field is wrong, too; see errors.", "script[0] scheme"},
		{"PUT", "/inboxes/a", `{"secret":"a","secret":"b"}`, "", 400, codeMalformed, "secret is there more than once; give it once.", "secret"},
		{"PUT", "/inboxes/a", `{"secret":`, "", 400, codeMalformed, "The body ends before its JSON does.", ""},
		{"PUT", "/inboxes/a", `{'secret':1}`, "", 400, codeMalformed, "double quotes", ""},
		{"PUT", "/inboxes/a%20b", `{}`, "", 422, codeInvalid, "inbox must be 1 to 100 letters", "inbox"},
		{"GET", "/inboxes/a/requests?limit=0&wiat=3s&after=x", "", "", 422, codeInvalid, "after must be a number. 2 other fields are wrong, too; see errors.", "after limit wiat"},
		{"GET", "/inboxes/a/stream?wait=1s", "", "", 422, codeInvalid, "view, history", "wait"},
		{"GET", "/received?wiat=3s&count=0", "", "", 422, codeInvalid, "count must be a number from 1 to 1000.", "count wiat"},
		{"GET", "/inboxes/nobody", "", "", 404, codeNotFound, "GET /inboxes lists", ""},
		{"POST", "/inboxes/a", "", "", 405, codeNoMethod, `"/inboxes/a" does not take POST; it takes DELETE, GET, PATCH, PUT.`, ""},
		{"GET", "/callbacks/order-status", "", "", 405, codeNoMethod, "it takes POST.", ""},
		{"GET", "/inboxes", "", "evil.example", 421, "HOST_UNKNOWN", "ALLOWED_HOSTS", "Host"},
	} {
		r, w := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body)), httptest.NewRecorder()
		r.Host = cmp.Or(test.host, "127.0.0.1:9090")
		rc.ServeHTTP(w, r)
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %v, %s %s", test.method, test.path, err, w.Header().Get("Content-Type"), w.Body)
		}
		var fields []string
		for _, e := range p.Errors {
			fields = append(fields, e.Field)
		}
		if w.Code != test.status || p.Code != test.code || !strings.Contains(p.Detail, test.detail) || strings.Join(fields, " ") != test.fields {
			t.Errorf("%s %s %s: %d %s, want %d %s %q about %q", test.method, test.path, test.body, w.Code, w.Body, test.status, test.code, test.detail, test.fields)
		}
	}
}
