package senders

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/pause"
)

const secret = "a secret of the test"

// sender is a small sender that keeps every rule, but for the one that is its defect.
type sender struct {
	defect  string
	network *memory // nil is the machine's
	client  *http.Client
	names   string // address of its name server
	place   chan struct{}

	server *httptest.Server

	mu      sync.Mutex
	tasks   map[*task]bool // that are not done
	ctx     context.Context
	kill    context.CancelFunc
	running sync.WaitGroup
}

// task is what survives a kill.
type task struct {
	url, id string
	guarded bool
}

const (
	// timeout of an exchange. A machine that is busy must not reach it.
	timeout = 3 * time.Second
	// base is the first of its waits, about.
	base = 150 * time.Millisecond
)

func newSender(t *testing.T, defect string, network *memory) *sender {
	t.Helper()
	s := &sender{defect: defect, network: network, tasks: map[*task]bool{}, place: make(chan struct{}, 1)}
	transport := &http.Transport{DialContext: s.dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: defect == "verifies-tls"}}
	s.client = &http.Client{Transport: transport}
	if defect != "no-redirect" {
		s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	s.ctx, s.kill = context.WithCancel(context.Background())
	listen := net.Listen
	if network != nil {
		listen = network.listen
	}
	listener, err := listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(s.create)}}
	s.server.Start()
	t.Cleanup(func() {
		s.kill()
		transport.CloseIdleConnections()
		s.server.Close()
		s.running.Wait()
		transport.CloseIdleConnections()
	})
	return s
}

func (s *sender) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if s.network != nil {
		return s.network.dial(ctx, address)
	}
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", s.names)
	}}
	dialer := &net.Dialer{Resolver: resolver}
	if ctx.Value(guarded{}) != nil {
		dialer.Control = callbacks.Guard
	}
	return dialer.DialContext(ctx, network, address)
}

// guarded is the key of contexts in which no private address is dialled.
type guarded struct{}

// create takes a task: its body is the callback URL.
func (s *sender) create(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	t := &task{url: string(body), id: fmt.Sprint("t", rand.Uint64())}
	t.guarded = strings.Contains(r.URL.Path, "private") && s.defect != "private-addresses"
	begun := s.start(t)
	if s.defect == "answers-first" {
		<-begun
	}
	w.WriteHeader(202)
}

// start works on a task, and returns a channel that is closed when its first exchange is over.
func (s *sender) start(t *task) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks[t] = true
	begun := make(chan struct{})
	ctx := s.ctx
	if t.guarded {
		ctx = context.WithValue(ctx, guarded{}, true)
	}
	s.running.Go(func() {
		s.work(ctx, t, sync.OnceFunc(func() { close(begun) }))
		if ctx.Err() == nil {
			s.mu.Lock()
			delete(s.tasks, t)
			s.mu.Unlock()
		}
	})
	return begun
}

// restart kills the sender and starts it again with what it has stored.
func (s *sender) restart(context.Context) error {
	s.mu.Lock()
	s.kill()
	s.ctx, s.kill = context.WithCancel(context.Background())
	stored := s.tasks
	s.tasks = map[*task]bool{}
	s.mu.Unlock()
	for t := range stored {
		if s.defect != "survives-kill" {
			s.start(t)
		}
	}
	return nil
}

// work tells progress and the end.
func (s *sender) work(ctx context.Context, t *task, begun func()) {
	defer begun()
	tell := func(status string, sequence int) {
		s.deliver(ctx, t, fmt.Sprint(t.id, "_", sequence), status, sequence, begun)
	}
	if s.defect == "order" {
		s.running.Go(func() { tell("processing", 1) })
	} else {
		tell("processing", 1)
	}
	if pause.For(ctx, 50*time.Millisecond) == nil {
		tell("completed", 2)
	}
}

// deliver tries until it is told that it may stop.
func (s *sender) deliver(ctx context.Context, t *task, id, status string, sequence int, begun func()) {
	attempts := 30
	if status == "processing" {
		attempts = 1
	}
	body := map[string]any{"callback_id": id, "type": "task." + status, "status": status, "sequence": sequence}
	switch s.defect {
	case "id":
		delete(body, "callback_id")
	case "contract":
		body["sequence"] = fmt.Sprint(sequence)
	}
	first := time.Now()
	for n := range attempts {
		if s.defect == "body-identical" {
			body["attempt"] = n
		}
		text, _ := json.Marshal(body)
		answered, retryAfter, err := s.exchange(ctx, t.url, id, text, n, first)
		begun()
		if s.settled(answered, retryAfter, err) {
			if answered/100 == 2 && s.defect == "stops-at-2xx" {
				s.exchange(ctx, t.url, id, text, n, first)
			}
			return
		}
		if pause.For(ctx, s.wait(t, n)+s.honour(retryAfter)) != nil {
			return
		}
	}
}

// settled reports whether an exchange was the last.
func (s *sender) settled(status int, retryAfter string, err error) bool {
	var dns *net.DNSError
	switch s.defect {
	case "retries-error":
		return status/100 == 2 || status == 410 || status == 500
	case "retries-redirect":
		return status/100 == 2 || status == 410 || status/100 == 3
	case "end-after-outage":
		return status/100 == 2 || status == 410 || status == 503 && retryAfter == ""
	case "stops-at-410":
		return status/100 == 2
	case "retries-timeout":
		return status/100 == 2 || status == 410 || errors.Is(err, context.DeadlineExceeded)
	case "retries-reset":
		return status/100 == 2 || status == 410 || errors.Is(err, syscall.ECONNRESET)
	case "retries-refused":
		return status/100 == 2 || status == 410 || errors.Is(err, syscall.ECONNREFUSED)
	case "retries-dns":
		return status/100 == 2 || status == 410 || errors.As(err, &dns)
	case "retries-garbage":
		return status/100 == 2 || status == 410 || err != nil && strings.Contains(err.Error(), "malformed HTTP")
	}
	return status/100 == 2 || status == 410
}

// wait doubles, with half of it more or less: for each task another part of it, spread evenly (golden ratio), so that no test
// depends on luck.
func (s *sender) wait(t *task, n int) time.Duration {
	d := base << min(n, 3)
	if s.defect == "backs-off" {
		d = base
	}
	number, _ := strconv.Atoi(path.Base(t.url))
	_, part := math.Modf(float64(number)*math.Phi + float64(n)/math.E)
	if s.defect == "jitters" {
		part = 0.5
	}
	return d/2 + time.Duration(part*float64(d))
}

// honour is what Retry-After asks for.
func (s *sender) honour(retryAfter string) time.Duration {
	var seconds int
	if _, err := fmt.Sscan(retryAfter, &seconds); err == nil && s.defect != "retry-after-seconds" {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(retryAfter); err == nil && s.defect != "retry-after-date" {
		return max(0, time.Until(date))
	}
	return 0
}

// exchange sends once.
func (s *sender) exchange(ctx context.Context, url, id string, body []byte, n int, first time.Time) (int, string, error) {
	if s.defect == "isolation" {
		s.place <- struct{}{} // There is one for all.
		defer func() { <-s.place }()
	}
	ctx, cancel := context.WithCancel(ctx)
	var reader io.Reader = bytes.NewReader(body)
	if s.defect == "content-length" {
		reader = io.MultiReader(reader)
	}
	request, err := http.NewRequestWithContext(ctx, "POST", url, reader)
	if err != nil {
		cancel()
		return 0, "", err
	}
	s.sign(request.Header, id, body, n, first)
	type result struct {
		response *http.Response
		err      error
	}
	answered := make(chan result, 1)
	s.running.Go(func() {
		defer cancel()
		response, err := s.client.Do(request)
		answered <- result{response, err}
		if err == nil {
			defer response.Body.Close()
			s.read(response.Body, cancel)
		}
	})
	select {
	case got := <-answered:
		if got.err != nil {
			return 0, "", got.err
		}
		return got.response.StatusCode, got.response.Header.Get("Retry-After"), nil
	case <-time.After(timeout):
		if s.defect != "bounded-wait" {
			cancel()
		}
		return 0, "", context.DeadlineExceeded
	}
}

func (s *sender) sign(h http.Header, id string, body []byte, n int, first time.Time) {
	h.Set("Content-Type", "application/json")
	at, key := time.Now(), secret
	switch s.defect {
	case "content-type":
		h.Set("Content-Type", "text/plain")
	case "timestamp-fresh":
		at = first
	case "id-stable":
		id = fmt.Sprint(id, "-", n)
	case "signature":
		key = map[bool]string{true: "another", false: secret}[n == 0]
	case "signature-retry":
		key = map[bool]string{false: "another", true: secret}[n == 0]
	}
	callbacks.Sign(h, id, at, body, key)
	if s.defect == "id" {
		for _, name := range []string{callbacks.HeaderWebhookID, callbacks.HeaderWebhookSignature, callbacks.HeaderWebhookTimestamp} {
			h.Del(name)
		}
	}
}

// read reads the beginning of an answer, for a while.
func (s *sender) read(body io.Reader, cancel func()) {
	most := int64(16 << 10)
	if s.defect == "endless-body" {
		most = 2 * floodLimit
	}
	var timer *time.Timer
	if s.defect != "bounded-body" {
		timer = time.AfterFunc(timeout, cancel)
		defer timer.Stop()
	}
	n, _ := io.CopyN(io.Discard, body, min(most, 1<<20))
	if n == 1<<20 {
		timer.Stop() // An answer that is long comes fast enough.
		_, _ = io.CopyN(io.Discard, body, most-n)
	}
}
