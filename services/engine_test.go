package services

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/models/db"
	"petstore/models/postgrestest"
	"petstore/services/dispatch"
	"petstore/services/queue/local"
	"petstore/services/queue/river"
	"petstore/services/stream"
	"petstore/services/task"
)

const testSecret = "a secret of the tests"

// engine is everything behind the HTTP edge, on a database of its own.
type engine struct {
	t          testing.TB
	options    options
	store      *models.Store
	sender     *callbacks.Sender
	hub        *stream.Hub
	dispatcher *dispatch.Dispatcher
	tasks      *task.Engine
	queue      queue
	orders     *Orders
	products   *Products
	deliveries *Deliveries
	stopped    bool
}

// options differ from test to test; the zero value does work at once, and
// retries thrice, soon.
type options struct {
	url        string // of the database; by default a new SQLite file
	step       time.Duration
	waits      []time.Duration
	timeout    time.Duration // of an exchange
	sweepEvery time.Duration
	operations []task.Operation
	register   func(e *engine)
	idle       bool // start neither the queue nor the dispatcher
}

type queue interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}

// serverName names a server where there may be others.
func serverName(store *models.Store) string {
	if store.Shared() {
		return models.NewID("server_")
	}
	return ""
}

// newQueue is the queue for a store.
func newQueue(t testing.TB, store *models.Store, tasks *task.Engine, d *dispatch.Dispatcher, server string) queue {
	t.Helper()
	if !store.Shared() {
		return local.New(store, tasks)
	}
	q, err := river.New(within(t), store, tasks, server, d.Sweep)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// newDatabase is the URL of an empty database, on PostgreSQL where that is what
// is tested.
func newDatabase(t testing.TB) string {
	t.Helper()
	if strings.HasPrefix(t.Name(), onPostgres+"/") {
		return postgrestest.URL(t)
	}
	return filepath.Join(t.TempDir(), "test.db")
}

// newEngine starts an engine, which stops with the test.
func newEngine(t testing.TB, o options) *engine {
	t.Helper()
	if o.url == "" {
		o.url = newDatabase(t)
	}
	if o.waits == nil {
		o.waits = []time.Duration{time.Millisecond, 2 * time.Millisecond, 3 * time.Millisecond}
	}
	e := &engine{t: t, options: o}
	ctx := within(t)
	var err error
	if e.store, err = db.Open(ctx, o.url); err != nil {
		t.Fatal(err)
	}
	e.hub = stream.NewHub(e.store)
	e.sender = callbacks.NewSender(callbacks.SenderOptions{Policy: callbacks.DevelopmentPolicy(), Timeout: o.timeout})
	server := serverName(e.store)
	e.dispatcher = dispatch.New(e.store, dispatch.Options{
		Sender: e.sender, Schedule: callbacks.Schedule{Waits: o.waits}, Secret: testSecret, Server: server, SweepEvery: o.sweepEvery,
	})
	e.tasks = task.NewEngine(e.store, e.hub, e.dispatcher)
	e.tasks.Register(NewPacking(e.store, e.tasks, o.step))
	for _, op := range o.operations {
		e.tasks.Register(op)
	}
	if o.register != nil {
		o.register(e)
	}
	e.queue = newQueue(t, e.store, e.tasks, e.dispatcher, server)
	e.orders, e.products, e.deliveries = NewOrders(e.store, e.tasks), NewProducts(e.store), NewDeliveries(e.store, e.dispatcher)
	t.Cleanup(e.stop)
	if !o.idle {
		e.start()
	}
	return e
}

func (e *engine) start() {
	e.t.Helper()
	if err := e.queue.Start(within(e.t)); err != nil {
		e.t.Fatal(err)
	}
	e.dispatcher.Start()
}

// drain stops the queue, and returns when the jobs that ran have written down
// everything.
func (e *engine) drain() {
	e.t.Helper()
	if err := e.queue.Stop(within(e.t)); err != nil {
		e.t.Error(err)
	}
	e.dispatcher.Stop()
}

func (e *engine) stop() {
	if e.stopped {
		return
	}
	e.stopped = true
	e.drain()
	e.hub.Close()
	e.sender.Close()
	if err := e.store.Close(); err != nil {
		e.t.Error(err)
	}
}

// restart stops the engine, and returns another one on the same database.
func (e *engine) restart(change func(*options)) *engine {
	e.t.Helper()
	e.stop()
	o := e.options
	o.idle = false
	if change != nil {
		change(&o)
	}
	return newEngine(e.t, o)
}

// testKind is the kind of the operations that tests make up.
const testKind = "test"

func operation(run func(ctx context.Context, t *models.Task, report task.Progress) (any, error)) task.Operation {
	return task.Operation{Kind: testKind, Run: run}
}

// begin stores a task of testKind.
func (e *engine) begin(callbackURL string) models.Task {
	e.t.Helper()
	draft, err := e.tasks.Draft(models.Task{Kind: testKind, ResourceID: "ord_test", CallbackURL: callbackURL, Message: "Begun"})
	if err == nil {
		err = e.store.InTx(within(e.t), func(tx *models.Tx) error { return e.tasks.Begin(tx, draft) })
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return draft.Task
}

// product stores a product of which there are stock.
func (e *engine) product(slug string, stock int64) models.Product {
	e.t.Helper()
	p, err := e.products.Create(within(e.t), models.Product{Slug: slug, Name: slug, Price: 250, Currency: "USD", Stock: stock})
	if err != nil {
		e.t.Fatal(err)
	}
	return p
}

// order places an order for one of each of the products.
func (e *engine) order(callbackURL string, slugs ...string) models.Order {
	e.t.Helper()
	var lines []models.OrderLine
	for _, slug := range slugs {
		lines = append(lines, models.OrderLine{Product: slug, Quantity: 1, Field: "product"})
	}
	order, err := e.orders.Create(within(e.t), models.NewOrder{
		Lines: lines, Task: models.Task{CallbackURL: callbackURL, Metadata: models.Metadata{"cart": "7"}},
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return order
}

// ended waits for the end of a task.
func (e *engine) ended(taskID string) models.Task {
	e.t.Helper()
	task, err := e.tasks.Wait(within(e.t), taskID, patienceOfTests)
	if err != nil {
		e.t.Fatal(err)
	}
	if !task.Ended() {
		e.t.Fatalf("task %s did not end: %d %%, %s", taskID, task.Progress, task.Message)
	}
	return task
}

func (e *engine) stock(slug string) int64 {
	e.t.Helper()
	p, err := e.products.Get(within(e.t), slug)
	if err != nil {
		e.t.Fatal(err)
	}
	return p.Stock
}

func (e *engine) updates(taskID string) []models.Update {
	e.t.Helper()
	updates, err := e.tasks.Updates(within(e.t), taskID, models.Page{Limit: models.MaxUpdates})
	if err != nil {
		e.t.Fatal(err)
	}
	return updates.Items
}

// sent lists the deliveries of a task, oldest first.
func (e *engine) sent(taskID string) []models.Delivery {
	e.t.Helper()
	list, err := e.deliveries.List(within(e.t), models.DeliveryFilter{TaskID: taskID}, models.Page{Limit: models.MaxLimit})
	if err != nil {
		e.t.Fatal(err)
	}
	slices.Reverse(list.Items)
	return list.Items
}

// lastSent is the delivery of the newest update of a task, with its attempts.
func (e *engine) lastSent(taskID string) (models.Delivery, []models.Attempt) {
	e.t.Helper()
	all := e.sent(taskID)
	if len(all) == 0 {
		e.t.Fatalf("task %s has no deliveries", taskID)
	}
	d, attempts, err := e.deliveries.Get(within(e.t), all[len(all)-1].ID, models.Page{Limit: 100})
	if err != nil {
		e.t.Fatal(err)
	}
	return d, attempts.Items
}

// exec runs a statement, to put the database into a state that a crash leaves.
func (e *engine) exec(statement string, args ...any) {
	e.t.Helper()
	err := e.store.InTx(within(e.t), func(tx *models.Tx) error { return tx.Exec(statement, args...).Error })
	if err != nil {
		e.t.Fatal(err)
	}
}
