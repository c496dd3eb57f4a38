package callbacks

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
)

// TestDescribeWrongPort (faults 8, another instance): the port speaks another protocol, or another version of it, and
// the attempt says which. The answers are what such servers send, as bytes.
func TestDescribeWrongPort(t *testing.T) {
	const (
		alert    = "\x15\x03\x03\x00\x02\x02" // RFC 8446, section 5.1; its description follows
		settings = "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"
		hello10  = "\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x00\x00\x2f\x00"
	)
	for name, test := range map[string]struct{ scheme, answer, want string }{
		"http to TLS":           {"http", alert + "\x32", "TLS at this port: use https, or the port of http"},
		"http to HTTP/2":        {"http", settings, "HTTP/2 only at this port: use one that speaks HTTP/1.1"},
		"https to SSH":          {"https", "SSH-2.0-OpenSSH_9.9\r\n", "no TLS at this port: use http, or the port of https"},
		"TLS 1.1, refused":      {"https", alert + "\x46", "no version of TLS in common: the port has to speak TLS 1.2 or newer"},
		"TLS 1.0, all the same": {"https", hello10, "no version of TLS in common: the port has to speak TLS 1.2 or newer"},
		"unknown name":          {"https", alert + "\x70", "no certificate for this host name: use one that the server has a certificate for"},
		"cipher":                {"https", alert + "\x28", "TLS handshake failed: no version or cipher in common, or a client certificate is required"},
		"any other alert":       {"https", alert + "\x50", "TLS handshake failed"},
		"reads and hangs up":    {"https", "", "connection closed early"},
	} {
		t.Run(name, func(t *testing.T) {
			url := listen(t, func(_ int, c *net.TCPConn) {
				io.CopyN(io.Discard, c, 10)
				io.WriteString(c, test.answer)
				c.CloseWrite()
				io.Copy(io.Discard, c)
			})
			s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
			a := s.Send(t.Context(), Delivery{URL: strings.Replace(url, "http", test.scheme, 1)})
			if a.Error != test.want || a.Outcome() != Failed {
				t.Errorf("got %+v", a)
			}
		})
	}
}

// TestDescribeOldServer (faults 8, another instance): as above, of Go's own TLS.
func TestDescribeOldServer(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = quiet
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	server.StartTLS()
	defer server.Close()
	s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
	if a := s.Send(t.Context(), Delivery{URL: server.URL}); !strings.HasPrefix(a.Error, "no version of TLS in common") {
		t.Errorf("got %+v", a)
	}
}

// TestDescribeNetwork (faults 8, another instance): what a resolver and the routes answer, without asking them.
func TestDescribeNetwork(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for want, err := range map[string]error{
		"host not found":          dial(&net.DNSError{Err: "no such host", IsNotFound: true}),
		"host name lookup failed": dial(&net.DNSError{Err: "server misbehaving", IsTemporary: true}),
		"host not reachable":      dial(syscall.EHOSTUNREACH),
		"connection refused":      dial(syscall.ECONNREFUSED),
		"address not allowed":     dial(ErrForbiddenAddress),
		"timed out":               dial(context.DeadlineExceeded),
		"connection reset":        &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET},
		"answer not understood":   errors.New("malformed HTTP response \"220 mail.test ESMTP\""),
		"connection closed early": io.ErrUnexpectedEOF,
	} {
		if got := Describe(t.Context(), err); got != want {
			t.Errorf("%v is described as %q, want %q", err, got, want)
		}
	}
}
