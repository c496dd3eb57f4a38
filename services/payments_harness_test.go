package services

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/models/db"
	"petstore/services/dispatch"
	"petstore/services/stream"
	"petstore/services/stripeclient"
	"petstore/services/stripesandbox"
	"petstore/services/task"
)

// till is everything that takes payments, on a database of its own, with a
// provider that counts and can be put out of order.
type till struct {
	t        *testing.T
	store    *models.Store
	hub      *stream.Hub
	tasks    *task.Engine
	queue    queue
	orders   *Orders
	payments *Payments
	stripe   *stripeclient.Client
	provider *provider
}

func newTill(t *testing.T) *till {
	t.Helper()
	return newTillOn(t, newDatabase(t), newProvider(t))
}

// newTillOn is a till on a database and with a provider that others may use, too.
func newTillOn(t *testing.T, url string, provider *provider) *till {
	t.Helper()
	x := &till{t: t, provider: provider}
	ctx := t.Context()
	var err error
	if x.store, err = db.Open(ctx, url); err != nil {
		t.Fatal(err)
	}
	x.hub = stream.NewHub(x.store)
	sender := callbacks.NewSender(callbacks.SenderOptions{Policy: callbacks.DevelopmentPolicy()})
	server := serverName(x.store)
	dispatcher := dispatch.New(x.store, dispatch.Options{Sender: sender, Schedule: callbacks.DevelopmentSchedule(), Secret: callbacks.DevelopmentSecret, Server: server})
	x.tasks = task.NewEngine(x.store, x.hub, dispatcher)
	x.tasks.Register(NewPacking(x.store, x.tasks, 0))
	transport := &http.Transport{}
	x.stripe = stripeclient.New(stripeclient.Options{Key: "sk_test_till", URL: x.provider.URL, Transport: transport})
	x.stripe.Backoff = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
	for _, operation := range NewCharging(x.store, x.tasks, x.stripe) {
		x.tasks.Register(operation)
	}
	x.queue = newQueue(t, x.store, x.tasks, dispatcher, server)
	products := NewProducts(x.store)
	if err := products.Seed(ctx); err != nil {
		t.Fatal(err)
	}
	x.orders, x.payments = NewOrders(x.store, x.tasks), NewPayments(x.store, x.tasks, Methods{Default: "pm_card_visa"})
	if err := x.queue.Start(ctx); err != nil {
		t.Fatal(err)
	}
	dispatcher.Start()
	t.Cleanup(func() {
		if err := x.queue.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		dispatcher.Stop()
		x.hub.Close()
		sender.Close()
		transport.CloseIdleConnections()
		if err := x.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// provider is the sandbox behind faults, and what was asked of it.
type provider struct {
	*httptest.Server
	t       *testing.T
	sandbox *stripesandbox.Sandbox

	mu     sync.Mutex
	asked  []ask
	fault  func(a ask) fault
	mirror string // where else to send what the sandbox accepts
}

// ask is one request that came.
type ask struct {
	what string // "create", "confirm", "find", "cancel" or "refund"
	key  string // for idempotency
	n    int    // how many of this kind came, this one included
}

// fault is how the provider is out of order.
type fault int

const (
	healthy      fault = iota
	unavailable        // 503, and nothing is done
	busy               // 429, and nothing is done
	brokenBefore       // the connection breaks, and nothing is done
	brokenAfter        // what is asked for is done, and the connection breaks
	failedAfter        // what is asked for is done, and the answer is 500
)

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{t: t}
	var err error
	if p.sandbox, err = stripesandbox.Open(filepath.Join(t.TempDir(), "sandbox.db"), stripesandbox.Options{}); err != nil {
		t.Fatal(err)
	}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(func() {
		p.Close()
		if err := p.sandbox.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Error(err)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	switch p.note(r) {
	case unavailable:
		answer.WriteHeader(http.StatusServiceUnavailable)
		_, _ = answer.WriteString(`{"error":{"type":"api_error","message":"Stripe is down"}}`)
	case busy:
		answer.WriteHeader(http.StatusTooManyRequests)
		_, _ = answer.WriteString(`{"error":{"type":"invalid_request_error","code":"rate_limit","message":"Too many requests"}}`)
	case brokenBefore:
		panic(http.ErrAbortHandler)
	case brokenAfter:
		p.sandbox.ServeHTTP(answer, r)
		panic(http.ErrAbortHandler)
	case failedAfter:
		p.sandbox.ServeHTTP(httptest.NewRecorder(), r)
		answer.WriteHeader(http.StatusInternalServerError)
	default:
		p.sandbox.ServeHTTP(answer, r)
		p.reflect(r, body, answer.Code)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (p *provider) note(r *http.Request) fault {
	a := ask{key: r.Header.Get("Idempotency-Key")}
	switch path := r.URL.Path; {
	case path == "/v1/refunds":
		a.what = "refund"
	case path == "/v1/payment_intents":
		a.what = "create"
	case r.Method == http.MethodGet:
		a.what = "find"
	default:
		a.what = path[strings.LastIndex(path, "/")+1:]
	}
	fault := p.noteAsk(&a)
	if fault == nil {
		return healthy
	}
	return fault(a)
}

func (p *provider) noteAsk(a *ask) func(a ask) fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	a.n = 1
	for _, before := range p.asked {
		if before.what == a.what {
			a.n++
		}
	}
	p.asked = append(p.asked, *a)
	return p.fault
}

// reflect checks that stripe-mock accepts what the sandbox accepted.
func (p *provider) reflect(r *http.Request, body []byte, status int) {
	if p.mirror == "" || status != http.StatusOK && status != http.StatusPaymentRequired {
		return
	}
	req, err := http.NewRequest(r.Method, p.mirror+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		p.t.Error(err)
		return
	}
	req.Header = r.Header.Clone()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		form, _ := url.QueryUnescape(string(body))
		p.t.Errorf("stripe-mock refuses %s %s %s: %s %v", r.Method, r.URL, form, text, err)
	}
}

// disturb puts the provider out of order. fault may be called side by side.
func (p *provider) disturb(fault func(a ask) fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

// asks lists what was asked for, or only the requests of one kind.
func (p *provider) asks(what string) []ask {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []ask
	for _, a := range p.asked {
		if what == "" || a.what == what {
			found = append(found, a)
		}
	}
	return found
}

// balance is what was charged for a payment, or for all, and what was given back.
func (p *provider) balance(paymentID string) (charged, refunded int64) {
	p.t.Helper()
	intents, err := p.sandbox.Intents()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, i := range intents {
		if paymentID == "" || i.Metadata["payment_id"] == paymentID {
			charged += i.AmountReceived
		}
	}
	refunds, err := p.sandbox.Refunds()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, r := range refunds {
		if paymentID == "" || r.Metadata["payment_id"] == paymentID {
			refunded += r.Amount
		}
	}
	return charged, refunded
}

func (x *till) checkBalance(paymentID string, charged, refunded int64) {
	x.t.Helper()
	if c, r := x.provider.balance(paymentID); c != charged || r != refunded {
		x.t.Errorf("%d charged and %d given back, want %d and %d", c, r, charged, refunded)
	}
}

// order places an order for dog food and waits until it is ready.
func (x *till) order() models.Order {
	x.t.Helper()
	o, err := x.orders.Create(x.t.Context(), models.NewOrder{Lines: []models.OrderLine{{Product: "dog-food", Quantity: 1}}})
	if err != nil {
		x.t.Fatal(err)
	}
	x.wait(o.TaskID)
	return x.findOrder(o.ID)
}

func (x *till) findOrder(id string) models.Order {
	x.t.Helper()
	o, err := x.orders.Get(x.t.Context(), id)
	if err != nil {
		x.t.Fatal(err)
	}
	return o
}

func (x *till) wait(taskID string) models.Task {
	x.t.Helper()
	task, err := x.tasks.Wait(x.t.Context(), taskID, 30*time.Second)
	if err != nil {
		x.t.Fatal(err)
	}
	if !task.Ended() {
		x.t.Fatalf("task %s has not ended: %s", task.ID, task.Message)
	}
	return task
}

// pay makes a payment of an order, or without one of 1.00 USD.
func (x *till) pay(order models.Order, method string) (models.Payment, error) {
	n := models.Payment{Amount: 100, Provider: ProviderStripe, PaymentMethod: method, OrderID: order.ID, Task: models.Task{Metadata: models.Metadata{"till": "1"}}}
	if order.ID != "" {
		n.Amount = order.Total
	}
	return x.payments.Create(x.t.Context(), n)
}

// paid makes a payment and waits for its end.
func (x *till) paid(order models.Order, method string) models.Payment {
	x.t.Helper()
	p, err := x.pay(order, method)
	if err != nil {
		x.t.Fatal(err)
	}
	x.wait(p.TaskID)
	return x.find(p.ID)
}

func (x *till) find(id string) models.Payment {
	x.t.Helper()
	p, err := x.payments.Get(x.t.Context(), id)
	if err != nil {
		x.t.Fatal(err)
	}
	return p
}

// refunded makes a refund and waits for its end.
func (x *till) refunded(paymentID string, amount int64) models.Refund {
	x.t.Helper()
	r, err := x.payments.Refund(x.t.Context(), models.Refund{PaymentID: paymentID, Amount: amount})
	if err != nil {
		x.t.Fatal(err)
	}
	x.wait(r.TaskID)
	if r, err = x.payments.GetRefund(x.t.Context(), paymentID, r.ID); err != nil {
		x.t.Fatal(err)
	}
	return r
}

// told lists what a task has told so far.
func (x *till) told(taskID string) []string {
	x.t.Helper()
	updates, err := x.tasks.Updates(x.t.Context(), taskID, models.Page{Limit: 100})
	if err != nil {
		x.t.Fatal(err)
	}
	var all []string
	for _, u := range updates.Items {
		var m callbacks.Update
		if err := json.Unmarshal([]byte(u.Body), &m); err != nil {
			x.t.Fatal(err)
		}
		all = append(all, m.Type+": "+m.Message)
	}
	return all
}

// reversal waits for the end of the reversal of a payment, which was begun
// before its payment ended.
func (x *till) reversal(paymentID string) models.Task {
	x.t.Helper()
	var ids []string
	err := x.store.Read(x.t.Context()).Model(&models.Task{}).Where("kind = ? AND resource_id = ?", callbacks.KindReversal.Name, paymentID).Pluck("id", &ids).Error
	if err != nil || len(ids) != 1 {
		x.t.Fatalf("payment %s has reversals %v, %v", paymentID, ids, err)
	}
	return x.wait(ids[0])
}
