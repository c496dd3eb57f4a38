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
	"net/url"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models/postgrestest"
)

// crashes is how many times each server is killed: a hundred times by .ci/run slow.
func crashes() int {
	switch {
	case slow:
		return 100
	case raceEnabled:
		return 10
	}
	return 20
}

// TestNothingLost kills the server at random moments while clients order, pay,
// ask for reports and for pictures, cancel, and are called back by way of a
// receiver that fails now and then. In the end all that was accepted has ended,
// its last callback has come under one callback_id, callbacks came in order, none is
// left pending, nobody was charged twice, and the stock adds up.
func TestNothingLost(t *testing.T) { nothingLost(t, "DATABASE_URL="+tempDatabase(t)) }

// TestNothingLostOnPostgres is the same with the other engine.
func TestNothingLostOnPostgres(t *testing.T) {
	nothingLost(t, "DATABASE_URL="+postgrestest.URL(t), (&url.URL{Scheme: "file", Path: t.TempDir()}).String())
}

func nothingLost(t *testing.T, database string, blobs ...string) {
	t.Helper()
	t.Parallel()
	provider := newCountingProvider(t)
	settings := []string{database, "STEP_DELAY=3ms", "STRIPE_API_KEY=sk_test_count", "STRIPE_API_URL=" + provider.URL}
	if len(blobs) > 0 {
		settings = append(settings, "BLOB_URL="+blobs[0])
	}
	events := make(counter, 1000)
	receiver := newWitness(t, events)
	promised := newLedger(t, events)
	var server *process
	for range crashes() {
		server = startProcess(t, settings...)
		ctx, stop := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() { promised.shop(ctx, server.url, receiver.URL) })
		}
		// A random number of things happen, and then a moment passes in which the
		// next one may be half done.
		events.wait(t, 20+rand.IntN(80))
		time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond) //nolint:forbidigo // any moment is meant
		server.Kill()
		stop()
		clients.Wait()
	}
	server = startProcess(t, settings...)
	if len(promised.tasks) < 10*crashes() {
		t.Fatalf("only %d requests were accepted: too few to show anything", len(promised.tasks))
	}
	promised.checkEnded(t, server.url)
	for id, task := range promised.tasks {
		receiver.checkCalledBack(t, id, task)
	}
	checkNothingPending(t, server.url)
	checkStock(t, server.url)
	charged, refunded, _ := settledPayments(t, server.url)
	provider.check(t, charged, refunded)
	receiver.mu.Lock()
	defer receiver.mu.Unlock()
	t.Logf("%d tasks survived %d crashes; %d callbacks came, %d of them again", len(promised.tasks), crashes(), receiver.total, receiver.repeated)
}

// checkNothingPending waits until no delivery is pending, the retries of some included.
func checkNothingPending(t *testing.T, url string) {
	t.Helper()
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	for deadline := time.Now().Add(time.Minute); ; {
		if err := call(t.Context(), http.MethodGet, url+"/api/callbacks?status=pending", "", http.StatusOK, &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Items) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("left pending: %s", page.Items)
			return
		}
	}
}

// accepted is what was answered 202.
type accepted struct {
	TaskID  string `json:"task_id"`
	OrderID string `json:"order_id"` // of an order
	Kind    string `json:"kind"`
	Status  string `json:"status"`
}

// counter counts what happens.
type counter chan struct{}

func (c counter) tick() {
	select {
	case c <- struct{}{}:
	default: // nobody waits at the moment
	}
}

// wait forgets what happened so far, and waits until n more things have happened.
func (c counter) wait(t *testing.T, n int) {
	t.Helper()
	for len(c) > 0 {
		<-c
	}
	for range n {
		select {
		case <-c:
		case <-time.After(30 * time.Second):
			t.Fatal("nothing happens any more")
		}
	}
}

// ledger keeps what was accepted.
type ledger struct {
	mu       sync.Mutex
	tasks    map[string]accepted
	events   counter
	pictures string // URL of a photograph
}

func newLedger(t *testing.T, events counter) *ledger {
	t.Helper()
	photo := testPhoto(t, 80, 60)
	pictures := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(photo) }))
	t.Cleanup(pictures.Close)
	return &ledger{tasks: map[string]accepted{}, events: events, pictures: pictures.URL}
}

// shop asks for slow work, and cancels some, until ctx ends or the server dies.
func (l *ledger) shop(ctx context.Context, url, receiver string) {
	for ctx.Err() == nil {
		fail := []string{"", "", "", "?fail"}[rand.IntN(4)] // some callbacks fail once
		path, body := l.request(receiver + "/callbacks" + fail)
		var task accepted
		if err := call(ctx, http.MethodPost, url+path, body, http.StatusAccepted, &task); err != nil {
			return
		}
		l.mu.Lock()
		l.tasks[task.TaskID] = task
		l.mu.Unlock()
		l.events.tick()
		if task.OrderID != "" && rand.IntN(10) == 0 {
			_ = call(ctx, http.MethodPost, url+"/api/orders/"+task.OrderID+"/cancel", "", http.StatusOK, nil)
		}
	}
}

// request is any slow work; mostly an order, and some of what is ordered runs out.
func (l *ledger) request(callbackURL string) (path, body string) {
	switch rand.IntN(12) {
	case 0:
		kind := []string{"sales", "inventory", "callbacks"}[rand.IntN(3)]
		return "/api/reports", fmt.Sprintf(`{"type":%q,"callback_url":%q}`, kind, callbackURL)
	case 1:
		return "/api/images/process", fmt.Sprintf(`{"image_url":%q,"callback_url":%q}`, l.pictures, callbackURL)
	case 2:
		method := []string{"pm_card_visa", "pm_card_visa_chargeDeclined"}[rand.IntN(2)]
		return "/api/payments", fmt.Sprintf(`{"amount":100,"provider":"stripe","payment_method":%q,"callback_url":%q}`, method, callbackURL)
	}
	product := []string{"dog-food", "cat-tree", "aquarium-60"}[rand.IntN(3)]
	return "/api/orders", fmt.Sprintf(`{"items":[{"product":%q,"quantity":%d},{"product":"bird-seed"}],"callback_url":%q}`,
		product, 1+rand.IntN(3), callbackURL)
}

// checkEnded waits for each task to end, and makes sure that some of each kind did.
func (l *ledger) checkEnded(t *testing.T, url string) {
	t.Helper()
	ended := map[string]int{}
	kinds := map[string]bool{}
	for id, task := range l.tasks {
		if err := call(t.Context(), http.MethodGet, url+"/api/tasks/"+id+"?wait=30", "", http.StatusOK, &task); err != nil {
			t.Fatal(err)
		}
		ended[task.Kind+" "+task.Status]++
		kinds[task.Kind] = true
		if task.Status == callbacks.StatusProcessing {
			t.Errorf("the %s of task %s has not ended", task.Kind, id)
		}
		l.tasks[id] = task
	}
	t.Logf("how they ended: %v", ended)
	for _, kind := range []string{"order", "report", "image", "payment"} {
		if !kinds[kind] {
			t.Errorf("no %s was accepted", kind)
		}
	}
}

// checkStock compares what is left with what completed orders took. Orders whose
// answer was lost in a crash count, too.
func checkStock(t *testing.T, url string) {
	t.Helper()
	taken := map[string]int64{}
	next := ""
	for {
		var page struct {
			Items []struct {
				Status string `json:"status"`
				Items  []struct {
					Product  string `json:"product"`
					Quantity int64  `json:"quantity"`
				} `json:"items"`
			} `json:"items"`
			NextCursor string `json:"next_cursor"`
		}
		if err := call(t.Context(), http.MethodGet, url+"/api/orders?limit=100"+next, "", http.StatusOK, &page); err != nil {
			t.Fatal(err)
		}
		for _, order := range page.Items {
			if order.Status == callbacks.StatusProcessing {
				t.Error("an order that nobody knows of has not ended")
			}
			for _, item := range order.Items {
				if order.Status == callbacks.StatusCompleted {
					taken[item.Product] += item.Quantity
				}
			}
		}
		if page.NextCursor == "" {
			break
		}
		next = "&cursor=" + page.NextCursor
	}
	for slug, before := range map[string]int64{"dog-food": 1_000_000, "bird-seed": 1_000_000, "cat-tree": 40, "aquarium-60": 25} {
		var product struct {
			Stock int64 `json:"stock"`
		}
		if err := call(t.Context(), http.MethodGet, url+"/api/products/"+slug, "", http.StatusOK, &product); err != nil {
			t.Fatal(err)
		}
		if product.Stock != before-taken[slug] {
			t.Errorf("%s: %d in stock, want %d - %d", slug, product.Stock, before, taken[slug])
		}
	}
}

// witness is a receiver that remembers what it got, and fails the first attempt
// of a callback to a URL with ?fail.
type witness struct {
	*httptest.Server
	mu       sync.Mutex
	came     *sync.Cond
	updates  map[string][]callbacks.Update // accepted, by task
	failed   map[string]bool
	secret   string
	events   counter
	total    int
	repeated int
}

func newWitness(t *testing.T, events counter) *witness {
	t.Helper()
	w := &witness{events: events, updates: map[string][]callbacks.Update{}, failed: map[string]bool{}, secret: callbacks.DevelopmentSecret}
	w.came = sync.NewCond(&w.mu)
	w.Server = httptest.NewServer(http.HandlerFunc(w.receive))
	t.Cleanup(w.Close)
	return w
}

func (w *witness) receive(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the server was killed while it sent this
	}
	var u callbacks.Update
	err = callbacks.Verify(r.Header, body, w.secret, time.Now())
	if err == nil {
		err = json.Unmarshal(body, &u)
	}
	if err != nil {
		http.Error(rw, err.Error(), http.StatusUnauthorized)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.URL.RawQuery == "fail" && !w.failed[u.CallbackID] {
		w.failed[u.CallbackID] = true
		rw.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.total++
	w.updates[u.TaskID] = append(w.updates[u.TaskID], u)
	w.came.Broadcast()
	w.events.tick()
}

// checkCalledBack waits for the last callback of a task and checks all that came.
func (w *witness) checkCalledBack(t *testing.T, id string, task accepted) {
	t.Helper()
	giveUp := time.AfterFunc(60*time.Second, w.came.Broadcast)
	defer giveUp.Stop()
	deadline := time.Now().Add(60 * time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	for !ends(w.updates[id]) && time.Now().Before(deadline) {
		w.came.Wait()
	}
	if !ends(w.updates[id]) {
		t.Errorf("the %s of task %s is %s and was never called back", task.Kind, id, task.Status)
		return
	}
	var latest callbacks.Update
	for _, u := range w.updates[id] {
		switch {
		case u.CallbackID == latest.CallbackID:
			w.repeated++
		case u.Sequence <= latest.Sequence:
			t.Errorf("task %s: update %d came after update %d", id, u.Sequence, latest.Sequence)
		case latest.Terminal():
			t.Errorf("task %s: %s came after %s", id, u.Type, latest.Type)
		}
		latest = u
	}
	if latest.Status != task.Status {
		t.Errorf("the %s of task %s is %s, but the last callback said %s", task.Kind, id, task.Status, latest.Status)
	}
}

func ends(updates []callbacks.Update) bool {
	return len(updates) > 0 && updates[len(updates)-1].Terminal()
}

// call makes a request and decodes the answer into v.
func call(ctx context.Context, method, url, body string, want int, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != want {
		return fmt.Errorf("%s %s: %s %s", method, url, res.Status, answer)
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(answer, v)
}
