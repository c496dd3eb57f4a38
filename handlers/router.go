package handlers

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"petstore/callbacks"
	"petstore/callbacks/origin"
	"petstore/docs"
	"petstore/handlers/socketio"
)

// Config is what the API needs.
type Config struct {
	// Resources are its nouns, each with a file of its own in this package.
	Resources []Resource
	Tasks     tasks
	Health    health
	Feed      feed
	// Policy says where callbacks may go, and whence pictures may come.
	Policy callbacks.Policy
	// ReceiverURL is where the sample receiver listens, "" if it doesn't.
	ReceiverURL string
	// Receiver is its handler, nil if there is none: what it got can be read below /receiver/, and an inbox be set, for
	// pages that cannot reach it where it listens.
	Receiver http.Handler
	// Hosts are the names of this server; others are answered 421.
	Hosts origin.Hosts
	// PublicURL is where browsers find this server, "" if that is where its requests say. A path in it is one that
	// a proxy takes away, see [ParsePrefix].
	PublicURL string
	// AllowedOrigins are the web pages that may use the API from a browser, beside
	// the server's own.
	AllowedOrigins []origin.Origin
	// Heartbeat is how often something is sent on an idle stream (0: 15 s), and
	// WriteTimeout how long a client may take to accept it (0: 10 s).
	Heartbeat, WriteTimeout time.Duration
}

// Resource adds the routes of one noun.
type Resource func(a *API)

// API is the whole API over HTTP.
type API struct {
	http.Handler
	cfg         Config
	engine      *gin.Engine
	connections *connections
	loads       *loads
	starters    map[string]taskStarter // by kind
	sockets     *socketio.Server
}

// Close ends all streams and sockets, and waits until they have ended. They are
// not for http.Server.Shutdown to end: it waits for streams, which last, and
// knows nothing of sockets.
func (a *API) Close(ctx context.Context) error {
	return errors.Join(a.sockets.Close(ctx), a.connections.close(ctx))
}

// New returns the handler of the whole server.
func New(cfg Config) *API {
	cfg.Heartbeat = cmp.Or(cfg.Heartbeat, heartbeatEvery)
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, writeTimeout)
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false // a redirected POST would lose its body
	public, prefix := splitPublic(cfg.PublicURL)
	pages := origin.Policy{Hosts: cfg.Hosts, Public: public, Allowed: cfg.AllowedOrigins, Local: cfg.Policy.PrivateAddresses}
	loads := newLoads()
	engine.Use(nameRequest, gin.CustomRecoveryWithWriter(nil, panicked), loads.count, admit(pages), setPrefix(prefix))
	a := &API{
		Handler: engine, cfg: cfg, engine: engine, loads: loads, connections: newConnections(maxStreams), starters: map[string]taskStarter{},
	}
	for _, add := range cfg.Resources {
		add(a)
	}
	a.taskRoutes()
	live := &live{bytes: loads.bytes, feed: cfg.Feed, tasks: cfg.Tasks, starters: a.starters}
	a.sockets = newSocketIO(live, pages)
	engine.Match([]string{"GET", "POST", "OPTIONS"}, "/socket.io/", serveForeign(a.sockets))
	ws := websocketHandlers{live: live, connections: a.connections, mayUse: pages.Allow, heartbeat: cfg.Heartbeat, writeTimeout: cfg.WriteTimeout}
	a.group("/api/ws").get("", ws.serve)
	a.group("/health").get("", healthHandlers{health: cfg.Health}.get)
	a.pages()
	engine.NoRoute(adapt(func(c *gin.Context) error { return errNoRoute(c.Request) }))
	engine.NoMethod(adapt(otherMethod))
	return a
}

// pages are for browsers.
func (a *API) pages() {
	read := []string{http.MethodGet, http.MethodHead}
	lab := docs.Lab(a.cfg.ReceiverURL, senders())
	a.engine.Match(read, "/", adapt(pageHandlers{receiverURL: a.cfg.ReceiverURL, lab: lab}.index))
	a.engine.Match(read, "/lab/*path", serveForeign(lab))
	ui := docs.UI(a.cfg.ReceiverURL)
	for _, contract := range []string{"/openapi.yaml", "/openapi.json", "/asyncapi.yaml"} {
		a.engine.Match(read, contract, adapt(countContract), serveForeign(ui))
	}
	a.engine.Match(read, "/docs", func(c *gin.Context) { c.Redirect(http.StatusPermanentRedirect, withPrefix(c, "/docs/")) })
	a.engine.Match(read, "/docs/*path", adapt(countContract), serveForeign(http.StripPrefix("/docs", ui)))
	if a.cfg.Receiver != nil {
		receiver := serveForeign(http.StripPrefix("/receiver", a.cfg.Receiver))
		a.engine.Match(read, "/receiver/*path", receiver)
		a.engine.PUT("/receiver/inboxes/:inbox", receiver) // it takes settings from no page of another origin
	}
}

// handler answers a request, or returns why it can't. Errors are rendered in one
// place, see fail.
type handler func(c *gin.Context) error

// group is a gin.RouterGroup for handlers that return errors.
type group struct {
	*gin.RouterGroup
	item string // the parameter of the path that names a resource
	tag  tagger // finds its ETag
}

// group begins the routes below a path.
func (a *API) group(path string) group { return group{RouterGroup: a.engine.Group(path)} }

// tagged has requests that change or remove a resource held to their preconditions.
func (g group) tagged(item string, tag tagger) group { return group{g.RouterGroup, item, tag} }

func (g group) get(path string, h handler) {
	g.GET(path, adapt(h))
	g.HEAD(path, adapt(h)) // net/http leaves out the body
}

func (g group) post(path string, h handler)   { g.POST(path, g.guarded(path, h)) }
func (g group) put(path string, h handler)    { g.PUT(path, g.guarded(path, h)) }
func (g group) patch(path string, h handler)  { g.PATCH(path, g.guarded(path, h)) }
func (g group) delete(path string, h handler) { g.DELETE(path, g.guarded(path, h)) }

func (g group) guarded(path string, h handler) gin.HandlerFunc {
	if g.tag != nil && strings.HasPrefix(path, "/:"+g.item) {
		h = guard(g.item, g.tag, h)
	}
	return adapt(h)
}

// adapt makes a gin handler of one that returns an error.
func adapt(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			fail(c, err)
		}
	}
}

// otherMethod answers OPTIONS (RFC 9110, section 9.3.7) and refuses the rest.
// Gin has set the Allow header.
func otherMethod(c *gin.Context) error {
	if c.Request.Method == http.MethodOptions {
		c.Status(http.StatusNoContent)
		return nil
	}
	return errNoMethod(c.Writer, c.Request)
}

func panicked(c *gin.Context, p any) {
	slog.ErrorContext(c.Request.Context(), "A handler panicked.", "method", c.Request.Method, "path", c.Request.URL.Path,
		"panic", p, "stack", string(debug.Stack()))
	if !c.Writer.Written() {
		writeProblem(c, internalProblem())
	}
	c.Abort()
}
