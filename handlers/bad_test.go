package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"petstore/docs"
	"petstore/docs/contracttest"
)

// bad is a server with one thing of each kind, for requests that must change
// none of them.
type bad struct {
	*api
	fixtures
	unchanged func() bool
}

func newBad(t testing.TB, s settings) bad {
	t.Helper()
	a := newAPI(t, s)
	f := a.fill()
	return bad{a, f, a.watch()}
}

// refuse sends a request that must be refused, and not write anything. What an
// answer must be like, the client holds against the contract.
func (b bad) refuse(method, path, body string, headers ...string) answer {
	b.Helper()
	got := b.do(method, path, body, headers...)
	if got.StatusCode < 400 {
		b.Errorf("%s %s %v %.200q answers %s", method, path, headers, body, got.Status)
	}
	if !b.unchanged() {
		b.Errorf("%s %s %v %.200q writes to the database", method, path, headers, body)
	}
	return got
}

// TestWatch shows that a write is noticed, or the tests below would show nothing.
func TestWatch(t *testing.T) {
	b := newBad(t, settings{})
	if !b.unchanged() {
		t.Error("something was written with no request")
	}
	for _, operation := range []string{"POST /api/orders", "PUT /api/orders/{order_id}", "PATCH /api/products/{product_id}"} {
		method, path, _ := strings.Cut(operation, " ")
		b.do(method, b.path(path), valid[operation])
		if b.unchanged() {
			t.Errorf("%s is not noticed", operation)
		}
	}
}

// text has a field that is a string for each operation that takes JSON.
var text = map[string]string{
	"POST /api/products": "name", "PUT /api/products/{product_id}": "name", "PATCH /api/products/{product_id}": "name",
	"POST /api/orders": "product", "PUT /api/orders/{order_id}": "callback_url", "PATCH /api/orders/{order_id}": "callback_url",
	"POST /api/payments": "description", "POST /api/payments/{payment_id}/refunds": "reason",
	"POST /api/images/process": "image_url", "PUT /api/images/{image_id}": "callback_url", "PATCH /api/images/{image_id}": "callback_url",
	"POST /api/reports": "from", "POST /api/webhooks": "url", "PUT /api/webhooks/{webhook_id}": "url", "PATCH /api/webhooks/{webhook_id}": "url",
	"POST /api/webhooks/{webhook_id}/replay": "since", "POST /api/callbacks/redeliver": "url",
}

// TestAllBodiesAreTested keeps the tables of these tests complete.
func TestAllBodiesAreTested(t *testing.T) {
	var contract struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]any `json:"content"`
			} `json:"requestBody"`
		} `json:"paths"`
	}
	must(t, json.Unmarshal(docs.JSON(), &contract))
	for path, methods := range contract.Paths {
		for method, operation := range methods {
			name := strings.ToUpper(method) + " " + path
			if _, takesJSON := operation.RequestBody.Content["application/json"]; takesJSON && (text[name] == "" || valid[name] == "") {
				t.Errorf("%s takes JSON: give it a line in text and valid", name)
			}
		}
	}
}

func TestBodiesThatAreNoRequest(t *testing.T) {
	b := newBad(t, settings{})
	deep := strings.Repeat(`[`, 200_000)
	tests := []struct {
		name, body string
		status     int
		field      string
	}{
		{"nothing", " ", 400, ""},
		{"cut off", `{`, 400, ""},
		{"cut off in a string", `{"@":"dog`, 400, ""},
		{"no JSON", `product=dog-food`, 400, ""},
		{"single quotes", `{'product':'dog-food'}`, 400, ""},
		{"comment", `{/* */}`, 400, ""},
		{"trailing comma", `{"@":"a",}`, 400, ""},
		{"NaN", `{"@":NaN}`, 400, ""},
		{"trailing data", `{} {}`, 400, ""},
		{"trailing text", `{}x`, 400, ""},
		{"array", `[]`, 400, ""},
		{"string", `"x"`, 400, ""},
		{"number", `1`, 400, ""},
		{"null", `null`, 400, ""},
		{"byte order mark", "\ufeff{}", 400, ""},
		{"UTF-16", "{\x00}\x00", 400, ""},
		{"bad UTF-8 in a value", "{\"@\":\"\xff\"}", 400, ""},
		{"bad UTF-8 in a name", "{\"\xff\":1}", 400, ""},
		{"overlong UTF-8", "{\"@\":\"\xc0\x80\"}", 400, ""},
		{"lone surrogate", `{"@":"\ud800"}`, 400, ""},
		{"swapped surrogates", `{"@":"\udc00\ud800"}`, 400, ""},
		{"raw NUL", "{\"@\":\"\x00\"}", 400, ""},
		{"raw line break", "{\"@\":\"\n\"}", 400, ""},
		{"deep arrays", deep, 400, ""},
		{"deep arrays in a field", `{"x":` + deep, 422, "x"},
		{"deep objects", strings.Repeat(`{"x":`, 150_000), 422, "x"},
		{"over 1 MiB", `{"@":"` + strings.Repeat("a", 1<<20) + `"}`, 413, ""},
		{"over 1 MiB of spaces", strings.Repeat(" ", 1<<20) + `{}`, 413, ""},
		{"unknown field", `{"nope":1}`, 422, "nope"},
		{"unknown field, null", `{"nope":null}`, 422, "nope"},
		{"unknown field without a name", `{"":1}`, 422, `""`},
		{"upper case", `{"Product":"dog-food"}`, 422, "Product"},
		{"prototype", `{"__proto__":{"product":"dog-food"}}`, 422, "__proto__"},
		{"long name", `{"` + strings.Repeat("é", 50_000) + `":1}`, 422, strings.Repeat("é", 100)},
		{"repeated unknown field", `{"nope":1,"nope":2}`, 422, "nope"},
		{"name with NUL", `{"a\u0000b":1}`, 422, "a\x00b"},
	}
	for operation, known := range text {
		method, path, _ := strings.Cut(operation, " ")
		for _, test := range tests {
			t.Run(operation+" "+test.name, func(t *testing.T) {
				b := b
				b.TB = t
				got := b.refuse(method, b.path(path), strings.Replace(test.body, "@", known, 1)).want(test.status)
				if test.field != "" {
					got.names(test.field)
				}
			})
		}
		if operation != "POST /api/payments/{payment_id}/refunds" { // which may do without
			b.refuse(method, b.path(path), "").want(400)
		}
	}
}

// TestRefundWithoutABody: it gives back what is left of the payment.
func TestRefundWithoutABody(t *testing.T) {
	a := newAPI(t, settings{})
	f := a.fill() // with a refund of 1 of 100
	refund := read[map[string]any](a.do("POST", f.path("/api/payments/{payment_id}/refunds"), "").want(202))
	if refund["amount"] != 99.0 {
		t.Errorf("got %v", refund)
	}
}

func TestMediaTypes(t *testing.T) {
	b := newBad(t, settings{})
	types := []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "application/jsonp", "*/*", "json", ";", "application/json,application/json"}
	for operation := range text {
		method, path, _ := strings.Cut(operation, " ")
		for _, mediaType := range types {
			if operation == "POST /api/images/process" && strings.HasPrefix(mediaType, "multipart/form-data") {
				continue // which is for uploads
			}
			b.refuse(method, b.path(path), `{}`, "Content-Type: "+mediaType).want(415).names("Content-Type")
		}
	}
	// What curl sends when it is given -d and nothing else.
	got := b.refuse("POST", "/api/orders", `{"product":"dog-food"}`, "Content-Type: application/x-www-form-urlencoded").want(415)
	if p := read[problem](got); !strings.HasSuffix(p.Detail, "With curl, add: -H 'Content-Type: application/json'") {
		t.Errorf("the problem says %q", p.Detail)
	}
	b.do("POST", "/api/orders", `{"product":"dog-food"}`, "Content-Type: Application/JSON; charset=utf-8").want(202)
}

func TestFieldsOfOrders(t *testing.T) {
	b := newBad(t, settings{})
	large := make([]string, 17) // 17,000 bytes in all
	for i := range large {
		large[i] = fmt.Sprintf(`"%d":"%s"`, i, strings.Repeat("é", 500))
	}
	many := strings.TrimSuffix(strings.Repeat(`{"product":"dog-food"},`, 101), ",")
	entries := make([]string, 51)
	for i := range entries {
		entries[i] = fmt.Sprintf(`"%d":"x"`, i)
	}
	tests := []struct{ body, field string }{
		{`{}`, "product"},
		{`{"product":""}`, "product"},
		{`{"product":null}`, "product"},
		{`{"product":1}`, "product"},
		{`{"product":["dog-food"]}`, "product"},
		{`{"product":{"slug":"dog-food"}}`, "product"},
		{`{"product":"nope"}`, "product"},
		{`{"product":"dog-food\u0000"}`, "product"},
		{`{"product":"' OR 1=1 --"}`, "product"},
		{`{"product":"` + strings.Repeat("a", 101) + `"}`, "product"},
		{`{"product":"dog-food","quantity":0}`, "quantity"},
		{`{"product":"dog-food","quantity":-1}`, "quantity"},
		{`{"product":"dog-food","quantity":1001}`, "quantity"},
		{`{"product":"dog-food","quantity":1.5}`, "quantity"},
		{`{"product":"dog-food","quantity":1e400}`, "quantity"},
		{`{"product":"dog-food","quantity":9223372036854775808}`, "quantity"},
		{`{"product":"dog-food","quantity":` + strings.Repeat("9", 10_000) + `}`, "quantity"},
		{`{"product":"dog-food","quantity":"1"}`, "quantity"},
		{`{"product":"dog-food","quantity":null}`, "quantity"},
		{`{"product":"dog-food","quantity":true}`, "quantity"},
		{`{"product":"dog-food","items":[]}`, "product"},
		{`{"quantity":1,"items":[{"product":"dog-food"}]}`, "quantity"},
		{`{"items":[]}`, "items"},
		{`{"items":null}`, "items"},
		{`{"items":{}}`, "items"},
		{`{"items":[null]}`, "items[0]"},
		{`{"items":["dog-food"]}`, "items[0]"},
		{`{"items":[{}]}`, "items[0].product"},
		{`{"items":[{"product":"dog-food"},{"product":"nope"}]}`, "items[1].product"},
		{`{"items":[{"product":"dog-food","quantity":0}]}`, "items[0].quantity"},
		{`{"items":[{"product":"dog-food","colour":"red"}]}`, "items[0].colour"},
		{`{"items":[` + many + `]}`, "items"},
		{`{"product":"dog-food","metadata":[]}`, "metadata"},
		{`{"product":"dog-food","metadata":null}`, "metadata"},
		{`{"product":"dog-food","metadata":{"a":1}}`, "metadata.a"},
		{`{"product":"dog-food","metadata":{"a":null}}`, "metadata.a"},
		{`{"product":"dog-food","metadata":{"a":{"b":"c"}}}`, "metadata.a"},
		{`{"product":"dog-food","metadata":{"a":"x\u0000y"}}`, "metadata.a"},
		{`{"product":"dog-food","metadata":{"a\u0000":"x"}}`, "metadata.a"},
		{`{"product":"dog-food","metadata":{"":"x"}}`, "metadata"},
		{`{"product":"dog-food","metadata":{"a":"` + strings.Repeat("é", 501) + `"}}`, "metadata.a"},
		{`{"product":"dog-food","metadata":{"` + strings.Repeat("é", 65) + `":""}}`, "metadata"},
		{`{"product":"dog-food","metadata":{` + strings.Join(entries, ",") + `}}`, "metadata"},
		{`{"product":"dog-food","metadata":{` + strings.Join(large, ",") + `}}`, "metadata"},
		{`{"product":"dog-food","callback_url":1}`, "callback_url"},
		{`{"product":"dog-food","callback_url":null}`, "callback_url"},
		{`{"product":"dog-food","callback_url":["http://a.example"]}`, "callback_url"},
	}
	for _, test := range tests {
		b.refuse("POST", "/api/orders", test.body).want(422).names(test.field)
	}
	b.refuse("POST", "/api/orders", `{"product":"dog-food","product":"cat-food"}`).want(400).names("product")
	b.refuse("POST", "/api/orders", `{"product":"dog-food","metadata":{"a":"1","a":"2"}}`).want(400).names("metadata.a")

	at := "/api/orders/" + b.fixtures["order_id"]
	for body, field := range map[string]string{
		`{"product":"cat-food"}`: "product", `{"status":"completed"}`: "status", `{"metadata":1}`: "metadata",
		`{"metadata":{"a":1}}`: "metadata.a", `{"metadata":{"":"x"}}`: "metadata", `{"callback_url":"ftp://a.example"}`: "callback_url",
		`{"metadata":{"a":"\u0000"}}`: "metadata.a",
	} {
		b.refuse("PUT", at, body).want(422).names(field)
		b.refuse("PATCH", at, body).want(422).names(field)
	}
	for _, field := range []string{"metadata", "callback_url"} { // which a patch may take away
		b.refuse("PUT", at, `{"`+field+`":null}`).want(422).names(field)
	}
}

func TestFieldsOfProducts(t *testing.T) {
	b := newBad(t, settings{})
	with := func(field, value string) string {
		return `{"slug":"new","name":"New","category":"cat","price":1,"` + field + `":` + value + `}`
	}
	without := func(field, value string) string {
		return strings.Replace(`{"slug":"new","name":"New","category":"cat","price":1}`, field, value, 1)
	}
	tests := []struct{ body, field string }{
		{`{}`, "slug"}, {`{}`, "name"}, {`{}`, "category"}, {`{}`, "price"},
		{without(`"new"`, `""`), "slug"}, {without(`"new"`, `"New"`), "slug"}, {without(`"new"`, `"a--b"`), "slug"}, {without(`"new"`, `"-a"`), "slug"},
		{without(`"new"`, `"a b"`), "slug"}, {without(`"new"`, `"é"`), "slug"}, {without(`"new"`, `"a/b"`), "slug"}, {without(`"new"`, `"..`+`"`), "slug"},
		{without(`"new"`, quote(strings.Repeat("a", 101))), "slug"}, {without(`"new"`, `null`), "slug"},
		{without(`"New"`, quote(strings.Repeat("é", 201))), "name"}, {without(`"New"`, `"a\u0000"`), "name"}, {without(`"New"`, `[]`), "name"},
		{without(`"cat"`, quote(strings.Repeat("a", 101))), "category"},
		{without(`1}`, `-1}`), "price"}, {without(`1}`, `1000000001}`), "price"}, {without(`1}`, `"1"}`), "price"}, {without(`1}`, `0.5}`), "price"}, {without(`1}`, `1e99}`), "price"},
		{with("description", quote(strings.Repeat("a", 5001))), "description"}, {with("description", `null`), "description"},
		{with("currency", `"usd"`), "currency"}, {with("currency", `"EURO"`), "currency"}, {with("currency", `1`), "currency"},
		{with("stock", `-1`), "stock"}, {with("stock", `1000000001`), "stock"}, {with("stock", `1.5`), "stock"},
		{with("tags", `"toy"`), "tags"}, {with("tags", `["a","a"]`), "tags"}, {with("tags", `[""]`), "tags[0]"}, {with("tags", `["a",2]`), "tags[1]"},
		{with("tags", `["`+strings.Repeat(`a","`, 20)+`b"]`), "tags"}, {with("tags", `["`+strings.Repeat("a", 51)+`"]`), "tags[0]"},
		{with("image_url", `"cat.jpg"`), "image_url"}, {with("image_url", `"javascript:alert(1)"`), "image_url"}, {with("image_url", `"data:image/png;base64,"`), "image_url"},
		{with("image_url", `"//evil.example/x"`), "image_url"}, {with("image_url", `"/a b"`), "image_url"}, {with("image_url", `"/\\evil.example"`), "image_url"}, {with("image_url", `"/a\r\nb"`), "image_url"}, {with("image_url", `"http://"`), "image_url"}, {with("image_url", quote("/"+strings.Repeat("a", 2048))), "image_url"},
		{with("product_id", `"prod_1"`), "product_id"}, {with("version", `1`), "version"},
	}
	for _, test := range tests {
		b.refuse("POST", "/api/products", test.body).want(422).names(test.field)
		b.refuse("PUT", "/api/products/dog-food", test.body).want(422).names(test.field)
	}
	for body, field := range map[string]string{
		`{"status":"nope"}`: "status", `{"order_id":1}`: "order_id", `{"order_id":"` + strings.Repeat("a", 101) + `"}`: "order_id",
		`{"url":"` + strings.Repeat("a", 2049) + `"}`: "url", `{"status":null}`: "status", `{"order_id":""}`: "status", `{"order_id":"\u0000"}`: "order_id",
	} {
		b.refuse("POST", "/api/callbacks/redeliver", body).want(422).names(field)
	}
}

// TestPaths sends garbage in the place of every id.
func TestPaths(t *testing.T) {
	b := newBad(t, settings{})
	garbage := []string{
		"nope", "%00", "a%00b", "%ff", "%c0%ae", "%ed%a0%80", ".", "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2F", "%5c", "%20", "%0d%0aX-Evil:1",
		"'%20OR%201=1%20--", "%F0%9F%90%95", "%25", "*", "{order_id}", "$%7Bjndi:x%7D", "-1", "0", strings.Repeat("a", 101), strings.Repeat("a", 20_000), ";", "a;b=c", "%",
	}
	for _, operation := range contracttest.Load(t).Operations() {
		method, path, _ := strings.Cut(operation, " ")
		open, end := strings.LastIndex(path, "{"), strings.LastIndex(path, "}")
		if open < 0 {
			continue
		}
		before, after := path[:open], path[end+1:]
		for _, id := range garbage {
			if id == "%" {
				continue // net/http refuses it, on both sides
			}
			b.refuse(method, b.path(before)+id+b.path(after), valid[operation]).want(404)
		}
	}
	for _, path := range []string{"/nope", "/api", "/api/", "/api/nope", "/api/orders/", "//api/orders", "/api//orders", "/api/orders/x/y/z", "/API/orders", "/api/orders%00"} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS", "BREW"} {
			b.refuse(method, path, "").want(404)
		}
	}
}

func TestQueries(t *testing.T) {
	b := newBad(t, settings{})
	// No operation takes a parameter that it does not know, or badly encoded ones.
	for _, operation := range contracttest.Load(t).Operations() {
		method, path, _ := strings.Cut(operation, " ")
		body := valid[operation]
		b.refuse(method, b.path(path)+"?nope=1", body).want(422).names("nope")
		b.refuse(method, b.path(path)+"?Limit=1&"+strings.Repeat("x", 5000)+"=1", body).want(422).names("Limit")
		b.refuse(method, b.path(path)+"?%zz=1", body).want(422).names("query")
		b.refuse(method, b.path(path)+"?a=1;b=2", body).want(422).names("query")
		b.refuse(method, b.path(path)+"?%ff=%00", body).want(422)
	}
	tests := map[string]string{ // queries, and the lists that they are asked of
		"limit=0": "products orders callbacks", "limit=101": "products orders callbacks", "limit=-1": "products", "limit=": "orders", "limit=1.0": "orders", "limit=0x1": "orders",
		"limit=99999999999999999999": "callbacks", "limit=1&limit=2": "products orders callbacks", "limit=%00": "orders", "limit=%D9%A3": "orders", "limit=+1": "orders",
		"cursor=": "products orders callbacks", "cursor=!": "products orders callbacks", "cursor=%00": "products orders callbacks", "cursor=_w": "products orders callbacks",
		"cursor=AA": "products orders callbacks", "cursor=a&cursor=b": "orders",
		"category=": "products", "category=%ff": "products", "tag=a%00": "products", "min_price=-1": "products", "max_price=x": "products", "max_price=1e3": "products",
		"in_stock=1": "products", "in_stock=TRUE": "products", "q=": "products",
		"status=done": "orders callbacks", "status=PROCESSING": "orders", "status=": "orders callbacks", "product=%00": "orders",
		"order_id=%00": "callbacks", "task_id=": "callbacks", "callback_id=%ff": "callbacks", "url=%00": "callbacks",
	}
	for query, lists := range tests {
		name, _, _ := strings.Cut(query, "=")
		for list := range strings.SplitSeq(lists, " ") {
			b.refuse("GET", "/api/"+list+"?"+query, "").want(422).names(name)
		}
	}
	long := strings.Repeat("a", 2049)
	for name, list := range map[string]string{"cursor": "orders", "category": "products", "tag": "products", "q": "products", "product": "orders", "order_id": "callbacks", "url": "callbacks"} {
		b.refuse("GET", "/api/"+list+"?"+name+"="+long, "").want(422).names(name)
	}
}

// endless are the paths where a GET is answered until the client goes. They have
// tests of their own.
var endless = []string{"/api/orders/stream", "/api/tasks/stream", "/api/ws"}

// TestMethods (faults 15, of the whole contract): HEAD is answered as GET is, and other methods with what there is.
func TestMethods(t *testing.T) {
	b := newBad(t, settings{})
	contract := contracttest.Load(t)
	allowed := map[string][]string{}
	for _, operation := range contract.Operations() {
		method, path, _ := strings.Cut(operation, " ")
		allowed[path] = append(allowed[path], method)
	}
	for path := range allowed {
		_, methods := declared(contract, "", b.path(path))
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY", "BREW", "get"} {
			switch {
			case slices.Contains(methods, method):
			case method == "HEAD" && slices.Contains(endless, path):
			case method == "HEAD" && slices.Contains(methods, "GET"):
				b.do("HEAD", b.path(path), "").want(b.do("GET", b.path(path), "").StatusCode)
			default:
				b.refuse(method, b.path(path), "").want(405)
			}
		}
		b.do("OPTIONS", b.path(path), "").want(http.StatusNoContent)
		if !b.unchanged() {
			t.Errorf("OPTIONS or HEAD %s writes", path)
		}
	}
}

func TestHeaders(t *testing.T) {
	b := newBad(t, settings{})
	for _, header := range []string{
		"Accept: application/xml", "Accept: ;;;", "Accept-Encoding: nope", "Range: bytes=0-1", "If-None-Match: \xff", "If-Modified-Since: never", "Cookie: " + strings.Repeat("a=b;", 2000),
		"X-HTTP-Method-Override: DELETE", "X-Forwarded-For: \xff", "Authorization: Basic !", "Prefer: wait=\xff", "Last-Event-ID: x", "Origin: null", "Expect: 100-continue",
	} {
		for _, path := range []string{"/api/products", "/api/products/dog-food", "/api/orders", "/api/tasks/" + b.fixtures["task_id"], "/api/callbacks/" + b.fixtures["delivery_id"]} {
			b.do("GET", path, "", header).want(200)
		}
		if !b.unchanged() {
			t.Errorf("%s makes a GET write", header)
		}
	}
	b.refuse("POST", "/api/orders", "\x1f\x8b\x08", "Content-Encoding: gzip").want(400)
}
