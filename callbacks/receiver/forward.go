package receiver

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// How much is passed on at most at a time: exchanges, and requests that wait to be.
const (
	maxExchanges = 256
	maxHeld      = 1000
	maxSwap      = 10 * time.Second
)

// forwarding is what passes requests on.
type forwarding struct {
	exchanges chan struct{} // a place for each exchange
	held      chan struct{} // a place for each request that waits

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup           // of what outlives its request
	swapped map[string]chan struct{} // by inbox; closed when the next request has been passed on
}

func newForwarding() *forwarding {
	return &forwarding{
		exchanges: make(chan struct{}, maxExchanges), held: make(chan struct{}, maxHeld), swapped: map[string]chan struct{}{},
	}
}

// forward passes a request on as a step says, and answers.
func (a *arrival) forward(r *http.Request, step *Step) {
	f := &forward{rc: a.rc, kept: a.kept, inbox: a.Inbox, out: passOn(&a.Request, destination(a.setup.forwardTo, r)), step: step}
	// Forwarded to another inbox, or by the routes to themselves, a request might go round for ever.
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && (a.Inbox == DefaultInbox || inboxOf(f.out.url.Path) != "") {
		f.loop = local.String()
	}
	if step.CorruptSignature {
		a.fault("corrupt_signature")
		corrupt(f.out.headers)
	}
	if step.Hold > 0 || step.Swap {
		a.fault("hold")
		if !f.later() {
			fail(a.w, errOverloaded)
			return
		}
		a.perform(r, &Step{Drop: step.Drop})
		return
	}
	e, got := f.now(r.Context())
	switch {
	case step.Drop != "":
		a.perform(r, step)
	case e.Status == 0:
		fail(a.w, &problem{Status: http.StatusBadGateway, Code: codeBadGateway, Detail: "It could not be passed on to forward_to: " + e.Error + "."})
	default:
		a.passBack(e.Status, got)
	}
}

// passBack answers what was answered.
func (a *arrival) passBack(status int, got reply) {
	for name, values := range got.header {
		if !isOneOf(name, "Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length") {
			a.w.Header()[name] = values
		}
	}
	a.w.WriteHeader(status)
	a.w.Write(got.body)
}

// destination is the URL that is forwarded to, with the rest of the path and the query of the request.
func destination(to *url.URL, r *http.Request) *url.URL {
	joined := *to
	if rest := restOf(r.URL.EscapedPath()); rest != "" {
		joined = *to.JoinPath(rest)
	}
	joined.RawQuery = strings.Trim(to.RawQuery+"&"+r.URL.RawQuery, "&")
	return &joined
}

// forward is one request that is passed on.
type forward struct {
	rc    *Receiver
	kept  *kept
	inbox string
	out   outgoing
	step  *Step
	loop  string // the address of the receiver
}

// now passes the request on, and repeats it after that.
func (f *forward) now(ctx context.Context) (Exchange, reply) {
	e, got := f.once(ctx)
	f.rc.forwarding.release(f.inbox)
	if f.step.Repeat > 0 {
		f.rc.background(f.repeat)
	}
	return e, got
}

// later passes the request on when it is time. It returns false if too much waits for that.
func (f *forward) later() bool {
	var swapped <-chan struct{}
	if f.step.Swap {
		swapped = f.rc.forwarding.swap(f.inbox)
	}
	return f.rc.background(func(ctx context.Context) {
		if swapped != nil {
			wait(ctx, swapped, maxSwap)
		}
		f.rc.pause(ctx, time.Duration(f.step.Hold))
		f.once(ctx)
		f.repeat(ctx)
	})
}

func (f *forward) repeat(ctx context.Context) {
	for range f.step.Repeat {
		if ctx.Err() != nil {
			return
		}
		f.once(ctx)
	}
}

// once passes the request on, and notes what came of it.
func (f *forward) once(ctx context.Context) (Exchange, reply) {
	select {
	case f.rc.forwarding.exchanges <- struct{}{}:
		defer func() { <-f.rc.forwarding.exchanges }()
	case <-ctx.Done():
		return Exchange{Error: "cancelled"}, reply{}
	}
	e, got := f.rc.send(ctx, "forward", f.out, f.loop)
	f.rc.note(f.kept, e)
	return e, got
}

// note lists an exchange with the request that was passed on, of which the last 100 are kept.
func (rc *Receiver) note(k *kept, e Exchange) {
	const most = 100
	rc.store.change(k, func(r *Request) {
		all := append(append([]Exchange(nil), r.Forwards...), e) // Copies of the request share the old slice.
		r.Forwards = all[max(0, len(all)-most):]
	})
}

// background runs something that outlives its request, unless there is too much of that. It ends with the receiver.
func (rc *Receiver) background(run func(context.Context)) bool {
	f := rc.forwarding
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	select {
	case f.held <- struct{}{}:
	default:
		return false
	}
	f.running.Go(func() {
		defer func() { <-f.held }()
		run(rc.ctx)
	})
	return true
}

// close waits until nothing is passed on any more. It is called when all contexts have ended.
func (f *forwarding) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.running.Wait()
}

// wait waits for an event, but no longer than d.
func wait(ctx context.Context, event <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-event:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// swap returns what is closed when the next request of an inbox has been passed on.
func (f *forwarding) swap(inbox string) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.swapped[inbox] == nil {
		f.swapped[inbox] = make(chan struct{})
	}
	return f.swapped[inbox]
}

// release lets what waits to be overtaken go.
func (f *forwarding) release(inbox string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if swapped := f.swapped[inbox]; swapped != nil {
		close(swapped)
		delete(f.swapped, inbox)
	}
}
