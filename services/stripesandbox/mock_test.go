package stripesandbox_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"petstore/services/stripesandbox"
	"petstore/services/stripesandbox/stripemock"
)

// TestAgainstStripeMock sends the same requests to the sandbox and to
// stripe-mock. stripe-mock remembers nothing, but it knows Stripe's description
// of each request and answer: what one accepts the other must accept, and what
// the sandbox answers must be there, with the same type, in what stripe-mock does.
func TestAgainstStripeMock(t *testing.T) {
	for _, port := range []string{"12111", "12112"} { // faults 1: stripe-mock's own, if nobody has them yet
		if taken, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			defer taken.Close()
		}
	}
	sandbox := httptest.NewServer(open(t, ""))
	t.Cleanup(sandbox.Close)
	sites := map[string]string{"sandbox": sandbox.URL, "stripe-mock": stripemock.Start(t)}
	pay := "amount=2499&currency=usd&payment_method=pm_card_visa"
	intent := func(form string) string { return id(t, sandbox.URL+"/v1/payment_intents", form) }
	tests := []struct {
		name, method, path, form string
		status                   int
	}{
		{"create", "POST", "/v1/payment_intents", "amount=100&currency=usd", 200},
		{"create with all we send", "POST", "/v1/payment_intents", pay + "&payment_method_types[0]=card&description=Dog+food&metadata[payment_id]=pay_1&metadata[order_id]=ord_1", 200},
		{"create and confirm", "POST", "/v1/payment_intents", pay + "&confirm=true&error_on_requires_action=true", 200},
		{"create and need action", "POST", "/v1/payment_intents", "amount=100&currency=usd&payment_method=pm_card_authenticationRequired&confirm=true", 200},
		{"retrieve", "GET", "/v1/payment_intents/" + intent(pay), "", 200},
		{"confirm", "POST", "/v1/payment_intents/" + intent(pay) + "/confirm", "error_on_requires_action=true", 200},
		{"confirm another method", "POST", "/v1/payment_intents/" + intent("amount=100&currency=usd") + "/confirm", "payment_method=pm_card_visa", 200},
		{"cancel", "POST", "/v1/payment_intents/" + intent(pay) + "/cancel", "cancellation_reason=abandoned", 200},
		{"refund", "POST", "/v1/refunds", "payment_intent=" + intent(pay+"&confirm=true"), 200},
		{"refund with all we send", "POST", "/v1/refunds", "payment_intent=" + intent(pay+"&confirm=true") + "&amount=40&reason=requested_by_customer&metadata[refund_id]=re_1", 200},

		{"no amount", "POST", "/v1/payment_intents", "currency=usd", 400},
		{"no currency", "POST", "/v1/payment_intents", "amount=100", 400},
		{"amount is a word", "POST", "/v1/payment_intents", "amount=much&currency=usd", 400},
		{"amount is a fraction", "POST", "/v1/payment_intents", "amount=1.5&currency=usd", 400},
		{"unknown parameter", "POST", "/v1/payment_intents", "amount=100&currency=usd&tip=1", 400},
		{"unknown parameter of confirm", "POST", "/v1/payment_intents/" + intent(pay) + "/confirm", "tip=1", 400},
		{"unknown reason to cancel", "POST", "/v1/payment_intents/" + intent(pay) + "/cancel", "cancellation_reason=mood", 400},
		{"unknown reason to refund", "POST", "/v1/refunds", "payment_intent=pi_1&reason=mood", 400},
		{"unknown parameter of refund", "POST", "/v1/refunds", "payment_intent=pi_1&tip=1", 400},
		{"flag that is none", "POST", "/v1/payment_intents", "amount=100&currency=usd&confirm=perhaps", 400},
		{"no such URL", "POST", "/v1/nothing", "", 404},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answers := map[string]map[string]any{}
			for site, base := range sites {
				status, answer := request(t, test.method, base+test.path, test.form, "sk_test_123")
				if status != test.status {
					t.Errorf("%s answers %d, want %d: %v", site, status, test.status, answer)
				}
				answers[site] = answer
			}
			compare(t, "", answers["sandbox"], answers["stripe-mock"], test.status >= 400)
		})
	}
	for site, base := range sites {
		if status, answer := request(t, "POST", base+"/v1/payment_intents", pay, ""); status != 401 {
			t.Errorf("%s without a key answers %d: %v", site, status, answer)
		}
	}
}

// compare reports what is in got but not in want, or of another type. Errors say
// more than stripe-mock's do, but have the same type.
func compare(t *testing.T, path string, got, want map[string]any, failed bool) {
	t.Helper()
	for name, value := range got {
		other, there := want[name]
		inner, isObject := value.(map[string]any)
		otherInner, otherIsObject := other.(map[string]any)
		switch {
		case failed && path == ".error" && name != "type":
		case !there && path != ".metadata":
			t.Errorf("%s.%s: stripe-mock has no such field", path, name)
		case isObject && otherIsObject:
			compare(t, path+"."+name, inner, otherInner, failed)
		case value != nil && other != nil && kind(value) != kind(other):
			t.Errorf("%s.%s is %v, and at stripe-mock %v", path, name, value, other)
		case failed && name == "type" && value != other:
			t.Errorf("%s.type is %v, and at stripe-mock %v", path, value, other)
		}
	}
}

func kind(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "array"
	}
	return "object"
}

func open(t testing.TB, path string) *stripesandbox.Sandbox {
	t.Helper()
	sandbox, err := stripesandbox.Open(path, stripesandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sandbox.Close(); err != nil {
			t.Error(err)
		}
	})
	return sandbox
}

func request(t testing.TB, method, url, form, key string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer := map[string]any{}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return res.StatusCode, answer
}

// id makes an object and returns what it is called.
func id(t testing.TB, address, form string) string {
	t.Helper()
	_, answer := request(t, http.MethodPost, address, form, "sk_test_123")
	id, ok := answer["id"].(string)
	if !ok {
		t.Fatalf("no id: %v", answer)
	}
	return url.PathEscape(id)
}
