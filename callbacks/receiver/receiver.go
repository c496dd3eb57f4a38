// Package receiver is the sample receiver of callbacks: for learners to watch them come, for testers to wait for
// them, and for both to see what happens when a receiver is out of order.
//
// # Routes
//
// POST /callbacks/order-status, /callbacks/reports, /callbacks/image, /callbacks/payment and /callbacks/webhook take
// callbacks and answer as the article's handlers do: 401 "Invalid signature", "Already processed", "OK". Each route
// remembers by itself which callback_ids it has processed. One line per callback goes to [Options.Out].
//
// GET /received lists what came, oldest first, also what was refused. It can be narrowed by order_id, report_id,
// image_id, payment_id, refund_id, task_id, callback_id, type and status. With wait=10s (or wait=10; at most 60 s) it answers as
// soon as enough callbacks that match have been accepted: count of them if given, else one if type or status is
// given, else one that is terminal (completed, failed or cancelled). Refused callbacks and duplicates don't count.
// When the time is up it answers what there is, with "timed_out": true.
//
// DELETE /received forgets what came, and counts the attempts of each callback from the first again. It does not make
// a route process a callback_id again.
//
// # Faults
//
// The query of the callback URL asks for faults, which come after the signature has been verified:
//
//	?fail=2                     answers the first two attempts of each callback with 500, then OK (0 to 1000)
//	?status=503                 answers with that status (200 to 599)
//	?status=503&retry_after=2   … and a Retry-After of two seconds (0 to 86400)
//	?delay=3s                   waits before it answers (up to 60s)
//	?drop=1                     resets the connection instead of answering
//
// They combine: with fail, status and drop hold for the first attempts only, as in ?fail=1&drop=1.
package receiver

import (
	"io"
	"net/http"
	"sync"

	"petstore/callbacks"
)

// Options configure a [Receiver].
type Options struct {
	// Secret is CALLBACK_SECRET. With an empty one, no callback is accepted.
	Secret string
	// Out gets one line per callback, coloured if it is a terminal; nil is nowhere.
	Out io.Writer
}

// Receiver is the handler of the sample receiver.
type Receiver struct {
	secret  string
	mux     *http.ServeMux
	history *history
	console *console
	closing chan struct{}
	close   func()
}

// New returns a Receiver. Close it before the server that runs it waits for its requests.
func New(o Options) *Receiver {
	rc := &Receiver{
		secret:  o.Secret,
		mux:     http.NewServeMux(),
		history: newHistory(),
		console: newConsole(o.Out),
		closing: make(chan struct{}),
	}
	rc.close = sync.OnceFunc(func() { close(rc.closing) })
	for _, kind := range callbacks.Kinds {
		if kind.Path != "" {
			process := callbacks.Middleware(o.Secret)(http.HandlerFunc(rc.process))
			rc.mux.Handle("POST "+kind.Path, rc.record(process))
		}
	}
	rc.mux.HandleFunc("GET /received", rc.list)
	rc.mux.HandleFunc("DELETE /received", rc.forget)
	rc.mux.HandleFunc("GET /{$}", index)
	return rc
}

// ServeHTTP implements [http.Handler].
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) { rc.mux.ServeHTTP(w, r) }

// Close ends all waiting: for callbacks, and for delays to pass. It is safe to call more than once, and suits
// [http.Server.RegisterOnShutdown].
func (rc *Receiver) Close() { rc.close() }

func (rc *Receiver) forget(w http.ResponseWriter, _ *http.Request) {
	rc.history.clear()
	w.WriteHeader(http.StatusNoContent)
}

func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, `This is the sample receiver of callbacks.

Give one of these as your callback_url:
  /callbacks/order-status  /callbacks/reports  /callbacks/image  /callbacks/payment  /callbacks/webhook

See what came:
  GET /received                                everything, oldest first
  GET /received?order_id=ord_...&wait=10s      wait until that order has ended
  DELETE /received                             forget it all

Ask for faults in the callback_url:
  ?fail=2                    the first two attempts fail
  ?status=503&retry_after=2  busy, come again in two seconds
  ?delay=3s                  answer slowly
  ?drop=1                    reset the connection
`)
}
