package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/docs/contracttest"
	"petstore/services/stripesandbox"
)

// shopper makes requests, and holds every answer and every callback against the
// contract.
type shopper struct {
	t        *testing.T
	url      string
	contract *contracttest.Contract
	receiver *httptest.Server
	arrived  chan callbacks.Update
}

func newShopper(t *testing.T, settings ...string) *shopper {
	t.Helper()
	s := &shopper{t: t, contract: contracttest.Load(t), arrived: make(chan callbacks.Update, 1000)}
	s.receiver = httptest.NewServer(http.HandlerFunc(s.receive))
	t.Cleanup(s.receiver.Close)
	s.url = startProcess(t, append([]string{"DATABASE_URL=" + tempDatabase(t), "STEP_DELAY=60ms"}, settings...)...).url
	return s
}

func (s *shopper) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = callbacks.Verify(r.Header, body, callbacks.DevelopmentSecret, time.Now())
	}
	var u callbacks.Update
	if err == nil {
		err = json.Unmarshal(body, &u)
	}
	if err != nil {
		s.t.Errorf("callback: %v: %s", err, body)
	}
	kind, _, _ := strings.Cut(u.Type, ".")
	s.contract.Callback(s.t, kind+"Update", r, body)
	s.arrived <- u
}

// do makes a request and decodes the answer, which is a problem if want is one.
func (s *shopper) do(method, path, body string, want int) map[string]any {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if want < 400 {
		s.contract.Request(s.t, req, []byte(body))
		req.Body = io.NopCloser(strings.NewReader(body))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != want {
		s.t.Errorf("%s %s %.200s: %s, want %d: %s", method, path, body, res.Status, want, text)
	}
	s.contract.Response(s.t, req, res, text)
	answer := map[string]any{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			s.t.Fatalf("%v: %s", err, text)
		}
	}
	return answer
}

// last waits for the last callback of a task, and returns all that came of it.
func (s *shopper) last(taskID any) []callbacks.Update {
	s.t.Helper()
	giveUp := time.NewTimer(30 * time.Second)
	defer giveUp.Stop()
	var came []callbacks.Update
	for {
		select {
		case u := <-s.arrived:
			if u.TaskID != taskID {
				continue
			}
			if came = append(came, u); u.Terminal() {
				return came
			}
		case <-giveUp.C:
			s.t.Fatalf("the last callback of task %s did not come", taskID)
		}
	}
}

// TestArticlePayment makes the article's request, pays an order, and refunds it.
func TestArticlePayment(t *testing.T) {
	t.Parallel()
	s := newShopper(t)
	callback := s.receiver.URL + "/callbacks/payment"

	payment := s.do("POST", "/api/payments", `{ "amount": 100, "provider": "stripe", "callback_url": "`+callback+`" }`, 202)
	came := s.last(payment["task_id"])
	var told []string
	for _, u := range came {
		told = append(told, fmt.Sprint(u.Type, " ", u.Progress, " ", u.Message))
		if u.PaymentID != payment["payment_id"] {
			t.Errorf("update %d is of payment %q", u.Sequence, u.PaymentID)
		}
	}
	want := []string{"payment.progress 10 Preparing the payment", "payment.progress 50 Charging 1.00 USD", "payment.completed 100 Completed"}
	if !slices.Equal(told, want) {
		t.Errorf("called back %q, want %q", told, want)
	}

	declined := s.do("POST", "/api/payments", `{"amount":100,"provider":"stripe","payment_method":"pm_card_visa_chargeDeclinedInsufficientFunds","metadata":{"cart":"7"},"callback_url":"`+callback+`"}`, 202)
	came = s.last(declined["task_id"])
	u := came[len(came)-1]
	if u.Status != "failed" || u.Error == nil || u.Error.Code != "insufficient_funds" || u.Metadata["cart"] != "7" ||
		string(u.Result) != `{"error":{"code":"insufficient_funds","message":"The card was declined: it has insufficient funds"}}` {
		t.Errorf("called back %+v %s", u, u.Result)
	}

	order := s.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"`+callback+`"}`, 202)
	s.last(order["task_id"])
	orderPath := fmt.Sprint("/api/orders/", order["order_id"])
	if order["paid"] != false || order["payment_id"] != nil {
		t.Errorf("a new order is paid: %v", order)
	}
	pay := fmt.Sprintf(`{"amount":%v,"currency":"usd","provider":"stripe","order_id":%q,"description":"Dog food","callback_url":%q}`, order["total"], order["order_id"], callback)
	paid := s.do("POST", "/api/payments", pay, 202)
	s.do("POST", "/api/payments", pay, 409)
	s.last(paid["task_id"])
	s.do("POST", "/api/payments", pay, 409)
	if order = s.do("GET", orderPath, "", 200); order["paid"] != true || order["payment_id"] != paid["payment_id"] {
		t.Errorf("the order is not paid: %v", order)
	}

	path := fmt.Sprint("/api/payments/", paid["payment_id"])
	s.do("DELETE", path, "", 409)
	part := s.do("POST", path+"/refunds", `{"amount":40,"reason":"requested_by_customer","callback_url":"`+callback+`"}`, 202)
	if u := s.last(part["task_id"]); u[0].RefundID != part["refund_id"] || u[0].PaymentID != "" {
		t.Errorf("called back %+v", u[0])
	}
	s.do("POST", path+"/refunds", fmt.Sprintf(`{"amount":%v}`, order["total"]), 409)
	rest := s.do("POST", path+"/refunds", `{"callback_url":"`+callback+`"}`, 202)
	s.last(rest["task_id"])
	s.do("GET", fmt.Sprint(path, "/refunds/", rest["refund_id"]), "", 200)
	if list := s.do("GET", path+"/refunds?status=completed&limit=1", "", 200); list["next_cursor"] == nil {
		t.Errorf("the refunds are %v", list)
	}
	if payment := s.do("GET", path, "", 200); payment["refunded"] != payment["amount"] {
		t.Errorf("the payment is not given back: %v", payment)
	}
	if order = s.do("GET", orderPath, "", 200); order["paid"] != false {
		t.Errorf("the order is paid still: %v", order)
	}
	if list := s.do("GET", "/api/payments?status=completed&currency=usd&limit=1", "", 200); list["next_cursor"] == nil {
		t.Errorf("the payments are %v", list)
	}
	s.do("DELETE", path, "", 204)
	s.do("GET", path, "", 404)
}

func TestBadPayments(t *testing.T) {
	t.Parallel()
	s := newShopper(t, "STEP_DELAY=0s")
	paid := s.do("POST", "/api/payments", `{"amount":100,"provider":"stripe"}`, 202)
	s.do("GET", fmt.Sprint("/api/tasks/", paid["task_id"], "?wait=30"), "", 200)
	refunds := fmt.Sprint("/api/payments/", paid["payment_id"], "/refunds")
	ok := `"amount":100,"provider":"stripe"`
	tests := []struct {
		method, path, body string
		status             int
		field              string
	}{
		{"POST", "/api/payments", `{}`, 422, "amount"},
		{"POST", "/api/payments", `{"amount":0,"provider":"stripe"}`, 422, "amount"},
		{"POST", "/api/payments", `{"amount":-1,"provider":"stripe"}`, 422, "amount"},
		{"POST", "/api/payments", `{"amount":100000000,"provider":"stripe"}`, 422, "amount"},
		{"POST", "/api/payments", `{"amount":1e99,"provider":"stripe"}`, 422, "amount"},
		{"POST", "/api/payments", `{"amount":1.5,"provider":"stripe"}`, 422, "amount"},
		{"POST", "/api/payments", `{"amount":"100","provider":"stripe"}`, 422, "amount"},
		{"POST", "/api/payments", `{"amount":100}`, 422, "provider"},
		{"POST", "/api/payments", `{"amount":100,"provider":"Stripe"}`, 422, "provider"},
		{"POST", "/api/payments", `{"amount":100,"provider":"paypal"}`, 422, "provider"},
		{"POST", "/api/payments", `{` + ok + `,"currency":"dollars"}`, 422, "currency"},
		{"POST", "/api/payments", `{` + ok + `,"currency":"XQX"}`, 422, "currency"},
		{"POST", "/api/payments", `{` + ok + `,"currency":"US\u0000"}`, 422, "currency"},
		{"POST", "/api/payments", `{` + ok + `,"payment_method":"4242424242424242"}`, 422, "payment_method"},
		{"POST", "/api/payments", `{` + ok + `,"payment_method":"pm_&amount=1"}`, 422, "payment_method"},
		{"POST", "/api/payments", `{` + ok + `,"payment_method":"pm_` + strings.Repeat("x", 101) + `"}`, 422, "payment_method"},
		{"POST", "/api/payments", `{` + ok + `,"order_id":"ord_nope"}`, 422, "order_id"},
		{"POST", "/api/payments", `{` + ok + `,"order_id":"` + strings.Repeat("x", 101) + `"}`, 422, "order_id"},
		{"POST", "/api/payments", `{` + ok + `,"description":"` + strings.Repeat("é", 501) + `"}`, 422, "description"},
		{"POST", "/api/payments", `{` + ok + `,"callback_url":"ftp://example.com/"}`, 422, "callback_url"},
		{"POST", "/api/payments", `{` + ok + `,"callback_url":"file:///etc/passwd"}`, 422, "callback_url"},
		{"POST", "/api/payments", `{` + ok + `,"metadata":{"":"x"}}`, 422, "metadata"},
		{"POST", "/api/payments", `{` + ok + `,"card":"4242424242424242"}`, 422, "card"},
		{"POST", "/api/payments", `{` + ok + `} {}`, 400, ""},
		{"POST", "/api/payments", ``, 400, ""},
		{"POST", "/api/payments?dry_run=true", `{` + ok + `}`, 422, "dry_run"},
		{"GET", "/api/payments?status=paid", ``, 422, "status"},
		{"GET", "/api/payments?currency=us", ``, 422, "currency"},
		{"GET", "/api/payments?order=1", ``, 422, "order"},
		{"GET", "/api/payments?cursor=%21", ``, 422, "cursor"},
		{"GET", "/api/payments/pay_nope", ``, 404, ""},
		{"GET", "/api/payments/%ff", ``, 404, ""},
		{"DELETE", "/api/payments/pay_nope", ``, 404, ""},
		{"POST", refunds, `{"amount":0}`, 422, "amount"},
		{"POST", refunds, `{"amount":-40}`, 422, "amount"},
		{"POST", refunds, `{"amount":101}`, 422, "amount"},
		{"POST", refunds, `{"reason":"mood"}`, 422, "reason"},
		{"POST", refunds, `{"currency":"EUR"}`, 422, "currency"},
		{"POST", refunds, `{"callback_url":"/callbacks"}`, 422, "callback_url"},
		{"POST", "/api/payments/pay_nope/refunds", `{}`, 404, ""},
		{"GET", refunds + "?amount=1", ``, 422, "amount"},
		{"GET", refunds + "/re_nope", ``, 404, ""},
		{"GET", "/api/payments/pay_nope/refunds", ``, 404, ""},
		{"GET", "/api/payments/%ff/refunds", ``, 404, ""},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path+" "+test.body[:min(60, len(test.body))], func(t *testing.T) {
			s := *s
			s.t = t
			problem := s.do(test.method, test.path, test.body, test.status)
			if fields := fmt.Sprint(problem["errors"]); !strings.Contains(fields, "field:"+test.field+" ") && test.field != "" {
				t.Errorf("the problem does not name %s: %v", test.field, problem)
			}
		})
	}
	if list := s.do("GET", "/api/payments", "", 200); len(list["items"].([]any)) != 1 {
		t.Errorf("something was stored: %v", list)
	}
}

// TestSandboxSurvives restarts a server whose payments go to its own sandbox.
func TestSandboxSurvives(t *testing.T) {
	t.Parallel()
	database := tempDatabase(t)
	server := startProcess(t, "DATABASE_URL="+database, "STEP_DELAY=0s")
	var p struct {
		PaymentID string `json:"payment_id"`
		TaskID    string `json:"task_id"`
		Status    string `json:"status"`
	}
	post := func(path, body string) {
		t.Helper()
		if err := call(t.Context(), "POST", server.url+path, body, 202, &p); err != nil {
			t.Fatal(err)
		}
		if err := call(t.Context(), "GET", server.url+"/api/tasks/"+p.TaskID+"?wait=30", "", 200, &p); err != nil || p.Status != "completed" {
			t.Fatalf("POST %s is %s: %v", path, p.Status, err)
		}
	}
	post("/api/payments", `{"amount":100,"provider":"stripe"}`)
	server.Kill()
	server = startProcess(t, "DATABASE_URL="+database, "STEP_DELAY=0s")
	post("/api/payments/"+p.PaymentID+"/refunds", `{}`)
}

// TestNobodyIsChargedTwice kills the server while it charges and refunds, with a
// request to the provider under way. In the end every payment that was accepted has ended; what it
// says was charged and given back is what the provider, which was not killed,
// has counted.
func TestNobodyIsChargedTwice(t *testing.T) {
	t.Parallel()
	provider := newCountingProvider(t)
	database := tempDatabase(t)
	settings := []string{"DATABASE_URL=" + database, "STEP_DELAY=0s", "STRIPE_API_KEY=sk_test_count", "STRIPE_API_URL=" + provider.URL}
	const kills = 15
	var server *process
	for range kills {
		server = startProcess(t, settings...)
		ctx, stop := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() { payAndRefund(ctx, server.url) })
		}
		provider.await(t, 1+rand.IntN(30))
		server.Kill()
		stop()
		clients.Wait()
	}
	server = startProcess(t, settings...)
	charged, refunded, orders := settledPayments(t, server.url)
	provider.check(t, charged, refunded)
	if len(charged) < kills {
		t.Errorf("only %d payments were charged: too few to show anything", len(charged))
	}
	for id, n := range orders {
		if n > 1 {
			t.Errorf("order %s is paid by %d payments", id, n)
		}
	}
	t.Logf("%d payments charged, %d refunded, %d orders paid over %d crashes; the provider was asked %d times, %d of them again",
		len(charged), len(refunded), len(orders), kills, provider.asked, provider.repeated)
}

// payAndRefund orders, pays and refunds until ctx ends or the server dies.
func payAndRefund(ctx context.Context, url string) {
	for ctx.Err() == nil {
		var order struct {
			OrderID string `json:"order_id"`
			Total   int64  `json:"total"`
		}
		if call(ctx, "POST", url+"/api/orders", `{"product":"dog-food"}`, 202, &order) != nil {
			return
		}
		method := []string{"pm_card_visa", "pm_card_visa", "pm_card_visa_chargeDeclined"}[rand.IntN(3)]
		var p struct {
			PaymentID string `json:"payment_id"`
			TaskID    string `json:"task_id"`
			Status    string `json:"status"`
		}
		body := fmt.Sprintf(`{"amount":%d,"provider":"stripe","order_id":%q,"payment_method":%q}`, order.Total, order.OrderID, method)
		if call(ctx, "POST", url+"/api/payments", body, 202, &p) != nil ||
			call(ctx, "GET", url+"/api/tasks/"+p.TaskID+"?wait=10", "", 200, &p) != nil {
			return
		}
		if p.Status == "completed" && rand.IntN(2) == 0 {
			_ = call(ctx, "POST", url+"/api/payments/"+p.PaymentID+"/refunds", []string{`{}`, `{"amount":50}`}[rand.IntN(2)], 202, nil)
		}
	}
}

// settledPayments waits until all payments and refunds have ended, and returns
// what each was charged and given back, and how many payments each order has.
func settledPayments(t *testing.T, url string) (charged, refunded map[string]int64, orders map[string]int) {
	t.Helper()
	charged, refunded, orders = map[string]int64{}, map[string]int64{}, map[string]int{}
	type item struct {
		PaymentID string `json:"payment_id"`
		RefundID  string `json:"refund_id"`
		TaskID    string `json:"task_id"`
		OrderID   string `json:"order_id"`
		Amount    int64  `json:"amount"`
	}
	each := func(path string, use func(item)) {
		t.Helper()
		next := ""
		for {
			var page struct {
				Items      []item `json:"items"`
				NextCursor string `json:"next_cursor"`
			}
			if err := call(t.Context(), "GET", url+path+"?limit=100"+next, "", 200, &page); err != nil {
				t.Fatal(err)
			}
			for _, i := range page.Items {
				use(i)
			}
			if page.NextCursor == "" {
				return
			}
			next = "&cursor=" + page.NextCursor
		}
	}
	ended := func(i item) string {
		t.Helper()
		var task struct {
			Status string          `json:"status"`
			Error  callbacks.Error `json:"error"`
		}
		err := call(t.Context(), "GET", url+"/api/tasks/"+i.TaskID+"?wait=30", "", 200, &task)
		if err != nil || task.Status == "processing" || task.Status == "failed" && task.Error.Code != "card_declined" {
			t.Errorf("task %s is %s: %v %v", i.TaskID, task.Status, task.Error, err)
		}
		return task.Status
	}
	each("/api/payments", func(p item) {
		if ended(p) != "completed" {
			return
		}
		charged[p.PaymentID] = p.Amount
		orders[p.OrderID]++
		each("/api/payments/"+p.PaymentID+"/refunds", func(r item) {
			if ended(r) == "completed" {
				refunded[p.PaymentID] += r.Amount
			}
		})
	})
	return charged, refunded, orders
}

// countingProvider is the sandbox in a process that is not killed.
type countingProvider struct {
	*httptest.Server
	sandbox *stripesandbox.Sandbox

	mu       sync.Mutex
	asked    int
	repeated int
	keys     map[string]bool
	until    int           // await waits for the request with this number
	came     chan struct{} // it came
}

// await waits for n more requests. The last of them is under way when it returns.
func (p *countingProvider) await(t *testing.T, n int) {
	t.Helper()
	p.mu.Lock()
	p.until, p.came = p.asked+n, make(chan struct{})
	came := p.came
	p.mu.Unlock()
	select {
	case <-came:
	case <-time.After(60 * time.Second):
		t.Fatal("the provider was not asked")
	}
}

func newCountingProvider(t *testing.T) *countingProvider {
	t.Helper()
	p := &countingProvider{keys: map[string]bool{}}
	var err error
	if p.sandbox, err = stripesandbox.Open(filepath.Join(t.TempDir(), "sandbox.db"), stripesandbox.Options{Delay: 5 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A request that has come is acted on, whether or not the server lives to hear of it.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		p.count(r.Header.Get("Idempotency-Key"))
		r = r.WithContext(context.WithoutCancel(r.Context()))
		r.Body = io.NopCloser(bytes.NewReader(body))
		p.sandbox.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		p.Close()
		if err := p.sandbox.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *countingProvider) count(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked++; p.asked == p.until {
		close(p.came)
	}
	if key != "" && p.keys[key] {
		p.repeated++
	}
	p.keys[key] = true
}

// check compares what the server says with what the provider has done.
func (p *countingProvider) check(t *testing.T, charged, refunded map[string]int64) {
	t.Helper()
	intents, err := p.sandbox.Intents()
	if err != nil {
		t.Fatal(err)
	}
	taken, seen := map[string]int64{}, map[string]bool{}
	for _, i := range intents {
		id := i.Metadata["payment_id"]
		if seen[id] {
			t.Errorf("payment %s has several PaymentIntents", id)
		}
		seen[id] = true
		if i.AmountReceived > 0 {
			taken[id] += i.AmountReceived
		}
	}
	refunds, err := p.sandbox.Refunds()
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]int64{}
	for _, r := range refunds {
		given[r.Metadata["payment_id"]] += r.Amount
	}
	same(t, "charged", taken, charged)
	same(t, "given back", given, refunded)
}

func same(t *testing.T, what string, provider, server map[string]int64) {
	t.Helper()
	for id, amount := range provider {
		if server[id] != amount {
			t.Errorf("payment %s: the provider has %s %d, the server says %d", id, what, amount, server[id])
		}
	}
	for id, amount := range server {
		if provider[id] == 0 {
			t.Errorf("payment %s: the server says %d were %s, the provider knows nothing of it", id, amount, what)
		}
	}
}
