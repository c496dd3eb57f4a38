// Package fetch downloads files that clients name by URL.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/pause"
)

const (
	// maxFile bounds a file that is fetched, in bytes: 20 MiB.
	maxFile = 20 << 20
	// maxFetch bounds a fetch as a whole, its tries and redirects included.
	maxFetch = 20 * time.Second
	// maxTries bounds how often a fetch is tried whose failure may pass.
	maxTries = 3
	// retryFetch is the pause before the next try.
	retryFetch = time.Second
	// maxRedirects bounds how many redirects are followed. Links to files of clouds take
	// four or five.
	maxRedirects = 10
	// maxFetches is how many fetches are under way at a time, and
	// maxFetchesPerHost from one host: one that hangs holds up no other.
	maxFetches        = 256
	maxFetchesPerHost = 8
)

// Client downloads what clients name by URL. It is guarded like a callback: in
// production no private address is dialled, whatever a name resolves to, and
// wherever a redirect leads.
type Client struct {
	policy    callbacks.Policy
	transport *http.Transport
	http      *http.Client
	hosts     *hosts
	patience  time.Duration // maxFetch
	wait      time.Duration // retryFetch
}

// New returns a Client. Close it after use.
func New(policy callbacks.Policy) *Client {
	dialer := &net.Dialer{Timeout: maxFetch}
	if !policy.PrivateAddresses {
		dialer.Control = callbacks.Guard
	}
	transport := &http.Transport{
		DialContext:            dialer.DialContext, // and no proxy, which would dial for us
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // pictures are compressed already, and bombs are not let in
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        5 * time.Second,
		TLSHandshakeTimeout:    maxFetch,
		MaxResponseHeaderBytes: 64 << 10,
	}
	client := &http.Client{
		Transport: transport,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return &Error{Reason: "there are too many redirects"}
			}
			return checkRedirect(r, policy)
		},
	}
	return &Client{
		policy: policy, transport: transport, http: client,
		hosts: newHosts(maxFetches, maxFetchesPerHost), patience: maxFetch, wait: retryFetch,
	}
}

// checkRedirect holds where a redirect leads to the rules for the URLs of clients, but for
// their length and fragment: a server may send on to a long URL, and what is after #
// is for browsers (RFC 9110, 10.2.2).
func checkRedirect(r *http.Request, policy callbacks.Policy) error {
	to := url.URL{Scheme: r.URL.Scheme, User: r.URL.User, Host: r.URL.Host, Path: "/"}
	if err := callbacks.CheckURL(to.String(), policy); err != nil {
		return &Error{Reason: "it redirects to a URL that " + err.Error()}
	}
	r.Header.Del("Referer") // the URL before may hold a secret
	r.URL.Fragment, r.URL.RawFragment = "", ""
	r.URL.RawQuery = callbacks.EscapeQuery(r.URL.RawQuery)
	return nil
}

// Close closes the connections that are idle.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Error is why a file could not be fetched, in words for whoever named it.
type Error struct {
	Reason string
	passes bool // it may work a moment later
}

func (e *Error) Error() string { return e.Reason }

// Fetch downloads rawURL and gives its content to store, again from the start if a
// failure on the way may pass. An *Error says what is wrong with the URL or
// its server, and a *BusyError that there is no room for it now; errors of store come back as they are, and so does a shortage of this
// machine's (callbacks.IsLocalResourceError).
func (c *Client) Fetch(ctx context.Context, rawURL string, store func(content io.Reader) error) error {
	release, err := c.hosts.acquire(rawURL)
	if err != nil {
		return err
	}
	defer release()
	fetching, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	for try := 1; ; try++ {
		err := c.try(fetching, rawURL, store)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var failed *Error
		if !errors.As(err, &failed) || !failed.passes || try == maxTries {
			return err
		}
		if pause.For(fetching, c.wait) != nil {
			return err
		}
	}
}

func (c *Client) try(ctx context.Context, rawURL string, store func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return &Error{Reason: "its URL is not valid"}
	}
	if !c.policy.AllowsScheme(request.URL.Scheme) { // it was accepted under another policy
		return &Error{Reason: "its URL must be https in production"}
	}
	request.URL.RawQuery = callbacks.EscapeQuery(request.URL.RawQuery)
	request.Header.Set("User-Agent", "petstore/1")
	request.Header.Set("Accept", "image/jpeg, image/png, image/webp, image/gif")
	response, err := c.http.Do(request)
	if err != nil {
		return explain(ctx, err)
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return &Error{Reason: fmt.Sprintf("its URL answered with the status %d", status), passes: true}
	case status != http.StatusOK:
		return &Error{Reason: fmt.Sprintf("its URL answered with the status %d", status)}
	case response.ContentLength > maxFile:
		return errTooLarge
	}
	return store(&body{ctx: ctx, r: response.Body})
}

var errTooLarge = &Error{Reason: fmt.Sprintf("it is larger than %d MiB", maxFile>>20)}

// explain puts the failure of an exchange into words.
func explain(ctx context.Context, err error) error {
	if known, ok := errors.AsType[*Error](err); ok { // of a redirect
		return known
	}
	if callbacks.IsLocalResourceError(err) {
		return fmt.Errorf("fetching a file: %w", err)
	}
	return &Error{
		Reason: "fetching it failed: " + callbacks.Describe(ctx, err),
		passes: !errors.Is(err, callbacks.ErrForbiddenAddress),
	}
}

// body reads at most maxFile bytes, and says of each error that it comes
// from the server there, not from where its content goes.
type body struct {
	ctx  context.Context
	r    io.Reader
	read int64
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.read += int64(n)
	if b.read > maxFile {
		return 0, errTooLarge
	}
	if err != nil && err != io.EOF {
		return n, explain(b.ctx, err)
	}
	return n, err
}
