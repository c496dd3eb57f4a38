package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/receiver"
	"petstore/handlers"
	"petstore/models"
	"petstore/models/db"
	"petstore/services"
	"petstore/services/blobs"
	"petstore/services/dispatch"
	"petstore/services/fetch"
	"petstore/services/queue/local"
	"petstore/services/queue/river"
	"petstore/services/stream"
	"petstore/services/stripesandbox"
	"petstore/services/task"
)

// App is the whole server, put together. Tests start one on port 0 with a
// temporary database, and talk to its URL.
type App struct {
	config Config
	out    io.Writer

	store      *models.Store
	sender     *callbacks.Sender
	blobs      *blobs.Bucket
	fetcher    *fetch.Client
	hub        *stream.Hub
	api        *handlers.API
	dispatcher *dispatch.Dispatcher
	queue      queue
	webhooks   *services.Webhooks
	receiver   *receiver.Receiver
	sandbox    *stripesandbox.Sandbox

	apiServer      *server
	receiverServer *server // nil if there is no receiver
	failed         chan error
	background     sync.WaitGroup
	stop           context.CancelFunc // ends what runs in the background
}

// queue runs tasks.
type queue interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}

// server is an http.Server and where it listens.
type server struct {
	*http.Server
	listener net.Listener
}

// New opens the database and the ports, and wires everything. Nothing runs
// before Start.
func New(ctx context.Context, cfg Config, out io.Writer) (_ *App, err error) {
	a := &App{config: cfg, out: out, failed: make(chan error, 2), stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close(ctx))
		}
	}()
	if a.store, err = db.Open(ctx, cfg.DatabaseURL); err != nil {
		return nil, err
	}
	if err = a.listenReceiver(); err != nil {
		return nil, err
	}
	return a, a.wire(ctx)
}

// wire joins the rooms: store, services, handlers.
func (a *App) wire(ctx context.Context) error {
	cfg := a.config
	schedule := callbacks.DevelopmentSchedule()
	if cfg.production() {
		schedule = callbacks.ProductionSchedule()
	}
	a.sender = callbacks.NewSender(callbacks.SenderOptions{Policy: cfg.policy()})
	a.hub = stream.NewHub(a.store)
	server := "" // needs no name where it is alone
	if a.store.Shared() {
		server = models.NewID("server_")
	}
	a.dispatcher = dispatch.New(a.store, dispatch.Options{Sender: a.sender, Schedule: schedule, Secret: cfg.CallbackSecret, Server: server})
	tasks := task.NewEngine(a.store, a.hub, a.dispatcher)
	tasks.Register(services.NewPacking(a.store, cfg.StepDelay))
	payments, err := a.payments(tasks)
	if err != nil {
		return err
	}
	if err := a.openBlobs(ctx); err != nil {
		return err
	}
	a.fetcher = fetch.New(cfg.policy())
	tasks.Register(services.NewImaging(a.store, a.blobs, a.fetcher))
	tasks.Register(services.NewReporting(a.store))
	if a.store.Shared() {
		a.queue, err = river.New(ctx, a.store, tasks, server, a.dispatcher.Sweep)
	} else {
		a.queue = local.New(a.store, tasks)
	}
	if err != nil {
		return err
	}
	if a.webhooks, err = services.NewWebhooks(ctx, a.store, tasks, a.dispatcher); err != nil {
		return err
	}
	products := services.NewProducts(a.store)
	if err := products.Seed(ctx); err != nil {
		return fmt.Errorf("seeding the catalogue: %w", err)
	}
	a.api = handlers.New(handlers.Config{
		Resources: []handlers.Resource{
			handlers.Products(products),
			handlers.Orders(services.NewOrders(a.store, tasks)),
			handlers.Reports(services.NewReports(a.store, tasks)),
			handlers.Images(services.NewImages(a.store, tasks, a.blobs)),
			handlers.Payments(payments),
			handlers.Deliveries(services.NewDeliveries(a.store, a.dispatcher)),
			handlers.Webhooks(a.webhooks),
		},
		Tasks: tasks, Health: a.store, Feed: stream.NewFeed(a.store, a.hub),
		Policy: cfg.policy(), ReceiverURL: a.ReceiverURL(), AllowedOrigins: cfg.origins(),
	})
	a.apiServer, err = listen("ADDR", cfg.Addr, a.api)
	return err
}

func (a *App) openBlobs(ctx context.Context) error {
	url, err := a.config.blobURL()
	if err == nil {
		a.blobs, err = blobs.Open(ctx, a.store, url)
	}
	return err
}

func (a *App) listenReceiver() (err error) {
	if a.config.ReceiverAddr == "" || a.config.production() {
		return nil
	}
	a.receiver = receiver.New(receiver.Options{Secret: a.config.CallbackSecret, Out: a.out})
	a.receiverServer, err = listen("RECEIVER_ADDR", a.config.ReceiverAddr, a.receiver)
	return err
}

// listen takes the address that a setting names.
func listen(setting, addr string, handler http.Handler) (*server, error) {
	listener, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("something listens on %s already: stop that, or set %s to another address", addr, setting)
	case err != nil:
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	return &server{listener: listener, Server: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}}, nil
}

// Start takes up what an earlier process left behind, and serves.
func (a *App) Start(ctx context.Context) error {
	if err := a.queue.Start(ctx); err != nil {
		return err
	}
	a.dispatcher.Start()
	ctx, a.stop = context.WithCancel(ctx)
	a.background.Go(func() { a.webhooks.Follow(ctx) })
	a.background.Go(func() { services.NewRetention(a.store, a.config.Retention).Run(ctx) })
	a.blobs.Start()
	for _, s := range []*server{a.receiverServer, a.apiServer} {
		if s != nil {
			go a.serve(s)
		}
	}
	return nil
}

func (a *App) serve(s *server) {
	if err := s.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		a.failed <- fmt.Errorf("serving %s: %w", s.listener.Addr(), err)
	}
}

// Failed tells if a server stopped by itself.
func (a *App) Failed() <-chan error { return a.failed }

// URL is where the API is.
func (a *App) URL() string { return urlOf(a.apiServer.listener.Addr()) }

// ReceiverURL is where the sample receiver is, "" if there is none.
func (a *App) ReceiverURL() string {
	if a.receiverServer == nil {
		return ""
	}
	return urlOf(a.receiverServer.listener.Addr())
}

// Close stops in the order in which work flows: nobody follows any more, which
// answers whoever waits; no more requests, then no more jobs, then nobody to call
// back, then the database. Streams resume where they were. What is
// unfinished is in the database, and resumed at the next start. It may be called
// on an App that was never started, or only half made.
func (a *App) Close(ctx context.Context) error {
	var errs []error
	a.stop()
	a.background.Wait()
	if a.hub != nil {
		a.hub.Close()
	}
	if a.api != nil {
		errs = append(errs, a.api.Close(ctx))
	}
	errs = append(errs, stopServer(ctx, a.apiServer))
	if a.queue != nil {
		errs = append(errs, a.queue.Stop(ctx))
	}
	if a.dispatcher != nil {
		a.dispatcher.Stop()
	}
	if a.receiver != nil {
		a.receiver.Close()
	}
	errs = append(errs, stopServer(ctx, a.receiverServer))
	if a.sender != nil {
		a.sender.Close()
	}
	if a.fetcher != nil {
		a.fetcher.Close()
	}
	if a.blobs != nil {
		errs = append(errs, a.blobs.Close())
	}
	if a.sandbox != nil {
		errs = append(errs, a.sandbox.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}

func stopServer(ctx context.Context, s *server) error {
	if s == nil {
		return nil
	}
	err := s.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.Close()
	}
	if closed := s.listener.Close(); err == nil && !errors.Is(closed, net.ErrClosed) {
		err = closed
	}
	return err
}

// greeting says what runs where, and what to try first.
func (a *App) greeting() string {
	text := fmt.Sprintf("Petstore listens at %s, its API is described at %s/docs/\n", a.URL(), a.URL())
	if a.receiver == nil {
		return text
	}
	return text + fmt.Sprintf(`The sample receiver listens at %[2]s and prints every callback here. Try:

  curl -i %[1]s/api/orders -H 'Content-Type: application/json' \
       -d '{"product":"dog-food","callback_url":"%[2]s/callbacks/order-status"}'

`, a.URL(), a.ReceiverURL())
}
