package contracttest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"

	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"petstore/callbacks"
)

// TestReceiversAnswers (faults 5, another instance): what the server's own answers have, receivers' do not: problems as
// bodies, X-Request-Id and other headers, its names and its security.
func TestReceiversAnswers(t *testing.T) {
	t.Parallel()
	for name, item := range Load(t).sent {
		if item.Post.Security != nil || item.Post.Servers != nil {
			t.Errorf("%s has the server's security or names", name)
		}
		for _, parameter := range item.Post.Parameters {
			if slices.Contains([]string{"X-Request-Id", "Idempotency-Key", "Prefer", "If-Match", "Last-Event-ID"}, parameter.Name) {
				t.Errorf("%s is sent with %s", name, parameter.Name)
			}
		}
		for code, answer := range item.Post.Responses.Codes.FromOldest() {
			if answer.Content != nil && answer.Content.Len() != 0 {
				t.Errorf("%s: a receiver's %s has a body that the server decides on", name, code)
			}
			for header := range headersOf(answer) {
				if header != "Retry-After" {
					t.Errorf("%s: a receiver's %s has %s", name, code, header)
				}
			}
		}
	}
}

// TestRetryAfterAsDocumented (faults 6, another instance): the answers that the contract says may put a callback off are
// those that do, and no others.
func TestRetryAfterAsDocumented(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Query().Get("status"))
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
	}))
	defer receiver.Close()
	sender := callbacks.NewSender(callbacks.SenderOptions{Policy: callbacks.DevelopmentPolicy()})
	defer sender.Close()
	heeded := map[string]bool{}
	for _, status := range []int{200, 400, 401, 408, 410, 413, 425, 429, 500, 502, 503, 504} {
		code := strconv.Itoa(status)
		heeded[code] = sender.Send(t.Context(), callbacks.Delivery{URL: receiver.URL + "?status=" + code}).RetryAfter > 0
	}
	for name, item := range Load(t).sent {
		for code, heeds := range heeded {
			answer := item.Post.Responses.Codes.GetOrZero(code)
			if says := answer != nil && headersOf(answer)["Retry-After"]; says != heeds {
				t.Errorf("%s: Retry-After of a %s: the contract says %t, the sender %t", name, code, says, heeds)
			}
		}
	}
}

func headersOf(answer *v3.Response) map[string]bool {
	names := map[string]bool{}
	if answer.Headers != nil {
		for name := range answer.Headers.KeysFromOldest() {
			names[name] = true
		}
	}
	return names
}
