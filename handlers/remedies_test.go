package handlers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"petstore/docs"
	"petstore/handlers"
)

// TestErrorsSayWhatToDo reads errors as a newcomer does: what was wrong, and what would be right.
func TestErrorsSayWhatToDo(t *testing.T) {
	b := newBad(t, settings{})
	tests := []struct {
		method, path, body, header string
		status                     int
		says                       string
	}{
		{"POST", "/api/orders", `{'product':'dog-food'}`, "", 400, "double quotes"},
		{"POST", "/api/orders", `{"product":"a","product":"b"}`, "", 400, "product is there more than once; give it once."},
		{"POST", "/api/images/process", "x", "Content-Type: multipart/form-data", 400, "Content-Type header to your client"},
		{
			"POST", "/api/images/process", "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\ncat\r\n--b--\r\n",
			"Content-Type: multipart/form-data; boundary=b", 422, "wants a filename",
		},
		{"POST", "/api/orders", `{}`, "Origin: https://evil.example", 403, "ALLOWED_ORIGINS"},
		{"POST", "/api/orders/", `{}`, "", 404, "no slash at their end"},
		{"DELETE", "/api/orders", "", "", 405, `"/api/orders" does not take DELETE; it takes GET, HEAD, POST.`},
		{"PATCH", "/openapi.yaml", "", "", 405, "it takes GET, HEAD."},
		{"POST", "/api/products", `{"slug":"dog-food","name":"x","category":"x","price":1}`, "", 409, "choose another"},
		{"POST", "/api/orders", `{"product":"nope"}`, "", 422, "GET /api/products"},
		{"POST", "/api/orders", `{"produkt":"dog-food"}`, "", 422, "there are product, quantity, items, metadata, callback_url, callback_events"},
		{"POST", "/api/orders", `{"items":[{"name":"dog-food"}]}`, "", 422, "there are product, quantity"},
		{"POST", "/api/payments", `{"amount":1,"provider":"stripe","order_id":"nope"}`, "", 422, "GET /api/orders"},
		{"GET", "/api/orders?cursor=x", "", "", 422, "next_cursor"},
		{"GET", "/api/orders?state=x", "", "", 422, "it takes status, product, cursor, limit"},
		{"GET", "/api/ws", "", "", 426, "WebSocket client"},
	}
	for _, test := range tests {
		headers := slices.DeleteFunc([]string{test.header}, func(h string) bool { return h == "" })
		got := b.unchecked().do(test.method, test.path, test.body, headers...).want(test.status)
		p := read[problem](got)
		told := []string{p.Detail}
		for _, e := range p.Errors {
			told = append(told, e.Message)
		}
		if !strings.Contains(strings.Join(told, "\n"), test.says) {
			t.Errorf("%s %s %s says %q, want %q", test.method, test.path, test.body, told, test.says)
		}
		if test.status == 405 && !strings.HasSuffix(p.Detail, "it takes "+got.Header.Get("Allow")+".") {
			t.Errorf("%s %s says %q, and allows %q", test.method, test.path, p.Detail, got.Header.Get("Allow"))
		}
	}
}

// TestExamplesOfErrors holds the errors that the contract shows, each of them, against those that the server sends.
func TestExamplesOfErrors(t *testing.T) {
	var contract struct {
		Components struct {
			Examples map[string]struct {
				Value json.RawMessage `json:"value"`
			} `json:"examples"`
		} `json:"components"`
	}
	must(t, json.Unmarshal(docs.JSON(), &contract))
	b := newBad(t, settings{})
	cancel := b.path("/api/orders/{order_id}/cancel")
	b.do("POST", cancel, "").want(200)
	sent := map[string]problem{
		"InternalError":    askFaulty(t, errors.New("a bug")),
		"StoreUnavailable": askFaulty(t, &pgconn.PgError{Code: "57P01"}),
		"StoreFull":        askFaulty(t, &pgconn.PgError{Code: "53100"}),
	}
	for name, got := range map[string]answer{
		"Malformed":            b.do("POST", "/api/orders", `{`),
		"OriginForbidden":      b.do("POST", "/api/orders", `{}`, "Origin: https://evil.example"),
		"HostUnknown":          b.do("GET", "/api/orders", "", "Host: evil.example"),
		"NotFound":             b.do("GET", "/api/orders/ord_0199f2a0c1d27d3ea4b5c6d7e8f90123", ""),
		"Conflict":             b.do("POST", cancel, ""),
		"PreconditionFailed":   b.do("DELETE", "/api/products/dog-food", "", `If-Match: "nope"`),
		"TooLarge":             b.do("POST", "/api/orders", strings.Repeat(" ", 1<<20+1)),
		"UnsupportedMediaType": b.do("POST", "/api/orders", `{}`, "Content-Type: text/plain"),
		"RangeNotSatisfiable":  b.unchecked().do("GET", "/openapi.yaml", "", "Range: bytes=99999999-"),
		"UpgradeRequired":      b.do("GET", "/api/ws", ""),
	} {
		sent[name] = read[problem](got)
	}
	for name, example := range contract.Components.Examples {
		if !bytes.Contains(example.Value, []byte(`"about:blank"`)) {
			continue // no error
		}
		var shown problem
		must(t, json.Unmarshal(example.Value, &shown))
		if !reflect.DeepEqual(sent[name], shown) {
			t.Errorf("the server says %+v, the contract's example %s %+v", sent[name], name, shown)
		}
	}
}

// askFaulty is what is told of a fault by a server whose use cases fail with it.
func askFaulty(t *testing.T, fault error) (told problem) {
	t.Helper()
	api := handlers.New(handlers.Config{Hosts: exampleHosts, Resources: []handlers.Resource{handlers.Deliveries(faulty{fault})}})
	must(t, json.Unmarshal(visit(api, "/api/callbacks", "*/*").Body.Bytes(), &told))
	return told
}
