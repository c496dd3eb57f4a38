package stripeclient

import (
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"

	"petstore/callbacks"
	"petstore/models"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestShortage (reliability 5, another instance): that this machine lacks something says nothing about Stripe, so it is no
// outage, of which there is an end.
func TestShortage(t *testing.T) {
	for _, shortage := range []error{
		&net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)},
		&net.OpError{Op: "dial", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)},
		&net.OpError{Op: "dial", Err: &net.DNSError{Err: "dial udp: socket: too many open files", Name: "api.stripe.com"}},
	} {
		c := New(Options{Key: "sk_test_none", Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, shortage })})
		waiting := func(string) error {
			t.Errorf("%v: it is waited for", shortage)
			return nil
		}
		err := c.Retry(t.Context(), waiting, func() error {
			_, err := c.Prepare(t.Context(), models.Payment{ID: "pay_1", Amount: 100, Currency: "USD"})
			return err
		})
		if !callbacks.IsLocalResourceError(err) {
			t.Errorf("%v: got %v", shortage, err)
		}
	}
}
