package contract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

func read(t testing.TB, document string) *Contract {
	t.Helper()
	c, err := Read([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func file(t testing.TB, name string) string {
	t.Helper()
	document, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

func jsonHeader(more ...string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

// show is a fit in a line: its name, and what fails where.
func show(f Fit) string {
	var all strings.Builder
	all.WriteString(f.Name)
	for _, failure := range f.Failures {
		fmt.Fprintf(&all, "; %s: %s", failure.Field, failure.Reason)
	}
	if f.Unchecked != "" {
		all.WriteString("; unchecked: " + f.Unchecked)
	}
	return all.String()
}

// TestVersions has the same rules in OpenAPI 3.0 and 3.1, which say some of them in different words.
func TestVersions(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"3.0", "3.1"} {
		c := read(t, file(t, "testdata/shop-"+version+".yaml"))
		for _, test := range []struct{ body, want string }{
			{`{"id":"1","price":2.5,"note":null}`, "onPaid"},
			{`{"id":"1","price":2.5,"more":true}`, "onPaid"},
			{`{"id":"1","price":2,"note":"n"}`, "onPaid; /price: exclusiveMinimum: got 2, want 2"},
			{`{"id":1,"price":3}`, "onPaid; /id: got number, want string"},
			{`{"id":null,"price":3}`, "onPaid; /id: got null, want string"},
			{`{"price":3}`, "onPaid; /id: missing"},
			{`{"id":"1","price":3,"at":"yesterday"}`, "onPaid; /at: 'yesterday' is not valid date-time: less than 20 characters long"},
			{`{"id":"1","price":3,"to":{"street":"s","town":"t"}}`, "onPaid; /to/town: not declared"},
			{`{"id":"1","price":3,"items":["a",{"n/a":1}]}`, "onPaid; /items/1/n~1a: got number, want string"},
			{`{"id":"1","price":3,"method":{"card":1}}`, "onPaid; /method/card: got number, want string"},
			{`[]`, "onPaid; : got array, want object"},
			{`{`, "onPaid; : not JSON: unexpected EOF"},
			{``, "onPaid; : missing"},
		} {
			if got := show(c.Check(Request{Method: "POST", Path: "/hooks/paid", Header: jsonHeader("X-Attempt", "1"), Body: []byte(test.body)}, nil)); got != test.want {
				t.Errorf("%s: %s:\n got %s\nwant %s", version, test.body, got, test.want)
			}
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	c := read(t, file(t, "testdata/shop-3.1.yaml"))
	body := []byte(`{"id":"1","price":3}`)
	for _, test := range []struct {
		header http.Header
		want   string
	}{
		{jsonHeader("X-Attempt", "3"), "onPaid"},
		{jsonHeader("X-Attempt", "3", "X-Tags", "a, b", "X-Dry", "true"), "onPaid"},
		{jsonHeader(), "onPaid; header X-Attempt: missing"},
		{jsonHeader("X-Attempt", "three"), "onPaid; header X-Attempt: got string, want integer"},
		{jsonHeader("X-Attempt", "0"), "onPaid; header X-Attempt: minimum: got 0, want 1"},
		{jsonHeader("X-Attempt", "3", "X-Tags", "a,b,c"), "onPaid; header X-Tags: maxItems: got 3, want 2"},
		{jsonHeader("X-Attempt", "3", "X-Dry", "maybe"), "onPaid; header X-Dry: got string, want boolean"},
		{http.Header{"X-Attempt": {"1"}, "Content-Type": {"text/plain"}}, `onPaid; header Content-Type: "text/plain" is not declared, want application/json`},
		{http.Header{"X-Attempt": {"1"}}, `onPaid; header Content-Type: "" is not declared, want application/json`},
		{http.Header{"X-Attempt": {"1"}, "Content-Type": {"application/json; charset=utf-8"}}, "onPaid"},
	} {
		if got := show(c.Check(Request{Method: "POST", Path: "/", Header: test.header, Body: body}, nil)); got != test.want {
			t.Errorf("%v:\n got %s\nwant %s", test.header, got, test.want)
		}
	}
}

// TestBestFit has two callbacks and a webhook that a request may be, by its path and its body.
func TestBestFit(t *testing.T) {
	t.Parallel()
	c := read(t, file(t, "testdata/shop-3.1.yaml"))
	for _, test := range []struct{ method, path, body, want string }{
		{"POST", "/a/paid", `{"id":"1","price":3}`, "onPaid"},
		{"POST", "/a/paid", `{"parcel":"1"}`, "parcelMoved"},
		{"POST", "/a/paid", `{"parcel":1}`, "parcelMoved; /parcel: got number, want string"},
		{"PUT", "/shops/7/stock", `{"left":1}`, "onStock"},
		{"PUT", "/in/box/shops/7/stock", `{"left":"1"}`, "onStock; /left: got string, want integer"},
		{"PUT", "/shops/7/stocks", `{"left":1}`, ""},
		{"PUT", "/shops/stock", `{"left":1}`, ""},
		{"PATCH", "/a/paid", `{"id":"1","price":3}`, ""},
	} {
		if got := show(c.Check(Request{Method: test.method, Path: test.path, Header: jsonHeader("X-Attempt", "1"), Body: []byte(test.body)}, nil)); got != test.want {
			t.Errorf("%s %s %s:\n got %s\nwant %s", test.method, test.path, test.body, got, test.want)
		}
	}
}

func TestKnownCauseLeavesNoChoice(t *testing.T) {
	t.Parallel()
	c := read(t, file(t, "testdata/shop-3.1.yaml"))
	targets := c.Resolve(Exchange{Method: "POST", URL: "http://shop.example/v1/orders", Body: json.RawMessage(`{"callback_url":"http://me.example/a/paid?x=1"}`)})
	if len(targets) != 1 || targets[0].Path != "/a/paid" {
		t.Fatalf("targets %v", targets)
	}
	fit := c.Check(Request{Method: "POST", Path: "/a/paid", Header: jsonHeader("X-Attempt", "1"), Body: []byte(`{"parcel":"1"}`)}, []string{targets[0].Pointer})
	if got := show(fit); got != "onPaid; /id: missing; /price: missing" {
		t.Error(got)
	}
	if want := "#/paths/~1orders/post/callbacks/onPaid/{$request.body#~1callback_url}/post … required"; strings.ReplaceAll(fit.Failures[0].Rule, "/requestBody", "") != want {
		t.Errorf("rule %s, want %s", fit.Failures[0].Rule, want)
	}
}

// TestOwnContract holds what the server documents against examples of its own.
func TestOwnContract(t *testing.T) {
	t.Parallel()
	c := read(t, file(t, "../../../../openapi.yaml"))
	header := jsonHeader("X-Callback-Signature", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
		"webhook-id", "cb_1", "webhook-timestamp", "1614265330", "webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	const body = `{"callback_id":"cb_1","type":"order.completed","task_id":"task_1","order_id":"ord_1","sequence":1,"status":"completed",
		"progress":100,"metadata":{},"timestamp":"2026-01-02T03:04:05.678Z"}`
	fit := c.Check(Request{Method: "POST", Path: "/callbacks/order-status", Header: header, Body: []byte(body)}, nil)
	if len(fit.Failures) > 0 || fit.Name != "orderUpdate" || !slices.Contains(fit.Alike, "imageUpdate") {
		t.Errorf("%+v", fit)
	}
	fit = c.Check(Request{Method: "POST", Path: "/callbacks/order-status", Header: header, Body: []byte(strings.Replace(body, `"completed"`, `"done"`, 1))}, nil)
	if len(fit.Failures) != 1 || fit.Failures[0].Rule != "#/components/schemas/Update/properties/status/enum" {
		t.Errorf("%+v", fit)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"not YAML":     "\t:",
		"empty":        "",
		"no OpenAPI":   "a: b",
		"Swagger":      `{"swagger":"2.0","info":{"title":"x","version":"1"},"paths":{}}`,
		"nothing sent": "openapi: 3.1.1\ninfo: {title: x, version: '1'}\npaths: {/a: {get: {responses: {'200': {description: ok}}}}}\n",
		"too long":     "openapi: 3.1.1\n" + strings.Repeat("#", MaxDocument),
	} {
		if _, err := Read([]byte(document)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func webhook(schema string) string {
	return `{"openapi":"3.1.0","info":{"title":"x","version":"1"},"webhooks":{"hook":{"post":{"requestBody":{"content":{"application/json":{"schema":` +
		schema + `}}},"responses":{"200":{"description":"ok"}}}}},"components":{"schemas":{"Node":{"type":"object","properties":{"next":{"$ref":"#/components/schemas/Node"},"v":{"type":"integer"}}}}}}`
}

// TestReferencesAreNotFollowed: a document must not make the receiver fetch anything.
func TestReferencesAreNotFollowed(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		fmt.Fprint(w, `{"type":"string"}`)
	}))
	defer server.Close()
	for _, reference := range []string{server.URL + "/schema.json", "testdata/shop-3.1.yaml", "file:///etc/hostname"} {
		c, err := Read([]byte(webhook(`{"$ref":"` + reference + `"}`)))
		if err != nil {
			continue // Refused is as good.
		}
		fit := c.Check(Request{Method: "POST", Path: "/", Header: jsonHeader(), Body: []byte(`{}`)}, nil)
		if fit.Unchecked == "" {
			t.Errorf("%s: %+v", reference, fit)
		}
	}
	select {
	case path := <-asked:
		t.Errorf("the server was asked for %s", path)
	default:
	}
}

func TestHardSchemas(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat(`{"next":`, n) + `{"v":"x"}` + strings.Repeat("}", n) }
	for name, test := range map[string]struct{ schema, body, want string }{
		"recursive":        {`{"$ref":"#/components/schemas/Node"}`, `{"next":{"next":{"v":"x"}}}`, "hook; /next/next/v: got string, want integer"},
		"deep body":        {`{"$ref":"#/components/schemas/Node"}`, deep(maxDepth - 1), "hook; " + strings.Repeat("/next", maxDepth-1) + "/v: got string, want integer"},
		"too deep a body":  {`{"$ref":"#/components/schemas/Node"}`, deep(maxDepth), "hook; unchecked: the body is nested too deep"},
		"brackets in text": {`{"type":"string"}`, `"` + strings.Repeat(`\"[{`, maxDepth) + `"`, "hook"},
		"pattern":          {`{"type":"string","pattern":"^(a+)+$"}`, `"` + strings.Repeat("a", 5000) + `!"`, "hook; : '" + strings.Repeat("a", 5000) + "!' does not match pattern '^(a+)+$'"},
		"any of":           {`{"anyOf":[{"type":"integer"},{"type":"object","required":["a","b"]}]}`, `{"a":1}`, "hook; /b: missing"},
		"one of, two fit":  {`{"oneOf":[{"type":"integer"},{"type":"number"}]}`, `1`, "hook; : 'oneOf' failed, subschemas 0, 1 matched"},
		"nothing required": {`{}`, `{"a":1}`, "hook"},
	} {
		if got := show(read(t, webhook(test.schema)).Check(Request{Method: "POST", Path: "/", Header: jsonHeader(), Body: []byte(test.body)}, nil)); got != test.want {
			t.Errorf("%s:\n got %.300s\nwant %.300s", name, got, test.want)
		}
	}
}

// TestUnusableSchema: what Go's regular expressions lack is no fault of the sender.
func TestUnusableSchema(t *testing.T) {
	t.Parallel()
	fit := read(t, webhook(`{"type":"string","pattern":"^(?!x)"}`)).Check(Request{Method: "POST", Path: "/", Header: jsonHeader(), Body: []byte(`1`)}, nil)
	if fit.Unchecked == "" || len(fit.Failures) > 0 {
		t.Errorf("%+v", fit)
	}
}

func TestManyFailuresAreCut(t *testing.T) {
	t.Parallel()
	body := "[" + strings.Repeat(`"x",`, 1000) + `1]`
	fit := read(t, webhook(`{"type":"array","items":{"type":"integer"}}`)).Check(Request{Method: "POST", Path: "/", Header: jsonHeader(), Body: []byte(body)}, nil)
	if len(fit.Failures) != maxFailures {
		t.Errorf("%d failures", len(fit.Failures))
	}
}

// TestExpandingAliases is the "billion laughs" in YAML.
func TestExpandingAliases(t *testing.T) {
	t.Parallel()
	var bomb strings.Builder
	bomb.WriteString("openapi: 3.1.0\ninfo: {title: x, version: '1'}\nx-0: &x0 {type: string}\n")
	for i := range 30 {
		fmt.Fprintf(&bomb, "x-%d: &x%d {a: *x%d, b: *x%d, c: *x%d}\n", i+1, i+1, i, i, i)
	}
	bomb.WriteString("webhooks:\n  hook: {post: {requestBody: {content: {application/json: {schema: {properties: *x30}}}}, responses: {'200': {description: ok}}}}\n")
	c, err := Read([]byte(bomb.String()))
	if err == nil {
		t.Error(show(c.Check(Request{Method: "POST", Path: "/", Header: jsonHeader(), Body: []byte(`{}`)}, nil)))
	}
}

func BenchmarkCheck(b *testing.B) {
	c := read(b, file(b, "testdata/shop-3.1.yaml"))
	header, body := jsonHeader("X-Attempt", "1"), []byte(`{"id":"1","price":3,"to":{"street":"s"}}`)
	for b.Loop() {
		c.Check(Request{Method: "POST", Path: "/hooks/paid", Header: header, Body: body}, nil)
	}
}
