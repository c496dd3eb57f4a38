package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"petstore/callbacks"
)

// newTestClient has less patience than a real one.
func newTestClient(t testing.TB, policy callbacks.Policy) *Client {
	t.Helper()
	f := New(policy)
	f.patience, f.wait = 5*time.Second, time.Millisecond
	t.Cleanup(f.Close)
	return f
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func fetched(t testing.TB, f *Client, url string) (string, error) {
	t.Helper()
	var content []byte
	err := f.Fetch(within(t), url, func(r io.Reader) (err error) {
		content, err = io.ReadAll(r)
		return err
	})
	return string(content), err
}

// TestShortage (reliability 5) holds that a file is not to blame for what this machine lacks.
func TestShortage(t *testing.T) {
	to := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	for name, shortage := range map[string]error{
		"descriptors":              &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)},
		"ports":                    &net.OpError{Op: "dial", Addr: to, Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)}, // another instance
		"descriptors for a lookup": &net.OpError{Op: "dial", Err: &net.DNSError{Err: "dial udp: socket: too many open files", Name: "a.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newTestClient(t, callbacks.DevelopmentPolicy())
			f.transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, shortage }
			_, err := fetched(t, f, "http://127.0.0.1:1/x")
			if _, blamed := errors.AsType[*Error](err); blamed || !callbacks.IsLocalResourceError(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestFetch(t *testing.T) {
	var tries atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Referer") != "" || r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("it sent %v", r.Header)
		}
		io.WriteString(w, "content")
	})
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		var code int
		fmt.Sscan(r.PathValue("code"), &code)
		w.WriteHeader(code)
	})
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) {
		if tries.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "at last")
	})
	mux.HandleFunc("/reset", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/breaks", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, "only this")
	})
	mux.Handle("/moved", http.RedirectHandler("/ok", http.StatusFound))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.Handle("/file", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
	mux.Handle("/secret", http.RedirectHandler("http://user:password@127.0.0.1/", http.StatusFound))
	mux.HandleFunc("/declared", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(maxFile+1))
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for block := make([]byte, 1<<20); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = nil
	server.Start()
	t.Cleanup(server.Close)
	f := newTestClient(t, callbacks.DevelopmentPolicy())
	for path, want := range map[string]string{"/ok": "content", "/moved": "content", "/busy": "at last"} {
		if got, err := fetched(t, f, server.URL+path); got != want || err != nil {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
	for path, want := range map[string]string{
		"/status/404": "its URL answered with the status 404",
		"/status/500": "its URL answered with the status 500",
		"/status/204": "its URL answered with the status 204",
		"/reset":      "fetching it failed: connection closed early",
		"/breaks":     "fetching it failed: connection closed early",
		"/loop":       "there are too many redirects",
		"/file":       "it redirects to a URL that must be an absolute URL that begins with http:// or https://",
		"/secret":     "it redirects to a URL that must not contain credentials",
		"/declared":   "it is larger than 20 MiB",
		"/endless":    "it is larger than 20 MiB",
	} {
		_, err := fetched(t, f, server.URL+path)
		var failed *Error
		if !errors.As(err, &failed) || failed.Reason != want {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}

// TestRedirects (faults 35): servers send on to URLs that clients may not name, and browsers follow.
func TestRedirects(t *testing.T) {
	var asked atomic.Value
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.RequestURI)
		io.WriteString(w, "content")
	})
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.Header.Get("X-Location"))
		w.WriteHeader(http.StatusFound)
	})
	var location string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("X-Location", location)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f := newTestClient(t, callbacks.DevelopmentPolicy())
	long := "/ok?signature=" + strings.Repeat("a", 2130)
	for from, want := range map[string]string{
		"/ok#x": "/ok", "/ok?a=b#": "/ok?a=b", long: long, server.URL + "/ok#" + strings.Repeat("b", 3000): "/ok",
		"/ok?shop=Köln": "/ok?shop=K%C3%B6ln", "ok": "/ok",
	} {
		location = from
		if got, err := fetched(t, f, server.URL+"/to"); got != "content" || err != nil || asked.Load() != want {
			t.Errorf("to %.40s: got %q, %v, at %.40v", from, got, err, asked.Load())
		}
	}
	if got, err := fetched(t, f, server.URL+"/ok?shop=Köln"); got != "content" || err != nil || asked.Load() != "/ok?shop=K%C3%B6ln" {
		t.Errorf("without a redirect: got %q, %v, at %v", got, err, asked.Load())
	}
}

func TestFetchFromNowhere(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	_, err := fetched(t, newTestClient(t, callbacks.DevelopmentPolicy()), closed.URL)
	if err == nil || err.Error() != "fetching it failed: connection refused" {
		t.Errorf("got %v", err)
	}
}

// TestFetchIsGuarded: in production no private address is dialled, not even
// where a redirect leads.
func TestFetchIsGuarded(t *testing.T) {
	var called atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Store(true) }))
	t.Cleanup(server.Close)
	f := newTestClient(t, callbacks.Policy{PlainHTTP: true})
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433"} {
		_, err := fetched(t, f, "http://"+host+port)
		if err == nil || !strings.HasPrefix(err.Error(), "fetching it failed: ") {
			t.Errorf("%s: got %v", host, err)
		}
	}
	request := httptest.NewRequest(http.MethodGet, "http://10.0.0.1/", nil)
	if err := f.http.CheckRedirect(request, []*http.Request{request}); err == nil {
		t.Error("a redirect to plain http is followed in production")
	}
	_, err := fetched(t, newTestClient(t, callbacks.Policy{PrivateAddresses: true}), server.URL)
	if err == nil || err.Error() != "its URL must be https in production" {
		t.Errorf("plain http: got %v", err)
	}
	if called.Load() {
		t.Error("a private address was dialled, or plain http")
	}
}

// TestFetchGivesUp on a server that accepts and never answers.
func TestFetchGivesUp(t *testing.T) {
	arrived := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	f := newTestClient(t, callbacks.DevelopmentPolicy())
	f.patience = 50 * time.Millisecond
	var failed *Error
	if _, err := fetched(t, f, server.URL); !errors.As(err, &failed) || failed.Reason != "fetching it failed: timed out" {
		t.Errorf("got %v", err)
	}
	await(t, arrived, "the request")
	f.patience = time.Hour
	ctx, cancel := context.WithCancel(within(t))
	ended := make(chan error)
	go func() { ended <- f.Fetch(ctx, server.URL, nil) }()
	await(t, arrived, "the request")
	cancel()
	if err := await(t, ended, "the end of the fetch"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

// TestFetchesPerHost (security 2): a host that hangs holds up no other.
func TestFetchesPerHost(t *testing.T) {
	arrived := make(chan struct{}, 100)
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(hanging.Close)
	healthy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }))
	t.Cleanup(healthy.Close)
	f := newTestClient(t, callbacks.DevelopmentPolicy())
	f.patience = time.Hour
	ctx, cancel := context.WithCancel(within(t))
	ended := make(chan error, maxFetchesPerHost)
	for range maxFetchesPerHost {
		go func() { ended <- f.Fetch(ctx, hanging.URL, nil) }()
	}
	for range maxFetchesPerHost {
		await(t, arrived, "a request")
	}
	var last time.Duration
	for range 1000 { // nobody waits for it
		var busy *BusyError
		if err := f.Fetch(ctx, hanging.URL, nil); !errors.As(err, &busy) {
			t.Fatalf("got %v", err)
		}
		last = busy.RetryAfter
	}
	if last < 2*retryFirst || last > retryLast {
		t.Errorf("the last of many comes back after %v", last)
	}
	if got, err := fetched(t, f, healthy.URL); got != "here" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	cancel()
	for range maxFetchesPerHost {
		await(t, ended, "the end of a fetch")
	}
	if len(arrived) > 0 || len(f.hosts.byName) > 0 || f.hosts.all.free != maxFetches {
		t.Errorf("%d more requests came; then %d hosts are remembered, and %d places free", len(arrived), len(f.hosts.byName), f.hosts.all.free)
	}
}

// patienceOfTests bounds every wait for an event that should come.
const patienceOfTests = 30 * time.Second

// within returns a context that ends with the test, or when the test has waited
// too long.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patienceOfTests)
	t.Cleanup(cancel)
	return ctx
}

// await receives from c, and fails the test when nothing comes.
func await[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-within(t).Done():
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}
