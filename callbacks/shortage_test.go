package callbacks

import (
	"context"
	"net"
	"os"
	"syscall"
	"testing"
)

// TestShortage (reliability 5, another instance): what this machine lacks is told apart from what a receiver does, also by who looks
// its name up, and where no port is left to dial from.
func TestShortage(t *testing.T) {
	dial := func(to string, err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.ParseIP(to), Port: 1}, Err: os.NewSyscallError("connect", err)}
	}
	for name, test := range map[string]struct {
		err   error
		local bool
	}{
		"descriptors":        {dial("127.0.0.1", syscall.EMFILE), true},
		"all descriptors":    {dial("127.0.0.1", syscall.ENFILE), true},
		"buffers":            {dial("127.0.0.1", syscall.ENOBUFS), true},
		"memory":             {dial("::1", syscall.ENOMEM), true},
		"ports":              {dial("127.0.0.1", syscall.EADDRNOTAVAIL), true},
		"no IPv6":            {dial("::1", syscall.EADDRNOTAVAIL), false},
		"nobody there":       {dial("127.0.0.1", syscall.ECONNREFUSED), false},
		"a name that is not": {&net.DNSError{Err: "no such host", Name: "a.test", IsNotFound: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
			s.transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, test.err }
			if a := s.Send(t.Context(), Delivery{URL: "http://127.0.0.1:1/", Body: someBody}); a.LocalError != test.local {
				t.Errorf("got %+v", a)
			}
		})
	}
}

// TestShortageInLookup (reliability 5, another instance): net's error of a lookup does not wrap its cause.
func TestShortageInLookup(t *testing.T) {
	for _, shortage := range shortages {
		s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
		s.dialer.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "udp", Err: os.NewSyscallError("socket", shortage)}
		}}
		if a := s.Send(t.Context(), Delivery{URL: "http://receiver.test/", Body: someBody}); !a.LocalError {
			t.Errorf("%v: got %+v", shortage, a)
		}
	}
}
