package contract

import (
	"encoding/json"
	"testing"
)

var exchange = Exchange{
	Method: "POST", URL: "http://shop.example/v1/shops/7/watch?host=me.example&empty=",
	Headers: map[string]string{"X-At": "noon"},
	Body:    json.RawMessage(`{"callback_url":"http://me.example/cb","a":[{"b/c":"d~e"}],"n":12345678901234567890,"t":true,"emoji":"\ud83d\udc15\/","f":0.5,"z":null,"":"empty"}`),
	Status:  202, ResponseHeaders: map[string]string{"Location": "/watches/1"}, ResponseBody: json.RawMessage(`{"id":"w1"}`),
}

// TestValue has the expressions of the OpenAPI Specification's "Runtime Expressions", and what is none.
func TestValue(t *testing.T) {
	t.Parallel()
	v := newValues(exchange, map[string]string{"shop": "7"})
	for expression, want := range map[string]string{
		"$url":                        exchange.URL,
		"$method":                     "POST",
		"$statusCode":                 "202",
		"$request.path.shop":          "7",
		"$request.query.host":         "me.example",
		"$request.query.empty":        "",
		"$request.header.x-at":        "noon",
		"$request.body#/callback_url": "http://me.example/cb",
		"$request.body#/a/0/b~1c":     "d~e",
		"$request.body#/t":            "true",
		"$request.body#/":             "empty",
		"$request.body#/emoji":        "🐕/",
		"$request.body#/n":            "12345678901234567890",
		"$request.body#/f":            "0.5",
		"$response.body#/id":          "w1",
		"$response.header.Location":   "/watches/1",
	} {
		if got, ok := v.value(expression); got != want || !ok {
			t.Errorf("%s is %q %t, want %q", expression, got, ok, want)
		}
	}
	for _, expression := range []string{
		"$request.path.nope", "$request.query.nope", "$request.header.nope", "$request.body", "$request.body#/nope", "$request.body#/a", "$request.body#/a/1",
		"$request.body#/a/-1", "$request.body#/a/x", "$request.body#/z", "$request.body#/t/x", "$response.query.host", "$response.path.shop", "$requst.body#/t", "$", "",
	} {
		if got, ok := v.value(expression); ok {
			t.Errorf("%s is %q, want nothing", expression, got)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	c := read(t, file(t, "testdata/shop-3.1.yaml"))
	targets := c.Resolve(exchange)
	if len(targets) != 1 || targets[0].Path != "/shops/7/stock" {
		t.Errorf("targets %v", targets)
	}
	for name, change := range map[string]func(*Exchange){
		"another method":     func(e *Exchange) { e.Method = "GET" },
		"another path":       func(e *Exchange) { e.URL = "http://shop.example/shops/7?host=x" },
		"a value is missing": func(e *Exchange) { e.Headers = nil },
		"no URL":             func(e *Exchange) { e.URL = "::" },
	} {
		e := exchange
		change(&e)
		if targets := c.Resolve(e); len(targets) > 0 {
			t.Errorf("%s: %v", name, targets)
		}
	}
}

func TestPathPattern(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		key, path string
		want      bool
	}{
		{"", "/any", true},
		{"{$request.body#/url}", "/any", true},
		{"{$request.body#/url}/events", "/a/events", true},
		{"{$request.body#/url}/events", "/events/a", false},
		{"{$request.body#/url}/events?id={$request.body#/id}", "/a/events", true},
		{"{$request.body#/url}?id={$request.body#/id}", "/a", true},
		{"{$request.body#/url}.json#x", "/a.json", true},
		{"{$request.body#/url}.json#x", "/axjson", false},
		{"https://me.example/hooks/{$response.body#/id}", "/hooks/1", true},
		{"https://me.example/hooks/{$response.body#/id}", "/in/box/hooks/1", true},
		{"https://me.example/hooks/{$response.body#/id}", "/hooks/", false},
		{"http://{$request.query.host}/hooks", "/in/box/hooks", true},
		{"/hooks", "/hooks", true},
	} {
		if got := newPathPattern(test.key).matches(test.path); got != test.want {
			t.Errorf("%s matches %s: %t", test.key, test.path, got)
		}
	}
}
