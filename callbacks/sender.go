package callbacks

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
	"time"
)

// maxAnswer bounds the bytes read of an answer's headers, and of its body: 16 KiB each.
const maxAnswer = 16 << 10

// SenderOptions configure a [Sender]. The zero value is fit for production.
type SenderOptions struct {
	// Policy says where callbacks may go. It is held to when they are sent, whenever their URLs were accepted.
	Policy Policy
	// Timeout bounds a whole exchange, from DNS to the end of the answer. Default 15 s.
	Timeout time.Duration
}

// Sender POSTs callbacks. It follows no redirect, uses no proxy, and speaks HTTP/1.1: with HTTP/2 all callbacks to
// a host would share one connection, and fall with it. Safe for concurrent use.
type Sender struct {
	policy    Policy
	dialer    *net.Dialer
	transport *http.Transport
	timeout   time.Duration
}

// idleTimeout is how long an unused connection is kept. It is less than the five seconds after which Node's server
// closes one, so that this side closes first: a POST that meets a connection while it is being closed fails, since
// nobody can tell whether it was read.
const idleTimeout = 4 * time.Second

// NewSender returns a Sender. Close it after use.
func NewSender(o SenderOptions) *Sender {
	s := &Sender{
		policy:  o.Policy,
		timeout: cmp.Or(o.Timeout, 15*time.Second),
	}
	s.dialer = &net.Dialer{Timeout: s.timeout, ControlContext: control(o.Policy.PrivateAddresses)}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	s.transport = &http.Transport{
		DialContext:            s.dialer.DialContext,
		Protocols:              protocols,
		DisableCompression:     true,
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        idleTimeout,
		TLSHandshakeTimeout:    s.timeout,
		MaxResponseHeaderBytes: maxAnswer,
	}
	return s
}

// Close closes the connections that are idle. Those in use close when their exchange ends.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// Delivery is one callback on its way to one URL.
type Delivery struct {
	URL string
	// ID is the update's callback_id.
	ID string
	// Body is the encoded [Update].
	Body []byte
	// Signer signs it. With nil it goes out unsigned.
	Signer Signer
}

// Attempt is what came of sending a delivery once.
type Attempt struct {
	At       time.Time
	Duration time.Duration
	// Address is the ip:port that was dialled, or of the connection that was used again; "" if it didn't get so far.
	Address string
	// Status is that of the answer, 0 if none came.
	Status  int
	Headers http.Header
	// Body is the beginning of the answer, at most 16 KiB read: valid UTF-8 without NUL. Of a compressed answer
	// nothing is kept.
	Body string
	// Error says in a few stable words why no answer came, or why its body could not be read; "" if it came whole.
	Error string
	// LocalError says that this machine was short of descriptors, memory or ports, so that the attempt says nothing
	// about the receiver.
	LocalError bool
	// RetryAfter is what a 429 or 503 answer asked for, up to 24 h.
	RetryAfter time.Duration
}

// Outcome is what an attempt means for its delivery.
type Outcome string

const (
	// Delivered says that the receiver accepted it with a 2xx status.
	Delivered Outcome = "delivered"
	// Gone says that the receiver wants no more callbacks at this URL (410).
	Gone Outcome = "gone"
	// Failed is anything else, redirects included. Try again by [Schedule].
	Failed Outcome = "failed"
)

// Outcome is decided by the status alone: a 2xx whose body then breaks off has still accepted the callback.
func (a Attempt) Outcome() Outcome {
	switch {
	case a.Status >= 200 && a.Status <= 299:
		return Delivered
	case a.Status == http.StatusGone:
		return Gone
	default:
		return Failed
	}
}

// Send signs d and POSTs it once. Whatever goes wrong is in the Attempt.
//
// The request goes out once: it is written again only if nothing of it had been written. A connection that breaks
// after that is a failed attempt, which the receiver may have seen.
func (s *Sender) Send(ctx context.Context, d Delivery) Attempt {
	attempt := Attempt{At: time.Now()}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	route := new(route)
	ctx = context.WithValue(ctx, routeKey{}, route)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: route.gotConn})
	if err := s.exchange(ctx, d, &attempt); err != nil {
		attempt.Error, attempt.LocalError = Describe(ctx, err), attempt.Status == 0 && IsLocalResourceError(err)
	}
	attempt.Address = route.address()
	attempt.Duration = time.Since(attempt.At)
	return attempt
}

func (s *Sender) exchange(ctx context.Context, d Delivery, attempt *Attempt) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(d.Body))
	if err != nil {
		return errBadURL
	}
	if !s.policy.AllowsScheme(request.URL.Scheme) {
		return errPlainHTTP
	}
	request.URL.RawQuery = EscapeQuery(request.URL.RawQuery)
	request.Header = make(http.Header, 8)
	request.Header["Content-Type"] = jsonContentType
	request.Header["User-Agent"] = userAgent
	sign := d.Signer
	if sign == nil {
		sign = SignWith() // the id and the time all the same
	}
	sign(request.Header, d.ID, attempt.At, d.Body)
	// RoundTrip and not a Client: a client follows redirects, and turns a POST into a GET when it does.
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	attempt.Status = response.StatusCode
	attempt.Headers = cleanHeader(response.Header)
	attempt.RetryAfter = retryAfter(response.StatusCode, response.Header, time.Now())
	attempt.Body, err = readBodyPrefix(response)
	return err
}

var (
	jsonContentType = []string{"application/json"}
	userAgent       = []string{"petstore-callbacks/1"}
)

// readBodyPrefix reads the beginning of the answer. A connection is used again only when its answer has been read to
// the end, so a longer one costs its connection.
func readBodyPrefix(response *http.Response) (string, error) {
	if response.StatusCode == http.StatusSwitchingProtocols {
		return "", nil // What follows is not HTTP, and may never end.
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return "", err
	}
	return cleanText(string(body)), err
}

// route notes where a request goes. The transport may go on dialling after the request is over, hence atomic.
type route struct {
	dialled, used atomic.Pointer[string]
}

type routeKey struct{}

func (r *route) gotConn(info httptrace.GotConnInfo) {
	address := info.Conn.RemoteAddr().String()
	r.used.Store(&address)
}

// address prefers the connection that carried the request to one that was merely tried.
func (r *route) address() string {
	if used := r.used.Load(); used != nil {
		return *used
	}
	if dialled := r.dialled.Load(); dialled != nil {
		return *dialled
	}
	return ""
}

// control is called with every address before it is dialled.
func control(allowPrivate bool) func(context.Context, string, string, syscall.RawConn) error {
	return func(ctx context.Context, network, address string, conn syscall.RawConn) error {
		if !allowPrivate {
			if err := Guard(network, address, conn); err != nil {
				return err
			}
		}
		if route, ok := ctx.Value(routeKey{}).(*route); ok {
			route.dialled.Store(&address)
		}
		return nil
	}
}
