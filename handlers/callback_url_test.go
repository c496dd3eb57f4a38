package handlers_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// badURLs are wrong anywhere.
var badURLs = []string{
	"nope", "/callbacks", "//a.example/", "a.example", "http:", "http://", "http:///x", "https://:443/", "http:a.example", "http:/a.example",
	"ftp://a.example/", "file:///etc/passwd", "javascript:alert(1)", "data:,x", "gopher://127.0.0.1/", "ws://a.example/", "unix:///run/x.sock", "mailto:a@a.example",
	"https://user:password@a.example/", "https://user@a.example/", "https://@a.example/", "https://a.example@127.0.0.1/",
	"https://a.example/#fragment", "https://a.example/#", "https://a.example:0/", "https://a.example:65536/", "https://a.example:x/", "https://a.example:-1/",
	"https://a.example/a b", " https://a.example/", "https://a.example/\n", "https://a.example/\r\nX-Evil: 1", "https://a.example/\t", "https://a.example/\x7f",
	"https://[::1", "https://[::zz]/", "https://a.example/%zz", "https://%zz/", "https://-.example\u00ad\u2488/", "https://" + strings.Repeat("a", 2048),
}

// privateURLs are ways to write addresses that are not on the public Internet.
var privateURLs = []string{
	"http://a.example/", // not https
	"https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://127.0.0.1/", "https://127.0.0.1./", "https://127.1/", "https://127.0.1/", "https://0/", "https://0.0.0.0/",
	"https://0177.0.0.1/", "https://0177.0.0.01:8443/", "https://017700000001/", "https://0x7f.0.0.1/", "https://0x7f000001/", "https://0X7F.1/", "https://2130706433/", "https://127.0.0x1/",
	"https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[0:0:0:0:0:ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[fc00::1]/", "https://[fd12:3456::1]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/",
	"https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.0.1/", "https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/", "https://198.18.0.1/", "https://224.0.0.1/", "https://255.255.255.255/", "https://3232235521/", "https://012.0.0.1/",
	"https://１２７.0.0.1/", "https://127。0。0。1/", "https://①②⑦.0.0.1/", "https://ⓛocalhost/",
}

func TestCallbackURLs(t *testing.T) {
	for name, test := range map[string]struct {
		production   bool
		wrong, right []string
	}{
		"development": {false, badURLs, []string{"http://127.0.0.1:9090/callbacks/order-status", "https://a.example/x?y=z%20", "http://[::1]:1/", "https://bücher.example/", "http://localhost", "https://a.example:443"}},
		"production":  {true, slices.Concat(badURLs, privateURLs), []string{"https://a.example/x?y=z%20", "https://bücher.example/", "https://93.184.216.34/", "https://[2606:2800:21f:cb07::1]/", "https://client.com/callbacks/order-status"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, settings{production: test.production})
			at := "/api/orders/" + read[order](a.do("POST", "/api/orders", `{"product":"dog-food"}`).want(202)).OrderID
			unchanged := a.watch()
			for _, url := range test.wrong {
				body := `{"callback_url":` + quote(url)
				a.do("POST", "/api/orders", body+`,"product":"dog-food"}`).want(422).names("callback_url")
				a.do("PUT", at, body+`}`).want(422).names("callback_url")
				a.do("PATCH", at, body+`}`).want(422).names("callback_url")
				if !unchanged() {
					t.Errorf("%q: something was written", url)
				}
			}
			for _, url := range test.right {
				placed := read[order](a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":`+quote(url)+`}`).want(202))
				if placed.CallbackURL == nil || *placed.CallbackURL != url {
					t.Errorf("%q has become %v", url, placed.CallbackURL)
				}
			}
		})
	}
}

// TestPrivateNames shows that names are judged by the address that is dialled:
// one that leads to a private address, and one that did not when the order was
// placed (DNS rebinding).
func TestPrivateNames(t *testing.T) {
	newResolver(t, resolver{
		"inside.example.":   {"127.0.0.1"},
		"metadata.example.": {"169.254.169.254"},
		"rebinds.example.":  {"93.184.216.34", "127.0.0.1"}, // and so on
	})
	a := newAPI(t, settings{production: true})
	for _, name := range []string{"inside.example", "metadata.example", "rebinds.example"} {
		// The first answer, which a check at the time of the order would get.
		if _, err := net.DefaultResolver.LookupNetIP(context.Background(), "ip4", name); err != nil {
			t.Fatal(err)
		}
		a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"https://`+name+`/"}`).want(202)
	}
	a.start()
	for o := range pages[order](a, "/api/orders") {
		a.do("GET", "/api/tasks/"+o.TaskID+"?wait=20", "").want(200)
	}
	a.stop()
	refused := map[string]bool{}
	for d := range pages[delivery](a, "/api/callbacks") {
		details := read[deliveryDetails](a.do("GET", "/api/callbacks/"+d.DeliveryID, "").want(200))
		for _, attempt := range details.Attempts {
			if attempt.Error != "address not allowed" || attempt.Address != "" || attempt.StatusCode != 0 {
				t.Errorf("%s: the attempt is %+v", d.URL, attempt)
			}
			refused[d.URL] = true
		}
	}
	if len(refused) != 3 {
		t.Errorf("refused are %v", refused)
	}
}

// resolver is a DNS server that gives the addresses of a name one after the
// other, and the last of them from then on.
type resolver map[string][]string

// newResolver makes the process ask a resolver of its own, until the test ends.
func newResolver(t *testing.T, answers resolver) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		answers.serve(conn)
	}()
	usual := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = usual
		conn.Close()
		<-done
	})
}

func (r resolver) serve(conn net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return // closed
		}
		var m dnsmessage.Message
		if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		question := m.Questions[0]
		name := question.Name.String()
		m.Response, m.Additionals = true, nil
		if left := r[name]; question.Type == dnsmessage.TypeA && len(left) > 0 {
			if len(left) > 1 {
				r[name] = left[1:]
			}
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET},
				Body:   &dnsmessage.AResource{A: [4]byte(net.ParseIP(left[0]).To4())},
			}}
		}
		if answer, err := m.Pack(); err == nil {
			conn.WriteTo(answer, from)
		}
	}
}
