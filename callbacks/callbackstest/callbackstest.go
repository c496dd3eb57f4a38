// Package callbackstest is for tests of what sends callbacks: an inbox to send them to, which is waited at, and which
// answers as a script says.
//
//	inbox := callbackstest.New(t)
//	inbox.Script(t, callbackstest.Step{Status: 500, Times: 1}) // the first request fails
//	order(t, inbox.URL)                                        // whatever makes the callbacks
//	last := inbox.Wait(t, callbackstest.Field("status", "completed"))
//
// Each inbox has a receiver of its own, at a port of its own, so that tests which run in parallel have nothing in
// common. It takes any method and path beneath its URL, from any sender. See package petstore/callbacks/receiver for what
// is known of a request, and for what a script can do.
package callbackstest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/receiver"
)

// What tests work with of package receiver.
type (
	// Request is a request that came, and what became of it.
	Request = receiver.Request
	// Step is a step of a script.
	Step = receiver.Step
	// Duration is a time in a Step.
	Duration = receiver.Duration
	// Match says whether a request is one that is looked for.
	Match = receiver.Match
)

// Timeout is how long [Inbox.Wait] waits.
const Timeout = 30 * time.Second

// name of the one inbox that a receiver has here.
const name = "test"

// Inbox takes requests for a test.
type Inbox struct {
	// URL is what the sender is given. More path and a query may be added to it.
	URL string

	receiver *receiver.Receiver
	settings receiver.Settings
}

// New returns an inbox, which is closed at the end of the test. Signatures are checked with secret, or
// [callbacks.DevelopmentSecret] if none is given, by the scheme that their headers tell.
func New(t testing.TB, secret ...string) *Inbox {
	t.Helper()
	settings := receiver.Settings{Secret: callbacks.DevelopmentSecret}
	if len(secret) > 0 {
		settings.Secret = secret[0]
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("callbackstest: %v", err)
	}
	in := &Inbox{
		URL:      "http://" + listener.Addr().String() + "/in/" + name,
		receiver: receiver.New(receiver.Options{}), settings: settings,
	}
	server := in.receiver.Server()
	served := make(chan error)
	go func() { served <- server.Serve(receiver.Listen(listener)) }()
	t.Cleanup(func() {
		in.receiver.Close()
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("callbackstest: %v", err)
		}
	})
	in.configure(t)
	return in
}

// Script has the requests from now on meet these steps, each the first that is not used up; without steps, all are answered
// "OK".
func (in *Inbox) Script(t testing.TB, steps ...Step) {
	t.Helper()
	in.settings.Script = steps
	in.configure(t)
}

func (in *Inbox) configure(t testing.TB) {
	t.Helper()
	if err := in.receiver.Configure(name, in.settings); err != nil {
		t.Fatalf("callbackstest: %v", err)
	}
}

// Received returns what has come so far and matches all of match, in the order of arrival.
func (in *Inbox) Received(match ...Match) []*Request { return in.receiver.Requests(name, all(match)) }

// Wait returns the first request that matches all of match and has been answered, as soon as there is one. If none comes
// within [Timeout], the test fails, and its log says what came instead.
func (in *Inbox) Wait(t testing.TB, match ...Match) *Request {
	t.Helper()
	return in.WaitN(t, 1, match...)[0]
}

// WaitN is Wait for n requests. It returns all that match, which may be more.
func (in *Inbox) WaitN(t testing.TB, n int, match ...Match) []*Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Timeout)
	defer cancel()
	found, err := in.receiver.Wait(ctx, name, n, all(match))
	if err != nil {
		t.Fatalf("callbackstest: %d of %d requests came that match; in all there were:\n%s", len(found), n, in.describe())
	}
	return slices.DeleteFunc(found, func(r *Request) bool { return r.Answer == nil })
}

func (in *Inbox) describe() string {
	var lines []string
	for _, r := range in.Received() {
		lines = append(lines, fmt.Sprintf("%d: %s %s %.300q", r.Number, r.Method, r.Target, r.Body))
	}
	return strings.Join(lines, "\n")
}

func all(match []Match) Match {
	return func(r *Request) bool {
		return !slices.ContainsFunc(match, func(m Match) bool { return !m(r) })
	}
}

// Field matches a JSON body that has this value at a path such as order_id or items.0.sku.
func Field(path, value string) Match {
	return func(r *Request) bool {
		got, found := r.Field(path)
		return found && got == value
	}
}

// Header matches a header of this value.
func Header(name, value string) Match {
	return func(r *Request) bool { return r.Header(name) == value }
}

// Path matches requests to the inbox's URL with this added, such as "/orders".
func Path(suffix string) Match {
	return func(r *Request) bool { return r.Path == "/in/"+name+suffix }
}

// Answered matches requests that were answered with this status.
func Answered(status int) Match {
	return func(r *Request) bool { return r.Answer != nil && r.Answer.Status == status }
}
