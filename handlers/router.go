package handlers

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"petstore/docs"
	"petstore/handlers/socketio"
)

// Config is what the routes need.
type Config struct {
	Products products
	Orders   orders
	Payments interface {
		payments
		refunds
	}
	Images     images
	Reports    reports
	Tasks      tasks
	Deliveries deliveries
	Health     health
	Webhooks   interface {
		webhooks
		webhookActions
	}
	Feed feed
	// Production wants callback URLs to be https, and refuses private addresses.
	Production bool
	// ReceiverURL is where the sample receiver listens, "" if it doesn't.
	ReceiverURL string
	// AllowedOrigins are the web pages that may use the API from a browser, beside
	// the server's own, as https://app.example.com; * is any.
	AllowedOrigins []string
	// Heartbeat is how often something is sent on an idle stream (0: 15 s), and
	// WritePatience how long a client may take to accept it (0: 10 s).
	Heartbeat, WritePatience time.Duration
}

// API is the whole API over HTTP.
type API struct {
	http.Handler
	gate    *gate
	sockets *socketio.Server
}

// Close ends all streams and sockets, and waits until they have ended. They are
// not for http.Server.Shutdown to end: it waits for streams, which last, and
// knows nothing of sockets.
func (a *API) Close(ctx context.Context) error {
	return errors.Join(a.sockets.Close(ctx), a.gate.close(ctx))
}

// handler answers a request, or returns why it can't. Errors are rendered in one
// place, see fail.
type handler func(c *gin.Context) error

// route is one line of the table.
type route struct {
	method, path string
	handle       handler
}

// routes is the whole API.
func (cfg Config) routes(g *gate, l *live) []route { //nolint:funlen // a table
	p := productHandlers{products: cfg.Products}
	pay := cfg.paymentHandlers()
	re := refundHandlers{refunds: cfg.Payments, tasks: cfg.Tasks, production: cfg.Production}
	i := cfg.imageHandlers()
	o := cfg.orderHandlers()
	r := cfg.reportHandlers()
	t := taskHandlers{tasks: cfg.Tasks}
	d := deliveryHandlers{deliveries: cfg.Deliveries}
	w := webhookHandlers{webhooks: cfg.Webhooks, production: cfg.Production}
	wa := webhookActionHandlers{actions: cfg.Webhooks}
	h := healthHandlers{health: cfg.Health}
	s := streamHandlers{feed: cfg.Feed, orders: cfg.Orders, tasks: cfg.Tasks, gate: g, heartbeat: cfg.Heartbeat, patience: cfg.WritePatience}
	ws := websocketHandlers{live: l, gate: g, origins: cfg.origins(), heartbeat: cfg.Heartbeat, patience: cfg.WritePatience}
	return []route{
		{"GET", "/api/products", p.list},
		{"POST", "/api/products", p.create},
		{"GET", "/api/products/:product_id", p.get},
		{"PUT", "/api/products/:product_id", p.replace},
		{"PATCH", "/api/products/:product_id", p.patch},
		{"DELETE", "/api/products/:product_id", p.delete},

		{"GET", "/api/orders", o.list},
		{"POST", "/api/orders", o.create},
		{"GET", "/api/orders/:order_id", o.get},
		{"PUT", "/api/orders/:order_id", o.replace},
		{"PATCH", "/api/orders/:order_id", o.patch},
		{"DELETE", "/api/orders/:order_id", o.delete},
		{"POST", "/api/orders/:order_id/cancel", o.cancel},

		{"GET", "/api/payments", pay.list},
		{"POST", "/api/payments", pay.create},
		{"GET", "/api/payments/:payment_id", pay.get},
		{"DELETE", "/api/payments/:payment_id", pay.delete},
		{"GET", "/api/payments/:payment_id/refunds", re.list},
		{"POST", "/api/payments/:payment_id/refunds", re.create},
		{"GET", "/api/payments/:payment_id/refunds/:refund_id", re.get},
		{"GET", "/api/images", i.list},
		{"POST", "/api/images/process", i.create},
		{"GET", "/api/images/:image_id", i.get},
		{"PUT", "/api/images/:image_id", i.replace},
		{"PATCH", "/api/images/:image_id", i.patch},
		{"DELETE", "/api/images/:image_id", i.delete},
		{"POST", "/api/images/:image_id/cancel", i.cancel},
		{"GET", "/api/images/:image_id/:variant", i.picture},
		{"GET", "/api/orders/stream", s.followOrders},
		{"GET", "/api/tasks/stream", s.followTasks},
		{"GET", "/api/ws", ws.serve},

		{"GET", "/api/reports", r.list},
		{"POST", "/api/reports", r.create},
		{"GET", "/api/reports/:report_id", r.get},
		{"DELETE", "/api/reports/:report_id", r.delete},
		{"GET", "/api/reports/:report_id/download", r.download},

		{"GET", "/api/tasks/:task_id", t.get},
		{"GET", "/api/tasks/:task_id/updates", t.updates},

		{"GET", "/api/callbacks", d.list},
		{"GET", "/api/callbacks/hosts", d.hosts},
		{"GET", "/api/callbacks/:delivery_id", d.get},
		{"POST", "/api/callbacks/:delivery_id/redeliver", d.redeliver},
		{"POST", "/api/callbacks/redeliver", d.redeliverAll},

		{"GET", "/api/webhooks", w.list},
		{"POST", "/api/webhooks", w.create},
		{"GET", "/api/webhooks/:webhook_id", w.get},
		{"PUT", "/api/webhooks/:webhook_id", w.replace},
		{"PATCH", "/api/webhooks/:webhook_id", w.patch},
		{"DELETE", "/api/webhooks/:webhook_id", w.delete},
		{"POST", "/api/webhooks/:webhook_id/rotate", wa.rotate},
		{"POST", "/api/webhooks/:webhook_id/ping", wa.ping},
		{"POST", "/api/webhooks/:webhook_id/replay", wa.replay},

		{"GET", "/health", h.get},
	}
}

func (cfg Config) orderHandlers() orderHandlers {
	return orderHandlers{orders: cfg.Orders, tasks: cfg.Tasks, production: cfg.Production}
}

func (cfg Config) paymentHandlers() paymentHandlers {
	return paymentHandlers{payments: cfg.Payments, tasks: cfg.Tasks, production: cfg.Production}
}

func (cfg Config) imageHandlers() imageHandlers {
	return imageHandlers{images: cfg.Images, tasks: cfg.Tasks, production: cfg.Production}
}

func (cfg Config) reportHandlers() reportHandlers {
	return reportHandlers{reports: cfg.Reports, tasks: cfg.Tasks, production: cfg.Production}
}

func (cfg Config) origins() origins {
	return origins{allowed: cfg.AllowedOrigins, local: !cfg.Production}
}

// starters are the kinds of slow work that a socket can begin.
func (cfg Config) starters() map[string]starter {
	return map[string]starter{
		kindOrder:  cfg.orderHandlers().start,
		kindReport: cfg.reportHandlers().start,
		"image":    cfg.imageHandlers().start,
		"payment":  cfg.paymentHandlers().start,
	}
}

// New returns the handler of the whole server.
func New(cfg Config) *API {
	cfg.Heartbeat = cmp.Or(cfg.Heartbeat, heartbeatEvery)
	cfg.WritePatience = cmp.Or(cfg.WritePatience, writePatience)
	g := newGate(maxStreams)
	l := &live{feed: cfg.Feed, tasks: cfg.Tasks, starters: cfg.starters()}
	sockets := newSocketIO(l, cfg.origins())
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false // a redirected POST would lose its body
	engine.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, p any) { panicked(c, p) }))
	engine.Use(cfg.origins().share)
	for _, r := range cfg.routes(g, l) {
		engine.Handle(r.method, r.path, adapt(r.handle))
		if r.method == http.MethodGet {
			engine.HEAD(r.path, adapt(r.handle)) // net/http leaves out the body
		}
	}
	engine.Match([]string{"GET", "POST", "OPTIONS"}, "/socket.io/", gin.WrapH(sockets))
	page := pageHandlers{receiverURL: cfg.ReceiverURL}
	engine.GET("/", adapt(page.index))
	engine.GET("/openapi.yaml", gin.WrapF(docs.ServeYAML(cfg.ReceiverURL)))
	engine.GET("/openapi.json", gin.WrapF(docs.ServeJSON(cfg.ReceiverURL)))
	engine.GET("/docs", func(c *gin.Context) { c.Redirect(http.StatusPermanentRedirect, "docs/") })
	engine.GET("/docs/*path", gin.WrapH(http.StripPrefix("/docs", docs.UI(cfg.ReceiverURL))))
	engine.NoRoute(adapt(func(c *gin.Context) error { return errNoRoute(c.Request) }))
	engine.NoMethod(adapt(otherMethod))
	return &API{Handler: engine, gate: g, sockets: sockets}
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
	return errNoMethod(c.Request)
}

func panicked(c *gin.Context, p any) {
	slog.Error("A handler panicked.", "method", c.Request.Method, "path", c.Request.URL.Path, "panic", p)
	if !c.Writer.Written() {
		writeProblem(c, internalProblem())
	}
	c.Abort()
}
