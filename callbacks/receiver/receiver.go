// Package receiver is the sample receiver of callbacks: for learners to watch them come, for testers to wait for
// them and to judge whoever sends them, and for all to see what happens when a receiver is out of order.
//
// # The article's routes
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
// # Inboxes
//
// Any other sender is given a URL beneath /in/{inbox}: any method and path are taken there, and answered "OK". An inbox is made
// by its first request, or by PUT /inboxes/{inbox} with [Settings]; with a secret and refuse_unverified it answers 401 to what
// the secret does not verify. What came is listed at
// /inboxes/{inbox}/requests, to the byte, with filters and with waiting, and told of as it comes at
// /inboxes/{inbox}/stream. The article's routes are the inbox "default"; what is for no route and no inbox is listed
// in "unmatched". The oldest requests go when there are too many: see [Limits].
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
// They combine: with fail, status and drop hold for the first attempts only, as in ?fail=1&drop=1. To the article's
// routes, other parameters are answered 400; beneath /in/ they are the sender's own. More faults are in [Step], and change at
// run time.
//
// # Who may look
//
// Callbacks come from anywhere. What came is shown, and settings are made, only under a Host that is this machine, and
// for no web page of another origin: a page can't reach what is here by cross-site requests or DNS rebinding.
// Requests are passed on to this machine only, unless [Options.Targets] allows more.
package receiver

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"petstore/callbacks"
	"petstore/callbacks/origin"
)

// Options configure a [Receiver].
type Options struct {
	// Secret is CALLBACK_SECRET, for the article's routes. Default [callbacks.DevelopmentSecret]; New panics if it is one
	// that [callbacks.CheckSecret] refuses.
	Secret string
	// Out gets one line per request, coloured if it is a terminal; nil is nowhere.
	Out io.Writer
	// AllowedHosts are names under which the receiver shows itself, beside those of this machine.
	AllowedHosts []string
	// AllowedOrigins are web pages that may look and change settings, beside its own.
	AllowedOrigins []origin.Origin
	// Targets are where requests may be passed on to, beside this machine.
	Targets Targets
	// ServerURL is where the Pet Store is that this receiver belongs to, for the commands that its page shows; nil if it
	// belongs to none.
	ServerURL func() string
}

// Receiver is the handler of the sample receiver.
type Receiver struct {
	options        Options
	pages          origin.Policy
	targets        Targets
	callbackRoutes map[string]func(*arrival, *http.Request) // by path
	mux            *http.ServeMux                           // of what the receiver shows of itself
	store          *store
	console        *console
	forwarding     *forwarding
	underWay       *semaphore.Weighted // bytes of requests that are being answered
	configuring    sync.Mutex
	ctx            context.Context // ends with the receiver
	cancel         context.CancelFunc
}

// New returns a Receiver. Close it before the server that runs it waits for its requests.
func New(o Options) *Receiver {
	o.Secret = cmp.Or(o.Secret, callbacks.DevelopmentSecret)
	rc := &Receiver{
		options:        o,
		pages:          origin.Policy{Hosts: origin.NewHosts(":", "", o.AllowedHosts...), Allowed: o.AllowedOrigins}, // any address: none can be rebound
		targets:        o.Targets,
		callbackRoutes: map[string]func(*arrival, *http.Request){},
		console:        newConsole(o.Out),
		forwarding:     newForwarding(),
		underWay:       semaphore.NewWeighted(maxUnderWay),
	}
	rc.store = newStore(limits, rc.firstSetup)
	rc.store.open(DefaultInbox)
	rc.store.open(UnmatchedInbox)
	rc.ctx, rc.cancel = context.WithCancel(context.Background())
	for _, kind := range callbacks.Kinds {
		if kind.Path != "" {
			rc.callbackRoutes[kind.Path] = toRoute(callbacks.Middleware(o.Secret, callbacks.VerifyEither)(http.HandlerFunc(process)))
		}
	}
	rc.mux = rc.routes()
	return rc
}

// Close ends all waiting: for callbacks, for delays to pass, and to pass requests on. It is safe to call more than once,
// and suits [http.Server.RegisterOnShutdown].
func (rc *Receiver) Close() {
	rc.cancel()
	rc.forwarding.close()
}

// Server returns a server of the receiver, with time limits. Its listener should be one of [Listen].
func (rc *Receiver) Server() *http.Server {
	server := &http.Server{
		Handler:           rc,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
		// OPTIONS * is a request like any other.
		DisableGeneralOptionsHandler: true,
	}
	server.RegisterOnShutdown(rc.Close)
	return server
}

// ServeHTTP implements [http.Handler].
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := rc.callbackRoutes[r.URL.Path]
	inbox := inboxOf(r.URL.Path)
	switch {
	case route != nil && r.Method == http.MethodPost:
		rc.capture(w, r, DefaultInbox, route)
	case inbox != "":
		rc.capture(w, r, inbox, toInbox)
	case route == nil && rc.isOwn(r):
		rc.own(w, r)
	case r.Method == http.MethodGet && r.URL.Path == "/favicon.ico":
		http.NotFound(w, r) // A browser asks by itself.
	default:
		rc.capture(w, r, UnmatchedInbox, rc.toNowhere)
	}
}

// isOwn reports whether a request is for the receiver itself. [http.ServeMux] would redirect a path that is not clean.
func (rc *Receiver) isOwn(r *http.Request) bool {
	_, pattern := rc.mux.Handler(r)
	return pattern != "" && path.Clean(r.URL.Path) == r.URL.Path
}

// inboxOf is the inbox that a path is for: mine for /in/mine and /in/mine/anything; "" if it is for none.
func inboxOf(path string) string {
	rest, found := strings.CutPrefix(path, "/in/")
	name, _, _ := strings.Cut(rest, "/")
	if !found || !validInbox(name) {
		return ""
	}
	return name
}

// restOf is what follows the inbox in a path; "" for nothing, and for the article's routes.
func restOf(path string) string {
	rest, found := strings.CutPrefix(path, "/in/")
	_, rest, _ = strings.Cut(rest, "/")
	if !found {
		return ""
	}
	return rest
}

func index(w http.ResponseWriter, _ *http.Request) error {
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

Of any other sender, take anything:
  /in/mine/any/path                            a URL for it; any name instead of mine
  GET /inboxes/mine/requests?wait=10s          wait for one request, and list what came, to the byte
  PUT /inboxes/mine {"script":[{"status":500,"times":2}]}
                                               the first two requests fail
  GET /inboxes/unmatched/requests              what came to no path that there is
`)
	return nil
}
