package callbacks

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

var quiet = log.New(io.Discard, "", 0)

// countConnections serves body and counts the connections made.
func countConnections(t *testing.T, body string) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) }))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server, &connections
}

func TestSendKeepsAlive(t *testing.T) {
	for _, test := range []struct {
		name        string
		length      int
		connections int32
	}{{"short answers", 2, 1}, {"longest answer that is read", maxAnswer, 1}, {"longer answers", 1 << 20, 10}} {
		t.Run(test.name, func(t *testing.T) {
			server, connections := countConnections(t, strings.Repeat("x", test.length))
			s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
			for range 10 {
				a := s.Send(t.Context(), Delivery{URL: server.URL, Body: someBody})
				if a.Outcome() != Delivered || a.Address != server.Listener.Addr().String() {
					t.Fatalf("got %+v", a)
				}
			}
			if got := connections.Load(); got != test.connections {
				t.Errorf("%d connections", got)
			}
		})
	}
}

// TestSendOnClosedConnection sends to a server that closes each connection after an answer without saying so. A POST
// that meets the closing may fail, visibly; none goes out twice, and none is called delivered that did not arrive.
func TestSendOnClosedConnection(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	url := listen(t, func(_ int, c *net.TCPConn) {
		if request := readRequest(bufio.NewReader(c)); request != nil {
			mu.Lock()
			seen[request.Header.Get(HeaderWebhookID)]++
			mu.Unlock()
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")
		}
	})
	s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
	delivered := 0
	for n := range 200 {
		id := fmt.Sprintf("cb_%d", n)
		a := s.Send(t.Context(), Delivery{URL: url, ID: id, Body: someBody})
		mu.Lock()
		count := seen[id]
		mu.Unlock()
		if a.Outcome() == Delivered {
			delivered++
		}
		if a.Outcome() == Delivered && count != 1 || count > 1 || a.Outcome() == Failed && a.Error == "" {
			t.Fatalf("arrived %d times: %+v", count, a)
		}
	}
	if delivered == 0 {
		t.Error("nothing was delivered")
	}
}

// TestSendDoesNotDouble has the server take a second request on a kept connection and hang up.
func TestSendDoesNotDouble(t *testing.T) {
	var requests atomic.Int32
	url := listen(t, func(_ int, c *net.TCPConn) {
		r := bufio.NewReader(c)
		for readRequest(r) != nil {
			if requests.Add(1) == 2 {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")
		}
	})
	s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
	first := s.Send(t.Context(), Delivery{URL: url, Body: someBody})
	second := s.Send(t.Context(), Delivery{URL: url, Body: someBody})
	if first.Outcome() != Delivered || second.Error != "connection closed early" || requests.Load() != 2 {
		t.Errorf("%d requests: %+v, %+v", requests.Load(), first, second)
	}
	if third := s.Send(t.Context(), Delivery{URL: url, Body: someBody}); third.Outcome() != Delivered {
		t.Errorf("afterwards: %+v", third)
	}
}

// resolveTo makes every name resolve to what addresses returns, or not at all.
func resolveTo(s *Sender, addresses func() []string) *net.Resolver {
	s.dialer.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go serveDNS(server, addresses)
		return client, nil
	}}
	return s.dialer.Resolver
}

// serveDNS answers the one query of a connection, with a length before each message as DNS over TCP has it.
func serveDNS(c net.Conn, addresses func() []string) {
	defer c.Close()
	buffer := make([]byte, 1024)
	if _, err := io.ReadFull(c, buffer[:2]); err != nil {
		return
	}
	n := int(buffer[0])<<8 | int(buffer[1])
	if _, err := io.ReadFull(c, buffer[:n]); err != nil {
		return
	}
	var query dnsmessage.Message
	if query.Unpack(buffer[:n]) != nil {
		return
	}
	reply := dnsmessage.Message{Header: dnsmessage.Header{ID: query.ID, Response: true, RCode: dnsmessage.RCodeNameError}, Questions: query.Questions}
	for _, address := range addresses() {
		reply.RCode = dnsmessage.RCodeSuccess
		header := dnsmessage.ResourceHeader{Name: query.Questions[0].Name, Class: dnsmessage.ClassINET}
		ip := netip.MustParseAddr(address)
		if ip.Is4() && query.Questions[0].Type == dnsmessage.TypeA {
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: ip.As4()}})
		}
		if ip.Is6() && query.Questions[0].Type == dnsmessage.TypeAAAA {
			reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
	message, err := reply.Pack()
	if err != nil {
		return
	}
	c.Write(append([]byte{byte(len(message) >> 8), byte(len(message))}, message...))
}

func TestSendUnknownHost(t *testing.T) {
	s := newSender(t, SenderOptions{})
	resolveTo(s, func() []string { return nil })
	if a := s.Send(t.Context(), Delivery{URL: "https://nowhere.example./"}); a.Error != "host not found" || a.Address != "" {
		t.Errorf("got %+v", a)
	}
}

func TestSendGuarded(t *testing.T) {
	server, connections := countConnections(t, "OK")
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	guarded, open := newSender(t, SenderOptions{Policy: Policy{PlainHTTP: true}}), newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
	private := func() []string {
		return []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1"}
	}
	resolveTo(guarded, private)
	resolveTo(open, func() []string { return []string{"127.0.0.1"} })
	hosts := []string{"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "169.254.169.254",
		"127.0.0.1.", "0.0.0.0", "[::]", "127.1", "0177.0.0.1", "2130706433", "0x7f000001", "①②⑦.0.0.1", "private.example."}
	for _, host := range hosts {
		a := guarded.Send(t.Context(), Delivery{URL: "http://" + host + ":" + port, Body: someBody})
		// Whether a name like 127.1 is one at all is for the resolver to say.
		if a.Error != "address not allowed" && a.Error != "host not found" || a.Address != "" || a.Outcome() != Failed {
			t.Errorf("%s: got %+v", host, a)
		}
	}
	if connections.Load() != 0 {
		t.Error("the guard let a connection through")
	}
	if a := open.Send(t.Context(), Delivery{URL: "http://private.example.:" + port, Body: someBody}); a.Outcome() != Delivered {
		t.Errorf("unguarded: got %+v", a)
	}
}

// TestSendRebinding has a name resolve to a public address when it is looked up beforehand, and to a private one
// when it is dialled.
func TestSendRebinding(t *testing.T) {
	server, connections := countConnections(t, "OK")
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	url := "https://rebind.example.:" + port
	s := newSender(t, SenderOptions{})
	var rebound atomic.Bool
	resolver := resolveTo(s, func() []string {
		if rebound.Load() {
			return []string{"127.0.0.1"}
		}
		return []string{"93.184.215.14"}
	})
	ips, err := resolver.LookupNetIP(t.Context(), "ip", "rebind.example.")
	if err != nil || len(ips) != 1 || !public(ips[0]) || CheckURL(url, Policy{}) != nil {
		t.Fatalf("beforehand: %v, %v", ips, err)
	}
	rebound.Store(true)
	if a := s.Send(t.Context(), Delivery{URL: url, Body: someBody}); a.Error != "address not allowed" || connections.Load() != 0 {
		t.Errorf("got %+v", a)
	}
}

// TestPolicyHoldsWhenSending (security 15) holds that a URL which was accepted under another policy is not dialled.
func TestPolicyHoldsWhenSending(t *testing.T) {
	dialled := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { dialled <- struct{}{} }))
	defer server.Close()
	for want, policy := range map[string]Policy{
		"plain http not allowed": {PrivateAddresses: true},
		"address not allowed":    {PlainHTTP: true}, // another instance
	} {
		s := newSender(t, SenderOptions{Policy: policy})
		attempt := s.Send(t.Context(), Delivery{URL: server.URL, ID: "cb_1", Body: []byte("{}"), Signer: SignWith(testSecret)})
		if attempt.Error != want || attempt.Outcome() != Failed || len(dialled) > 0 {
			t.Errorf("got %+v, want %s", attempt, want)
		}
	}
}
