package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

	"petstore/callbacks"
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
	// maxRedirects bounds how many redirects are followed.
	maxRedirects = 3
	// maxFetches is how many fetches are under way at a time, and
	// maxFetchesPerHost from one host: one that hangs holds up no other.
	maxFetches        = 64
	maxFetchesPerHost = 8
)

// Fetcher downloads what clients name by URL. It is guarded like a callback: in
// production no private address is dialled, whatever a name resolves to, and
// wherever a redirect leads.
type Fetcher struct {
	transport *http.Transport
	client    *http.Client
	hosts     *hosts
	places    *semaphore.Weighted
	patience  time.Duration // maxFetch
	pause     time.Duration // retryFetch
}

// NewFetcher returns a Fetcher. Close it after use.
func NewFetcher(production bool) *Fetcher {
	dialer := &net.Dialer{Timeout: maxFetch}
	if production {
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
				return &fetchError{reason: "there are too many redirects"}
			}
			if err := callbacks.CheckURL(r.URL.String(), production); err != nil {
				return &fetchError{reason: "it redirects to a URL that " + err.Error()}
			}
			r.Header.Del("Referer") // the URL before may hold a secret
			return nil
		},
	}
	return &Fetcher{
		transport: transport, client: client,
		hosts: newHosts(maxFetchesPerHost), places: semaphore.NewWeighted(maxFetches),
		patience: maxFetch, pause: retryFetch,
	}
}

// Close closes the connections that are idle.
func (f *Fetcher) Close() { f.transport.CloseIdleConnections() }

// fetchError is why a file could not be fetched, in words for the client.
type fetchError struct {
	reason string
	passes bool // it may work a moment later
}

func (e *fetchError) Error() string { return e.reason }

// Fetch downloads url and gives its content to store, again from the start if a
// failure on the way may pass. A *fetchError says what is wrong with the URL or
// its server; errors of store come back as they are.
func (f *Fetcher) Fetch(ctx context.Context, url string, store func(content io.Reader) error) error {
	release, err := f.hosts.wait(ctx, url)
	if err != nil {
		return err
	}
	defer release()
	if err := f.places.Acquire(ctx, 1); err != nil {
		return err
	}
	defer f.places.Release(1)
	fetching, cancel := context.WithTimeout(ctx, f.patience)
	defer cancel()
	for try := 1; ; try++ {
		err := f.try(fetching, url, store)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var failed *fetchError
		if !errors.As(err, &failed) || !failed.passes || try == maxTries {
			return err
		}
		if pause(fetching, f.pause) != nil {
			return err
		}
	}
}

func (f *Fetcher) try(ctx context.Context, url string, store func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return &fetchError{reason: "its URL is not valid"}
	}
	request.Header.Set("User-Agent", "petstore/1")
	request.Header.Set("Accept", "image/jpeg, image/png, image/webp, image/gif")
	response, err := f.client.Do(request)
	if err != nil {
		return explainFetch(ctx, err)
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return &fetchError{reason: fmt.Sprintf("its URL answered with the status %d", status), passes: true}
	case status != http.StatusOK:
		return &fetchError{reason: fmt.Sprintf("its URL answered with the status %d", status)}
	case response.ContentLength > maxFile:
		return errTooLarge
	}
	return store(&fetchedBody{ctx: ctx, r: response.Body})
}

var errTooLarge = &fetchError{reason: fmt.Sprintf("it is larger than %d MiB", maxFile>>20)}

// explainFetch puts the failure of an exchange into words.
func explainFetch(ctx context.Context, err error) error {
	if known, ok := errors.AsType[*fetchError](err); ok { // of a redirect
		return known
	}
	return &fetchError{
		reason: "fetching it failed: " + callbacks.Describe(ctx, err),
		passes: !errors.Is(err, callbacks.ErrForbiddenAddress),
	}
}

// fetchedBody reads at most maxFile bytes, and says of each error that it comes
// from the server there, not from where its content goes.
type fetchedBody struct {
	ctx  context.Context
	r    io.Reader
	read int64
}

func (b *fetchedBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.read += int64(n)
	if b.read > maxFile {
		return 0, errTooLarge
	}
	if err != nil && err != io.EOF {
		return n, explainFetch(b.ctx, err)
	}
	return n, err
}
