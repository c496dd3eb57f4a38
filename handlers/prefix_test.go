package handlers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestPrefix: a prefix that is fit to be repeated stands before the paths in an answer, and any other changes nothing.
func TestPrefix(t *testing.T) {
	a := newAPI(t, settings{})
	a.do("POST", "/api/orders", `{"product":"dog-food"}`).want(202)
	plain := a.do("GET", "/api/orders", "").want(200)
	for _, test := range []struct{ given, want string }{
		{"/petstore", "/petstore"},
		{"/petstore/", "/petstore"},
		{"/a/b-c_d~e.f", "/a/b-c_d~e.f"},
		{"/", ""},
		{"", ""},
		{"petstore", ""},
		{"//evil.example", ""},
		{"/a//b", ""},
		{"/a/../b", ""},
		{"/.well-known", ""},
		{"https://evil.example", ""},
		{"/%2e%2e", ""},
		{`/a"b`, ""},
		{"/a>; rel=prev, </b", ""},
		{"/a, /b", ""},
		{`/\evil.example`, ""},
		{"/ä", ""},
		{"/" + strings.Repeat("a", 200), ""},
	} {
		created := a.do("POST", "/api/orders", `{"product":"dog-food"}`, "X-Forwarded-Prefix: "+test.given).want(202)
		if got := created.Header.Get("Location"); got != test.want+"/api/orders/"+created.member("order_id") {
			t.Errorf("%q: Location is %s", test.given, got)
		}
		list := a.do("GET", "/api/orders?limit=1", "", "X-Forwarded-Prefix: "+test.given).want(200)
		if got := list.Header.Get("Link"); !strings.HasPrefix(got, "<"+test.want+"/api/orders?") {
			t.Errorf("%q: Link is %s", test.given, got)
		}
	}
	if vary := plain.Header.Values("Vary"); len(vary) != 2 || vary[1] != "X-Forwarded-Prefix" {
		t.Errorf("Vary is %q", vary)
	}
}

// TestPrefixTwice: of two proxies none is believed.
func TestPrefixTwice(t *testing.T) {
	a := newAPI(t, settings{})
	created := a.do("POST", "/api/orders", `{"product":"dog-food"}`, "X-Forwarded-Prefix: /a", "X-Forwarded-Prefix: /b").want(202)
	if got := created.Header.Get("Location"); !strings.HasPrefix(got, "/api/orders/") {
		t.Errorf("Location is %s", got)
	}
}

// TestPublicPrefix: the path of PUBLIC_URL is the prefix of requests without the header.
func TestPublicPrefix(t *testing.T) {
	a := newAPI(t, settings{public: "https://example.com/petstore/"})
	for given, want := range map[string]string{"": "/petstore/api/", "/other": "/other/api/", "/": "/api/", "//bad": "/petstore/api/"} {
		var headers []string
		if given != "" {
			headers = append(headers, "X-Forwarded-Prefix: "+given)
		}
		created := a.do("POST", "/api/orders", `{"product":"dog-food"}`, headers...).want(202)
		if got := created.Header.Get("Location"); !strings.HasPrefix(got, want) {
			t.Errorf("%q: Location is %s", given, got)
		}
	}
	page := a.do("GET", "/api/orders", "", "Origin: https://example.com").want(200)
	if page.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Error("a page of PUBLIC_URL is not the server's own")
	}
}

// TestPrefixOfPictures: paths on this server have the prefix, and a client sends them back as it has read them.
func TestPrefixOfPictures(t *testing.T) {
	a := newAPI(t, settings{})
	for slug, test := range map[string]struct{ sent, stored, shown string }{
		"elsewhere": {"https://example.com/api/images/1", "https://example.com/api/images/1", "https://example.com/api/images/1"},
		"read":      {"/pets/docs/dog.png", "/docs/dog.png", "/pets/docs/dog.png"},
		"known":     {"/docs/dog.png", "/docs/dog.png", "/pets/docs/dog.png"},
		"begins-so": {"/petshop", "/petshop", "/pets/petshop"},
		"none":      {"", "", ""},
	} {
		body := fmt.Sprintf(`{"slug":%q,"name":"/api/","category":"dog","price":1,"image_url":%q}`, slug, test.sent)
		shown := a.do("POST", "/api/products", body, "X-Forwarded-Prefix: /pets").want(201)
		plain := a.do("GET", "/api/products/"+slug, "").want(200)
		if got := []string{plain.member("image_url"), shown.member("image_url"), shown.member("name")}; !slices.Equal(got, []string{test.stored, test.shown, "/api/"}) {
			t.Errorf("%s: %q", slug, got)
		}
	}
}

// member is a member of the answer that is a string.
func (r answer) member(name string) string {
	r.t.Helper()
	text, _ := read[map[string]any](r)[name].(string)
	return text
}
