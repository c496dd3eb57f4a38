package senders

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxBody bounds what is read of a request or an answer, in bytes.
const maxBody = 4 << 20

// inbox takes the callbacks of one scenario, at a port of its own.
type inbox struct {
	name    string
	grader  *grader
	server  *http.Server
	scheme  string
	address string
	stop    context.CancelFunc

	mu       sync.Mutex
	behave   behaviour
	over     bool // its scenario
	arrivals []*arrival
	dialled  int // connections
	refused  int // connections that ended before there was a request
	active   map[net.Conn]bool
	returned map[string]bool // paths whose trigger was answered
	changed  chan struct{}   // closed and replaced whenever something happens
}

// open makes the inbox of a scenario. It does not listen yet.
func (g *grader) open(name string, behave behaviour) *inbox {
	ctx, stop := context.WithCancel(context.Background())
	in := &inbox{
		name: name, grader: g, scheme: "http", behave: behave, stop: stop, changed: make(chan struct{}),
		active: map[net.Conn]bool{}, returned: map[string]bool{},
	}
	in.server = &http.Server{
		Handler: in, ConnState: in.connection, ReadHeaderTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // The sender's faults are told by the marks.
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inboxes[name] = in
	return in
}

// listen takes a free port.
func (in *inbox) listen() error {
	listener, err := in.grader.listen("tcp", net.JoinHostPort(in.grader.Host, "0"))
	if err != nil {
		return fmt.Errorf("opening an inbox: %w", err)
	}
	in.serve(listener)
	return nil
}

func (in *inbox) serve(listener net.Listener) {
	in.address = listener.Addr().String()
	go func() { _ = in.server.Serve(listener) }() // until close
}

func (in *inbox) close() {
	in.stop()
	_ = in.server.Close() // It only closes.
}

// url is where the callbacks of one task go.
func (in *inbox) url(task int) string { return in.scheme + "://" + in.address + in.path(task) }

func (in *inbox) path(task int) string { return fmt.Sprintf("/in/%s/%d", in.name, task) }

// ServeHTTP notes a request and answers it as the scenario says.
func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return
	}
	a := &arrival{
		inbox: in, at: at, method: r.Method, path: r.URL.Path, header: r.Header,
		length: r.ContentLength, body: body, fields: parse(body),
	}
	a.n = in.grader.number()
	in.mu.Lock()
	in.arrivals = append(in.arrivals, a)
	behave := in.behave
	in.mu.Unlock()
	in.notify()
	x := &exchange{ResponseWriter: w, request: r, arrival: a, inbox: in}
	behave(x)
	in.mu.Lock()
	a.over = time.Now()
	in.mu.Unlock()
	in.notify()
}

// number numbers requests, over all inboxes.
func (g *grader) number() int { return int(g.came.Add(1)) }

// connection follows the state of connections: one that closes before a request began was refused by the sender.
func (in *inbox) connection(conn net.Conn, state http.ConnState) {
	in.mu.Lock()
	switch state {
	case http.StateNew:
		in.dialled++
	case http.StateActive, http.StateHijacked:
		in.active[conn] = true
	case http.StateClosed:
		if !in.active[conn] {
			in.refused++
		}
		delete(in.active, conn)
	case http.StateIdle:
	}
	in.mu.Unlock()
	in.notify()
}

func (in *inbox) notify() {
	in.mu.Lock()
	defer in.mu.Unlock()
	close(in.changed)
	in.changed = make(chan struct{})
}

// becomes changes how requests are answered from now on.
func (in *inbox) becomes(b behaviour) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.behave = b
}

// all are the requests that came, in order, as they are now.
func (in *inbox) all() (all []*arrival) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, a := range in.arrivals {
		now := *a
		all = append(all, &now)
	}
	return all
}

// ends are the requests that told the end of one task.
func (in *inbox) ends(task int) (ends []*arrival) {
	path := in.path(task)
	for _, a := range in.all() {
		if a.isEnd() && a.path == path {
			ends = append(ends, a)
		}
	}
	return ends
}

// isEnd reports whether a request tells the end of its task.
func (a *arrival) isEnd() bool { return a.label() == a.inbox.grader.end }

// followed are the requests of a redirect that was followed.
func (in *inbox) followed() (followed []*arrival) {
	for _, a := range in.all() {
		if strings.HasSuffix(a.path, elsewhere) {
			followed = append(followed, a)
		}
	}
	return followed
}

// until waits until done, or d has passed.
func (in *inbox) until(ctx context.Context, d time.Duration, done func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for {
		in.mu.Lock()
		changed := in.changed
		in.mu.Unlock()
		if done() {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// untilQuiet waits until nothing has come for the time of Quiet, for the time of Wait at most.
func (in *inbox) untilQuiet(ctx context.Context) {
	deadline := time.Now().Add(in.grader.Wait)
	for count := -1; ctx.Err() == nil && time.Now().Before(deadline); {
		count = len(in.all())
		more := in.until(ctx, in.grader.Quiet, func() bool { return len(in.all()) > count })
		if !more && count > 0 {
			return
		}
	}
}

// endAccepted reports whether the end of every task was accepted.
func (in *inbox) endAccepted(tasks int) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	ended := map[string]bool{}
	for _, a := range in.arrivals {
		if a.isEnd() && a.accepted() && !a.over.IsZero() {
			ended[a.path] = true
		}
	}
	return len(ended) >= tasks
}
