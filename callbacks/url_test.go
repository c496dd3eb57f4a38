package callbacks

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestCheckURL(t *testing.T) {
	const never, development, always = "never", "in development", "always"
	tests := []struct{ allowed, url string }{
		{always, "https://client.com/callbacks/order-status"},
		{always, "https://client.com:8443/x?y=%20&z=1"},
		{always, "https://8.8.8.8/"},
		{always, "https://[2606:4700:4700::1111]:443/"},
		{always, "https://bücher.example/"},
		{always, "https://my_service.example./"},
		{always, "https://client.com"},
		{always, "https://1.2.3.4.example/"},
		{always, "HTTPS://CLIENT.COM/"},
		{always, "https://client.com/" + strings.Repeat("a", 2048-len("https://client.com/"))},
		{never, "https://client.com/" + strings.Repeat("a", 2049-len("https://client.com/"))},
		{development, "http://client.com/"},
		{development, "http://127.0.0.1:9090/callbacks/order-status?fail=2"},
		{development, "https://localhost/"},
		{development, "https://LocalHost./"},
		{development, "https://app.localhost:3000/"},
		{development, "https://127.0.0.1/"},
		{development, "https://127.0.0.1./"},
		{development, "https://127.1/"},
		{development, "https://127.0.1/"},
		{development, "https://0177.0.0.1/"},
		{development, "https://0x7f.0.0.1/"},
		{development, "https://0X7F000001/"},
		{development, "https://2130706433/"},
		{development, "https://017700000001/"},
		{development, "https://0/"},
		{development, "https://10.1/"},
		{development, "https://192.168.257/"},
		{development, "https://①②⑦.0.0.1/"},
		{development, "https://127。0。0。1/"},
		{development, "https://169.254.169.254/latest/meta-data"},
		{development, "https://100.64.0.1/"},
		{development, "https://224.0.0.1/"},
		{development, "https://255.255.255.255/"},
		{development, "https://[::1]/"},
		{development, "https://[::]/"},
		{development, "https://[::ffff:127.0.0.1]/"},
		{development, "https://[::ffff:7f00:1]/"},
		{development, "https://[0:0:0:0:0:ffff:a00:1]/"},
		{development, "https://[64:ff9b::7f00:1]/"},
		{development, "https://[64:ff9b:1::1]/"},
		{development, "https://[2002:7f00:1::]/"},
		{development, "https://[fe80::1%25eth0]/"},
		{development, "https://[fd00::1]/"},
		{development, "https://[fd00:ec2::254]/"},
		{never, ""},
		{never, "client.com/x"},
		{never, "/callbacks"},
		{never, "//client.com/x"},
		{never, "https:client.com"},
		{never, "https:///x"},
		{never, "https://:443/x"},
		{never, "https://./"},
		{never, "ftp://client.com/"},
		{never, "javascript:alert(1)"},
		{never, "file:///etc/passwd"},
		{never, "https://user@client.com/"},
		{never, "https://user:pass@client.com/"},
		{never, "https://@client.com/"},
		{never, "https://client.com/#x"},
		{never, "https://client.com/#"},
		{never, "https://client.com:0/"},
		{never, "https://client.com:65536/"},
		{never, "https://client.com:-1/"},
		{never, "https://client.com:http/"},
		{never, "https://client.com/a b"},
		{never, "https://client.com/\r\nX: y"},
		{never, "https://client.com/\x00"},
		{never, "https://client.com/\x7f"},
		{never, "https://[::1/"},
		{never, "https://[127.0.0.1]/"},
		{never, "https://%6c%6f%63%61%6c/"},
		{development, "https://168.63.129.16/metadata"}, {development, "https://2822734096/"},
	}
	for _, test := range tests {
		name := test.url[:min(60, len(test.url))]
		if err := CheckURL(test.url, Policy{}); (err == nil) != (test.allowed == always) {
			t.Errorf("%q in production: %v; allowed %s", name, err, test.allowed)
		}
		if err := CheckURL(test.url, DevelopmentPolicy()); (err == nil) != (test.allowed != never) {
			t.Errorf("%q in development: %v; allowed %s", name, err, test.allowed)
		}
	}
}

// TestCheckURLSays: what is wrong with a URL, its error says so that one can mend it.
func TestCheckURLSays(t *testing.T) {
	for raw, want := range map[string]string{
		"client.com/x":          "must be an absolute URL that begins with http:// or https://",
		"localhost:9090/x":      "must be an absolute URL that begins with http:// or https://",
		"http:/client.com":      "must be an absolute URL that begins with http:// or https://",
		"HTTP:///x":             "must have a host after http://",
		"http://client.com/a b": "must not contain spaces or control characters; a space is written %20",
		"http://client.com/%zz": `must not contain "%zz": a percent sign itself is written %25`,
		"http://client.com:x/":  "must have a valid host name, and a number as its port if it has one",
		"http://[::1/":          "must have a valid host name, and a number as its port if it has one",
		"http://client.com:0/":  "must have a port from 1 to 65535",
		"http://client.com/#x":  "must not have a fragment, which begins with #",
		"http://a:b@client.com": "must not contain credentials",
	} {
		if err := CheckURL(raw, DevelopmentPolicy()); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", raw, err, want)
		}
	}
}

func TestGuard(t *testing.T) {
	for address, want := range map[string]error{
		"168.63.129.16:80":             ErrForbiddenAddress, // security 16
		"168.63.129.17:80":             nil,
		"100.100.100.200:80":           ErrForbiddenAddress,
		"192.0.0.192:80":               ErrForbiddenAddress,
		"8.8.8.8:443":                  nil,
		"8.8.8.8:8443":                 nil,
		"[2606:4700:4700::1111]:443":   nil,
		"127.0.0.1:80":                 ErrForbiddenAddress,
		"0.0.0.0:80":                   ErrForbiddenAddress,
		"10.0.0.1:80":                  ErrForbiddenAddress,
		"172.16.0.1:80":                ErrForbiddenAddress,
		"192.168.0.1:80":               ErrForbiddenAddress,
		"169.254.169.254:80":           ErrForbiddenAddress,
		"100.64.0.1:80":                ErrForbiddenAddress,
		"224.0.0.1:80":                 ErrForbiddenAddress,
		"255.255.255.255:80":           ErrForbiddenAddress,
		"[::1]:80":                     ErrForbiddenAddress,
		"[::]:80":                      ErrForbiddenAddress,
		"[::ffff:127.0.0.1]:80":        ErrForbiddenAddress,
		"[::127.0.0.1]:80":             ErrForbiddenAddress,
		"[64:ff9b::169.254.169.254]:1": ErrForbiddenAddress,
		"[2002:7f00:1::]:80":           ErrForbiddenAddress,
		"[2001:0:7f00:1::]:80":         ErrForbiddenAddress,
		"[fe80::1%eth0]:80":            ErrForbiddenAddress,
		"[fc00::1]:80":                 ErrForbiddenAddress,
		"[ff02::1]:80":                 ErrForbiddenAddress,
		"not an address":               ErrForbiddenAddress,
	} {
		network := "tcp4"
		if strings.HasPrefix(address, "[") {
			network = "tcp6"
		}
		if err := Guard(network, address, nil); !errors.Is(err, want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := Guard("udp4", "8.8.8.8:443", nil); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("udp: %v", err)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{"https://client.com/x?y", "http://127.1:80/", "https://[::ffff:127.0.0.1]/", "https://0x7f.1/", "https://①/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		inProduction, inDevelopment := CheckURL(raw, Policy{}), CheckURL(raw, DevelopmentPolicy())
		if inProduction == nil && inDevelopment != nil {
			t.Fatalf("%q: production allows what development refuses: %v", raw, inDevelopment)
		}
		if inDevelopment != nil {
			return
		}
		u, err := url.Parse(raw)
		if err != nil || u.User != nil || u.Fragment != "" || u.Host == "" {
			t.Fatalf("%q was allowed", raw)
		}
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && inProduction == nil && !public(ip) {
			t.Fatalf("%q is private", raw)
		}
	})
}
