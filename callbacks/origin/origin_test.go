package origin

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestHosts: a request is for this server only by one of its names.
func TestHosts(t *testing.T) {
	local, proxied, open := NewHosts("127.0.0.1:8080", ""), NewHosts("10.0.0.7:80", "https://api.example.com", "Pets.example.org.", "lan.example:8443", "Bücher.example"), NewHosts(":8080", "")
	for _, test := range []struct {
		hosts Hosts
		host  string
		want  bool
	}{
		{local, "127.0.0.1:8080", true}, {local, "localhost:3000", true}, {local, "LOCALHOST.", true}, {local, "app.localhost:8080", true},
		{local, "[::1]:8080", true}, {local, "127.9.9.9", true}, {local, "[::ffff:127.0.0.1]:1", true}, {local, "", true},
		{local, "evil.example", false}, {local, "evil.example:8080", false}, {local, "127.0.0.1.evil.example", false}, {local, "localhost.evil.example:8080", false},
		{local, "10.0.0.7", false}, {local, "api.example.com", false}, {local, "evil.example:80:80", false}, {local, "notlocalhost", false},
		{proxied, "api.example.com", true}, {proxied, "API.example.com.:443", true}, {proxied, "pets.example.org:1", true}, {proxied, "10.0.0.7", true},
		{proxied, "lan.example:8443", true}, {proxied, "xn--bcher-kva.example", true}, {proxied, "lan.example", false}, {proxied, "10.0.0.8", false}, {proxied, "evil.example", false},
		{open, "192.168.1.2:8080", true}, {open, "[fe80::1]:8080", true}, {open, "evil.example", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = test.host
		if got := test.hosts.Allow(r); got != test.want {
			t.Errorf("%q by %v: %t", test.host, test.hosts, got)
		}
	}
}

// TestOrigins: origins and hosts are compared as what they mean.
func TestOrigins(t *testing.T) {
	p := Policy{Hosts: NewHosts("127.0.0.1:8080", "https://Pets.example.com", "api.example.com")}
	var err error
	if p.Public, err = Parse("https://Pets.example.com"); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"HTTPS://App.Example.com:443", "http://old.example/", "https://Bücher.example"} {
		origin, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p.Allowed = append(p.Allowed, origin)
	}
	for _, test := range []struct {
		host, origin string
		want         bool
	}{
		{"api.example.com:443", "https://api.example.com", true}, {"api.example.com", "https://api.example.com:443", true},
		{"api.example.com:80", "http://API.example.com", true}, {"api.example.com", "http://api.example.com", true},
		{"127.0.0.1:8080", "https://pets.example.com", true}, // as nginx sends by default
		{"127.0.0.1:8080", "https://pets.example.com:443", true},
		{"127.0.0.1:8080", "https://app.example.com", true}, {"127.0.0.1:8080", "https://xn--bcher-kva.example", true}, {"127.0.0.1:8080", "http://old.example:80", true},
		{"127.0.0.1:8080", "http://127.0.0.1:8080", true}, {"[::1]:8080", "http://[::1]:8080", true},
		{"127.0.0.1:8080", "http://pets.example.com", false}, {"127.0.0.1:8080", "https://pets.example.com:8443", false},
		{"api.example.com", "https://api.example.com:8443", false}, {"api.example.com:8443", "https://api.example.com", false},
		{"127.0.0.1:8080", "http://127.0.0.1:9090", false}, {"127.0.0.1:8080", "null", false}, {"127.0.0.1:8080", "https://app.example.com.evil.example", false},
		{"127.0.0.1:8080", "*", false}, {"127.0.0.1:8080", "https://u@app.example.com", false}, {"127.0.0.1:8080", "https:///", false},
		{"evil.example", "http://evil.example", false},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Host = test.host
		r.Header.Set("Origin", test.origin)
		if got := p.Allow(r); got != test.want {
			t.Errorf("host %s, origin %s: %t", test.host, test.origin, got)
		}
	}
	for _, text := range []string{"", "app.example.com", "https://", "https://app.example.com/x", "https://u:p@app.example.com", "null",
		// faults 13, another instance: what could never match is refused at the start
		"https://*.example.com", "https://app.example.com:99999", "https://app.example.com:0"} {
		if origin, err := Parse(text); err == nil {
			t.Errorf("%q is the origin %v", text, origin)
		}
	}
}
