package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"petstore/callbacks"
	"petstore/callbacks/receiver"
	"petstore/docs"
	"petstore/handlers"
	"petstore/handlers/bounds"
	"petstore/models"
	"petstore/models/db"
	"petstore/services"
	"petstore/services/blobs"
	"petstore/services/dispatch"
	"petstore/services/fetch"
	"petstore/services/queue/local"
	"petstore/services/queue/river"
	"petstore/services/stream"
	"petstore/services/task"
)

// App is the whole server, put together. Tests start one on port 0 with a
// temporary database, and talk to its URL.
type App struct {
	config Config
	out    io.Writer

	store      *models.Store
	blobs      *blobs.Bucket
	hub        *stream.Hub
	api        *handlers.API
	dispatcher *dispatch.Dispatcher
	queue      queue
	webhooks   *services.Webhooks
	receiver   *receiver.Receiver

	places         *bounds.Places // of connections
	apiServer      *server
	receiverServer *server // nil if there is no receiver
	failed         chan error
	closers        []func(ctx context.Context) error
	background     sync.WaitGroup
	stop           context.CancelFunc // ends what runs in the background
}

// queue runs tasks.
type queue interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}

// New opens the database and the ports, and wires everything. Nothing runs
// before Start.
func New(ctx context.Context, cfg Config, out io.Writer) (_ *App, err error) {
	a := &App{config: cfg, out: out, failed: make(chan error, 2), stop: func() {}, places: bounds.NewPlaces(connectionsFor(descriptors()))}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close(ctx))
		}
	}()
	if err = a.openTemporary(); err != nil {
		return nil, err
	}
	if a.store, err = db.Open(ctx, a.config.DatabaseURL); err != nil {
		return nil, err
	}
	a.onClose(func(context.Context) error { return a.store.Close() })
	if err = a.listenReceiver(); err != nil {
		return nil, err
	}
	return a, a.wire(ctx)
}

// openTemporary makes a folder for a database that is to be forgotten, and for what is kept beside it. It is a file all the
// same, so that nothing behaves otherwise than with one that is kept.
func (a *App) openTemporary() error {
	if a.config.DatabaseURL != ":memory:" {
		return nil
	}
	folder, err := os.MkdirTemp("", "petstore-")
	if err != nil {
		return fmt.Errorf("making a folder for the database: %w", err)
	}
	a.onClose(func(context.Context) error { return os.RemoveAll(folder) })
	a.config.DatabaseURL = filepath.Join(folder, "petstore.db")
	return nil
}

// wire joins the rooms: store, services, handlers.
func (a *App) wire(ctx context.Context) error {
	cfg := a.config
	server := "" // needs no name where it is alone
	if a.store.Shared() {
		server = models.NewID("server_")
	}
	if err := a.openDispatcher(server); err != nil {
		return err
	}
	a.hub = stream.NewHub(a.store)
	tasks := task.NewEngine(a.store, a.hub, a.dispatcher)
	tasks.Register(services.NewPacking(a.store, tasks, cfg.StepDelay))
	payments, err := a.payments(tasks)
	if err != nil {
		return err
	}
	if err := a.openBlobs(); err != nil {
		return err
	}
	fetcher := fetch.New(cfg.policy())
	a.onClose(func(context.Context) error { fetcher.Close(); return nil })
	tasks.Register(services.NewImaging(a.store, a.blobs, fetcher))
	tasks.Register(services.NewReporting(a.store))
	if a.store.Shared() {
		a.queue, err = river.New(ctx, a.store, tasks, server, a.dispatcher.Sweep)
	} else {
		a.queue = local.New(a.store, tasks)
	}
	if err != nil {
		return err
	}
	a.onClose(a.queue.Stop)
	if a.webhooks, err = services.NewWebhooks(ctx, a.store, tasks, a.dispatcher); err != nil {
		return err
	}
	products := services.NewProducts(a.store)
	if err := products.Seed(ctx); err != nil {
		return fmt.Errorf("seeding the catalogue: %w", err)
	}
	return a.serveAPI(tasks, []handlers.Resource{
		handlers.Products(products),
		handlers.Orders(services.NewOrders(a.store, tasks)),
		handlers.Reports(services.NewReports(a.store, tasks)),
		handlers.Images(services.NewImages(a.store, tasks, a.blobs)),
		handlers.Payments(payments),
		handlers.Deliveries(services.NewDeliveries(a.store, a.dispatcher)),
		handlers.Webhooks(a.webhooks),
	})
}

// serveAPI joins the resources to HTTP, and listens.
func (a *App) serveAPI(tasks *task.Engine, resources []handlers.Resource) (err error) {
	cfg := a.config
	origins, err := cfg.origins()
	if err != nil {
		return err
	}
	edge := handlers.Config{
		Resources: resources,
		Tasks:     tasks, Health: a.store, Feed: stream.NewFeed(a.store, a.hub),
		Policy: cfg.policy(), ReceiverURL: a.ReceiverURL(), Hosts: cfg.hosts(), PublicURL: cfg.PublicURL, AllowedOrigins: origins,
	}
	if a.receiver != nil { // a nil pointer would be a handler that is not nil
		edge.Receiver = a.receiver
	}
	a.api = handlers.New(edge)
	a.onClose(func(ctx context.Context) error { return errors.Join(a.api.Close(ctx), stopServer(ctx, a.apiServer)) })
	a.apiServer, err = listen("ADDR", cfg.Addr, a.places, a.api)
	return err
}

// openDispatcher makes what sends callbacks.
func (a *App) openDispatcher(server string) error {
	schedule, err := a.config.schedule()
	if err != nil {
		return err
	}
	sender := callbacks.NewSender(callbacks.SenderOptions{Policy: a.config.policy(), Timeout: a.config.CallbackTimeout})
	a.onClose(func(context.Context) error { sender.Close(); return nil })
	a.dispatcher = dispatch.New(a.store, dispatch.Options{Sender: sender, Schedule: schedule, Secret: a.config.CallbackSecret, Server: server})
	a.onClose(func(context.Context) error { a.dispatcher.Stop(); return nil })
	return nil
}

func (a *App) openBlobs() error {
	url, err := a.config.blobURL()
	if err != nil {
		return err
	}
	if a.blobs, err = blobs.Open(a.store, url); err != nil {
		return err
	}
	a.onClose(func(context.Context) error { return a.blobs.Close() })
	return nil
}

func (a *App) listenReceiver() (err error) {
	if a.config.ReceiverAddr == "" || a.config.production() {
		return nil
	}
	pages, err := a.config.origins()
	if err != nil {
		return err
	}
	a.receiver = receiver.New(receiver.Options{
		Secret: a.config.CallbackSecret, Out: a.out, AllowedOrigins: pages, AllowedHosts: words(a.config.AllowedHosts), ServerURL: a.publicURL,
	})
	a.onClose(func(ctx context.Context) error { a.receiver.Close(); return stopServer(ctx, a.receiverServer) })
	settings := receiver.Settings{Secret: a.config.CallbackSecret, Contract: docs.JSON()} // for verdicts on what comes
	if err := a.receiver.Configure("default", settings); err != nil {
		return err
	}
	a.receiverServer, err = listen("RECEIVER_ADDR", a.config.ReceiverAddr, a.places, nil)
	if err == nil {
		a.receiverServer.Server, a.receiverServer.listener = a.receiver.Server(), receiver.Listen(a.receiverServer.listener)
	}
	return err
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

// publicURL is where clients find the API. It is known when the API listens.
func (a *App) publicURL() string { return cmp.Or(strings.TrimSuffix(a.config.PublicURL, "/"), a.URL()) }

// ReceiverURL is where the sample receiver is, "" if there is none.
func (a *App) ReceiverURL() string {
	if a.receiverServer == nil {
		return ""
	}
	return urlOf(a.receiverServer.listener.Addr())
}

// onClose adds what Close does before all that was added earlier.
func (a *App) onClose(f func(ctx context.Context) error) { a.closers = append(a.closers, f) }

// Close stops everything in the reverse of the order in which it was wired, the order in
// which work flows: nobody follows any more, which answers whoever waits; no more
// requests, then no more jobs, then nobody to call back, then the database. Streams
// resume where they were. What is unfinished is in the database, and resumed at the next
// start. It may be called on an App that was never started, or only half made.
func (a *App) Close(ctx context.Context) error {
	a.stop()
	a.background.Wait()
	if a.hub != nil {
		a.hub.Close()
	}
	var errs []error
	for _, f := range slices.Backward(a.closers) {
		errs = append(errs, f(ctx))
	}
	return errors.Join(errs...)
}

// ready is what -ready-json prints.
func (a *App) ready() string {
	line, _ := json.Marshal(struct { // Strings always marshal.
		API      string `json:"api_url"`
		Receiver string `json:"receiver_url,omitempty"`
	}{a.URL(), a.ReceiverURL()})
	return string(line)
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
