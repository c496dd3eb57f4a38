package handlers_test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"petstore/callbacks"
	"petstore/callbacks/origin"
	"petstore/handlers"
	"petstore/models"
	"petstore/models/db"
	"petstore/models/postgrestest"
	"petstore/services"
	"petstore/services/blobs"
	"petstore/services/dispatch"
	"petstore/services/fetch"
	"petstore/services/queue/local"
	"petstore/services/queue/river"
	"petstore/services/stream"
	"petstore/services/stripeclient"
	"petstore/services/stripesandbox"
	engine "petstore/services/task"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		postgrestest.Stop()
		os.Exit(code)
	}))
}

const secret = "a secret for tests"

// api is the whole stack beneath the HTTP edge on a database of its own, and a
// client that holds everything it sends and gets against the contract.
type api struct {
	testing.TB
	handler *handlers.API
	url     string
	store   *models.Store
	queue   interface {
		Start(ctx context.Context) error
		Stop(ctx context.Context) error
	}
	dispatcher *dispatch.Dispatcher
	client     *http.Client
}

type settings struct {
	database     string // its URL; by default a new SQLite file
	production   bool
	step         time.Duration // how long an item takes to pack
	schedule     callbacks.Schedule
	origins      []string
	public       string // PUBLIC_URL
	heartbeat    time.Duration
	writeTimeout time.Duration
	unreadable   bool // what tasks tell
}

// newAPI returns a server, put together as in cmd/petstore, that takes orders
// and works on none of them before start: until then they stay as they are.
func newAPI(t testing.TB, s settings) *api {
	t.Helper()
	ctx := context.Background()
	store, err := db.Open(ctx, cmp.Or(s.database, filepath.Join(t.TempDir(), "petstore.db")))
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	policy := callbacks.DevelopmentPolicy()
	if s.production {
		policy = callbacks.Policy{}
	}
	sender := callbacks.NewSender(callbacks.SenderOptions{Policy: policy})
	t.Cleanup(sender.Close)
	hub := stream.NewHub(store)
	t.Cleanup(hub.Close)
	serverName := ""
	if store.Shared() {
		serverName = models.NewID("server_")
	}
	dispatcher := dispatch.New(store, dispatch.Options{Sender: sender, Schedule: s.schedule, Secret: secret, Server: serverName})
	tasks := engine.NewEngine(store, hub, dispatcher)
	tasks.Register(services.NewPacking(store, tasks, s.step))
	payments := newPayments(t, store, tasks)
	tasks.Register(services.NewReporting(store))
	bucket, err := blobs.Open(store, "mem://")
	must(t, err)
	t.Cleanup(func() { must(t, bucket.Close()) })
	fetcher := fetch.New(policy)
	t.Cleanup(fetcher.Close)
	tasks.Register(services.NewImaging(store, bucket, fetcher))
	a := &api{TB: t, store: store, dispatcher: dispatcher}
	if store.Shared() {
		a.queue, err = river.New(ctx, store, tasks, serverName, dispatcher.Sweep)
		must(t, err)
	} else {
		a.queue = local.New(store, tasks)
	}
	webhooks, err := services.NewWebhooks(ctx, store, tasks, dispatcher)
	must(t, err)
	products := services.NewProducts(store)
	must(t, products.Seed(ctx))
	config := handlers.Config{
		Resources: []handlers.Resource{
			handlers.Products(products), handlers.Orders(services.NewOrders(store, tasks)),
			handlers.Reports(services.NewReports(store, tasks)), handlers.Images(services.NewImages(store, tasks, bucket)),
			handlers.Payments(payments), handlers.Deliveries(services.NewDeliveries(store, dispatcher)), handlers.Webhooks(webhooks),
		},
		Tasks: tasks, Health: store, Feed: stream.NewFeed(store, hub),
		Policy: policy, PublicURL: s.public, AllowedOrigins: parseOrigins(t, s.origins), Heartbeat: s.heartbeat, WriteTimeout: s.writeTimeout,
	}
	if s.unreadable {
		config.Feed = unreadableFeed{}
	}
	handler := handlers.New(config)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	t.Cleanup(func() { must(t, handler.Close(ctx)) })
	a.handler, a.url, a.client = handler, server.URL, &http.Client{Transport: checked{t, server.Client().Transport}}
	return a
}

func newPayments(t testing.TB, store *models.Store, tasks *engine.Engine) *services.Payments {
	t.Helper()
	sandbox, err := stripesandbox.Open("", stripesandbox.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, sandbox.Close()) })
	stripe := stripeclient.New(stripeclient.Options{Key: "sk_test_sandbox", Transport: sandbox})
	for _, operation := range services.NewCharging(store, tasks, stripe) {
		tasks.Register(operation)
	}
	return services.NewPayments(store, tasks, services.Methods{Default: "pm_card_visa", Known: stripesandbox.Methods()})
}

// start begins to work on what was ordered, until the test ends or stop.
func (a *api) start() {
	a.Helper()
	must(a, a.queue.Start(context.Background()))
	a.dispatcher.Start()
	a.Cleanup(a.stop)
}

// stop returns once all work that was under way is stored.
func (a *api) stop() {
	a.Helper()
	must(a, a.queue.Stop(context.Background()))
	a.dispatcher.Stop()
}

// answer is what came back.
type answer struct {
	t testing.TB
	*http.Response
	body []byte
}

// do sends a request, with a body unless that is "". Headers are "Name: value".
func (a *api) do(method, path, body string, headers ...string) answer {
	a.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, a.url+path, strings.NewReader(body))
	must(a, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if slices.ContainsFunc(headers[:i], func(earlier string) bool { return strings.HasPrefix(earlier, name+": ") }) {
			req.Header.Add(name, value)
		} else {
			req.Header.Set(name, value)
		}
	}
	req.Host = req.Header.Get("Host")
	res, err := a.client.Do(req)
	must(a, err)
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	must(a, err)
	return answer{a.TB, res, content}
}

// want ends the test unless the answer has this status.
func (r answer) want(status int) answer {
	r.t.Helper()
	if r.StatusCode != status {
		r.t.Fatalf("%s %s answers %s, want %d\n%s", r.Request.Method, r.Request.URL, r.Status, status, r.body)
	}
	return r
}

// names fails the test unless the problem names this field.
func (r answer) names(field string) {
	r.t.Helper()
	for _, e := range read[problem](r).Errors {
		if e.Field == field {
			return
		}
	}
	r.t.Errorf("%s %s: the problem does not name %q:\n%s", r.Request.Method, r.Request.URL, field, r.body)
}

// read decodes a JSON answer.
func read[T any](r answer) T {
	r.t.Helper()
	var v T
	if err := json.Unmarshal(r.body, &v); err != nil {
		r.t.Fatalf("%s %s answers %s: %v\n%s", r.Request.Method, r.Request.URL, r.Status, err, r.body)
	}
	return v
}

// watch returns a function that fails the test if anything was written to the
// database since the last call, by anyone: SQLite counts the commits of others
// (https://www.sqlite.org/pragma.html#pragma_data_version).
func (a *api) watch() (unchanged func() bool) {
	a.Helper()
	pool, err := a.store.Read(context.Background()).DB()
	must(a, err)
	conn, err := pool.Conn(context.Background())
	must(a, err)
	a.Cleanup(func() { conn.Close() })
	last := dataVersion(conn)
	return func() bool {
		before := last
		last = dataVersion(conn)
		return last == before
	}
}

// dataVersion has no testing.TB, since a fuzz target must not use its own.
func dataVersion(conn *sql.Conn) (version int64) {
	if err := conn.QueryRowContext(context.Background(), "PRAGMA data_version").Scan(&version); err != nil {
		panic(err)
	}
	return version
}

// fixtures are ids of one thing of each kind, for requests that need one.
type fixtures map[string]string

// fill makes one thing of each kind. What is processing stays so.
func (a *api) fill() fixtures {
	a.Helper()
	receiver := newReceiver(a)
	a.start()
	done := read[order](a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"`+receiver.url+`"}`).want(202))
	receiver.wait(a, ended(done.OrderID))
	paid := read[map[string]any](a.do("POST", "/api/payments", valid["POST /api/payments"]).want(202))
	a.do("GET", fmt.Sprintf("/api/tasks/%s?wait=20", paid["task_id"]), "").want(200)
	a.stop()
	f := fixtures{"product_id": "dog-food", "payment_id": paid["payment_id"].(string), "variant": "large"}
	waiting := read[order](a.do("POST", "/api/orders", valid["POST /api/orders"]).want(202))
	f["order_id"], f["task_id"] = waiting.OrderID, waiting.TaskID
	f["delivery_id"] = read[page[delivery]](a.do("GET", "/api/callbacks?order_id="+done.OrderID, "").want(200)).Items[0].DeliveryID
	for id, operation := range map[string]string{
		"webhook_id": "POST /api/webhooks", "refund_id": "POST /api/payments/{payment_id}/refunds",
		"image_id": "POST /api/images/process", "report_id": "POST /api/reports",
	} {
		_, path, _ := strings.Cut(operation, " ")
		f[id] = read[map[string]any](a.do("POST", f.path(path), valid[operation]))[id].(string)
	}
	return f
}

// valid has a body for each operation that takes one.
var valid = map[string]string{
	"POST /api/products": catToy, "PUT /api/products/{product_id}": catToy, "PATCH /api/products/{product_id}": `{}`,
	"POST /api/orders": `{"product":"dog-food"}`, "PUT /api/orders/{order_id}": `{}`, "PATCH /api/orders/{order_id}": `{}`,
	"POST /api/payments": `{"amount":100,"provider":"stripe"}`, "POST /api/payments/{payment_id}/refunds": `{"amount":1}`,
	"POST /api/images/process": `{"image_url":"http://127.0.0.1:1/cat.jpg"}`, "PUT /api/images/{image_id}": `{}`, "PATCH /api/images/{image_id}": `{}`,
	"POST /api/reports":  `{"type":"sales"}`,
	"POST /api/webhooks": webhook, "PUT /api/webhooks/{webhook_id}": webhook, "PATCH /api/webhooks/{webhook_id}": `{}`,
	"POST /api/webhooks/{webhook_id}/replay": `{"since":"2026-01-02T03:04:05Z"}`,
	"POST /api/callbacks/redeliver":          `{"status":"delivered"}`,
}

const webhook = `{"url":"http://127.0.0.1:1/","events":["payment.failed"]}`

// path fills in the parameters of a path of the contract.
func (f fixtures) path(template string) string {
	for name, id := range f {
		template = strings.ReplaceAll(template, "{"+name+"}", id)
	}
	return template
}

// page, product, order, task, delivery and problem are what a client reads.
type page[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

type product struct {
	ProductID   string   `json:"product_id"`
	Slug        string   `json:"slug"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Category    string   `json:"category"`
	Price       int64    `json:"price"`
	Currency    string   `json:"currency"`
	Stock       int64    `json:"stock"`
	Tags        []string `json:"tags"`
	ImageURL    string   `json:"image_url"`
}

type order struct {
	OrderID string `json:"order_id"`
	TaskID  string `json:"task_id"`
	Status  string `json:"status"`
	Items   []struct {
		Product  string `json:"product"`
		Quantity int64  `json:"quantity"`
		Price    int64  `json:"price"`
	} `json:"items"`
	Total       int64             `json:"total"`
	Metadata    map[string]string `json:"metadata"`
	CallbackURL *string           `json:"callback_url"`
	Result      struct {
		Summary string          `json:"summary"`
		Error   callbacks.Error `json:"error"`
	} `json:"result"`
	Error callbacks.Error `json:"error"`
}

type task struct {
	TaskID     string `json:"task_id"`
	ResourceID string `json:"resource_id"`
	Status     string `json:"status"`
	Progress   int    `json:"progress"`
	Sequence   int64  `json:"sequence"`
}

type delivery struct {
	DeliveryID string `json:"delivery_id"`
	CallbackID string `json:"callback_id"`
	TaskID     string `json:"task_id"`
	Type       string `json:"type"`
	URL        string `json:"url"`
	Status     string `json:"status"`
	Attempts   int    `json:"attempts"`
	Error      string `json:"error"`
}

type problem struct {
	Type   string              `json:"type"`
	Title  string              `json:"title"`
	Status int                 `json:"status"`
	Detail string              `json:"detail"`
	Code   string              `json:"code"`
	Errors []models.FieldError `json:"errors"`
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// quote writes s as a JSON string.
func quote(s string) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(fmt.Sprintf("a string that is no JSON: %q", s))
	}
	return strings.TrimSpace(out.String())
}

func parseOrigins(t testing.TB, texts []string) (origins []origin.Origin) {
	t.Helper()
	for _, text := range texts {
		page, err := origin.Parse(text)
		must(t, err)
		origins = append(origins, page)
	}
	return origins
}

// exampleHosts has the host of httptest.NewRequest.
var exampleHosts = origin.NewHosts("127.0.0.1:0", "", "example.com")
