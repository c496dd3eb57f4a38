package receiver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"petstore/callbacks"
	"petstore/docs/browsertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(stopped{m})
}

// stopped are tests after which the browser is stopped.
type stopped struct{ *testing.M }

func (s stopped) Run() int {
	defer browsertest.Stop()
	return s.M.Run()
}

const secret = "secret"

// bench is a receiver under test, and a sender to it.
type bench struct {
	t        testing.TB
	receiver *Receiver
	server   *httptest.Server
	sender   *callbacks.Sender
	out      lines
}

// lines takes what is written, a line at a time.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, sender: callbacks.NewSender(callbacks.SenderOptions{Policy: callbacks.DevelopmentPolicy()}), out: make(lines, 100)}
	b.receiver = New(Options{Secret: secret, Out: b.out})
	b.server = httptest.NewUnstartedServer(nil)
	b.server.Config, b.server.Listener = b.receiver.Server(), Listen(b.server.Listener)
	b.server.Start()
	t.Cleanup(func() {
		b.sender.Close()
		b.receiver.Close()
		b.server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return b
}

// send sends u to path, signed with key.
func (b *bench) send(path, key string, u callbacks.Update) callbacks.Attempt {
	b.t.Helper()
	body, err := callbacks.Encode(u)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.sender.Send(context.Background(), callbacks.Delivery{URL: b.server.URL + path, ID: u.CallbackID, Body: body, Signer: callbacks.SignWith(key)})
}

type received struct {
	Status   int     `json:"-"`
	Items    []entry `json:"items"`
	Count    int     `json:"count"`
	TimedOut bool    `json:"timed_out"`
}

func (b *bench) received(query string) received {
	response, err := http.Get(b.server.URL + "/received?" + query)
	if err != nil {
		b.t.Error(err)
		return received{}
	}
	defer response.Body.Close()
	r := received{Status: response.StatusCode}
	if response.StatusCode == 200 {
		if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
			b.t.Error(err)
		}
	}
	return r
}

func update(id, order, status string) callbacks.Update {
	kind := map[string]string{callbacks.StatusProcessing: "progress"}[status]
	if kind == "" {
		kind = status
	}
	return callbacks.Update{CallbackID: id, Resource: callbacks.ResourceOf(order), TaskID: "task_" + order, Type: "order." + kind, Status: status, Progress: 50, Message: "Packing item 1 of 2"}
}

func TestRoutes(t *testing.T) {
	b := newBench(t)
	for _, path := range []string{"/callbacks/order-status", "/callbacks/reports", "/callbacks/image", "/callbacks/payment", "/callbacks/webhook"} {
		u := update("cb_1", "ord_1", callbacks.StatusCompleted) // Each route remembers by itself.
		for _, want := range []struct {
			key, text string
			status    int
		}{{"wrong", "Invalid signature", 401}, {secret, "OK", 200}, {secret, "Already processed", 200}, {"wrong", "Invalid signature", 401}} {
			if a := b.send(path, want.key, u); a.Status != want.status || a.Body != want.text {
				t.Errorf("%s: got %d %q, want %d %q", path, a.Status, a.Body, want.status, want.text)
			}
		}
	}
	for path, want := range map[string]int{"/": 200, "/callbacks/order-status": 405, "/callbacks/other": 404, "/received": 200, "/received?wiat=3s": 422} {
		response, err := http.Get(b.server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("GET %s: %d", path, response.StatusCode)
		}
	}
}

func TestWebhookTakesAPISignature(t *testing.T) {
	b := newBench(t)
	body := []byte(`{"callback_id":"cb_1"}`)
	signed := http.Header{}
	callbacks.Sign(signed, "cb_1", time.Now(), body, secret)
	request, _ := http.NewRequest("POST", b.server.URL+"/callbacks/webhook", bytes.NewReader(body))
	request.Header.Set("X-API-Signature", signed.Get("X-Callback-Signature"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); string(text) != "OK" {
		t.Errorf("got %d %q", response.StatusCode, text)
	}
}

func TestReceivedLists(t *testing.T) {
	b := newBench(t)
	b.send("/callbacks/order-status?fail=0", secret, update("cb_1", "ord_1", callbacks.StatusProcessing))
	b.send("/callbacks/order-status?fail=0", secret, update("cb_1", "ord_1", callbacks.StatusProcessing))
	b.send("/callbacks/order-status", "wrong", update("cb_2", "ord_1", callbacks.StatusCompleted))
	b.send("/callbacks/order-status", secret, update("cb_3", "ord_2", callbacks.StatusFailed))
	response, err := http.Post(b.server.URL+"/callbacks/webhook", "text/plain", strings.NewReader("no JSON"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()

	got := b.received("")
	if got.Count != 5 || len(got.Items) != 5 || got.TimedOut {
		t.Fatalf("got %+v", got)
	}
	type facts struct {
		verified, duplicate bool
		attempt, status     int
	}
	for i, want := range []facts{{true, false, 1, 200}, {true, true, 2, 200}, {false, false, 1, 401}, {true, false, 1, 200}, {false, false, 1, 401}} {
		e := got.Items[i]
		if (facts{e.Verified, e.Duplicate, e.Attempt, e.Status}) != want {
			t.Errorf("item %d: %+v", i, e)
		}
	}
	first := got.Items[0]
	if first.URL != "/callbacks/order-status?fail=0" || first.Headers.Get("Webhook-Id") != "cb_1" || !bytes.Contains(first.Body, []byte(`"ord_1"`)) ||
		time.Since(first.ReceivedAt) > time.Minute {
		t.Errorf("got %+v", first)
	}
	if string(got.Items[4].Body) != `"no JSON"` {
		t.Errorf("got %s", got.Items[4].Body)
	}
	for query, want := range map[string]int{
		"order_id=ord_1": 3, "order_id=ord_2": 1, "order_id=ord_3": 0, "task_id=task_ord_1": 3, "type=order.failed": 1, "status=completed": 1,
		"callback_id=cb_1": 2, "callback_id=cb_1&order_id=ord_2": 0, "report_id=": 5, "image_id=x": 0, "payment_id=x": 0, "refund_id=x": 0,
	} {
		if got := b.received(query).Count; got != want {
			t.Errorf("%s: %d", query, got)
		}
	}
	request, _ := http.NewRequest("DELETE", b.server.URL+"/received", nil)
	if response, err = http.DefaultClient.Do(request); err != nil || response.StatusCode != 204 {
		t.Fatal(response, err)
	}
	response.Body.Close()
	if got := b.received(""); got.Count != 0 || got.Items == nil {
		t.Errorf("after DELETE: %+v", got)
	}
}

func TestReceivedRefuses(t *testing.T) {
	b := newBench(t)
	for _, query := range []string{"wait=61s", "wait=-1s", "wait=soon", "wait=", "count=0", "count=x", "count=1001", "order=1", "wait=9999999999999999999"} {
		if got := b.received(query); got.Status != 422 {
			t.Errorf("%s: %+v", query, got)
		}
	}
}

func TestReceivedWaits(t *testing.T) {
	for _, test := range []struct {
		query string
		want  int
	}{
		{"order_id=ord_1&wait=30s", 4},                      // the terminal one
		{"order_id=ord_1&wait=30", 4},                       // the same
		{"order_id=ord_1&count=2&wait=30s", 3},              // two accepted
		{"order_id=ord_1&type=order.completed&wait=30s", 2}, // refused, then accepted
		{"order_id=ord_2&status=failed&wait=30s", 1},
	} {
		t.Run(test.query, func(t *testing.T) {
			b := newBench(t)
			got := make(chan received)
			go func() { got <- b.received(test.query) }()
			b.send("/callbacks/order-status", secret, update("cb_1", "ord_1", callbacks.StatusProcessing))
			b.send("/callbacks/order-status", "wrong", update("cb_3", "ord_1", callbacks.StatusCompleted))
			b.send("/callbacks/order-status", secret, update("cb_2", "ord_1", callbacks.StatusProcessing))
			b.send("/callbacks/order-status", secret, update("cb_3", "ord_1", callbacks.StatusCompleted))
			b.send("/callbacks/order-status", secret, update("cb_4", "ord_2", callbacks.StatusFailed))
			if got := <-got; got.Count < test.want || got.TimedOut {
				t.Errorf("got %d, timed out %v", got.Count, got.TimedOut)
			}
		})
	}
}

func TestReceivedTimesOut(t *testing.T) {
	b := newBench(t)
	b.send("/callbacks/order-status?status=503", secret, update("cb_1", "ord_1", callbacks.StatusCompleted))
	if got := b.received("order_id=ord_1&wait=20ms"); !got.TimedOut || got.Count != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestFaults(t *testing.T) {
	tests := []struct{ query, want string }{
		{"", "200 200"},
		{"fial=2", "400 400"}, // misspelt
		{"own=parameter", "400"},
		{"fail=0", "200 200"},
		{"fail=2", "500 500 200 200"},
		{"status=503", "503 503 503"},
		{"status=410", "410"},
		{"status=302", "302 302"},
		{"status=201", "201 200"},
		{"status=503&retry_after=2", "503+2s 503+2s"},
		{"retry_after=2", "503+2s"},
		{"fail=1&status=429&retry_after=3", "429+3s 200"},
		{"drop=1", "reset reset"},
		{"drop=0", "200"},
		{"fail=2&drop=1", "reset reset 200"},
		{"delay=1ms", "200 200"},
		{"delay=1ms&fail=1&drop=true", "reset 200"},
		{"fail=x", "400"}, {"fail=-1", "400"}, {"fail=1001", "400"}, {"status=100", "400"}, {"status=600", "400"}, {"retry_after=86401", "400"},
		{"delay=61s", "400"}, {"delay=-1s", "400"}, {"drop=maybe", "400"},
	}
	for _, test := range tests {
		t.Run(test.query, func(t *testing.T) {
			b := newBench(t)
			for attempt, want := range strings.Fields(test.want) {
				a := b.send("/callbacks/order-status?"+test.query, secret, update("cb_1", "ord_1", callbacks.StatusCompleted))
				got := fmt.Sprint(a.Status)
				if a.RetryAfter > 0 {
					got += "+" + a.RetryAfter.String()
				}
				if a.Error == "connection reset" {
					got = "reset"
				}
				if got != want {
					t.Errorf("attempt %d: got %s, want %s: %+v", attempt+1, got, want, a)
				}
			}
			if a := b.send("/callbacks/order-status?"+test.query, "wrong", update("cb_1", "ord_1", callbacks.StatusCompleted)); a.Status != 401 {
				t.Errorf("the signature is not checked first: %+v", a)
			}
		})
	}
}

// TestCloseEndsWaiting closes the receiver while a list and a delayed callback wait.
func TestCloseEndsWaiting(t *testing.T) {
	b := newBench(t)
	listed, delayed := make(chan received), make(chan callbacks.Attempt)
	go func() { listed <- b.received("wait=60s") }()
	go func() {
		delayed <- b.send("/callbacks/order-status?delay=60s", secret, update("cb_1", "ord_1", callbacks.StatusProcessing))
	}()
	b.receiver.Close()
	if got := <-listed; !got.TimedOut {
		t.Errorf("got %+v", got)
	}
	if got := <-delayed; got.Outcome() != callbacks.Failed {
		t.Errorf("got %+v", got)
	}
}

func TestConsole(t *testing.T) {
	b := newBench(t)
	failed := update("cb_2", "ord_2", callbacks.StatusFailed)
	failed.Error = &callbacks.Error{Code: "OUT_OF_STOCK", Message: "none\nleft\x1b[2J"}
	b.send("/callbacks/order-status", secret, update("cb_1", "ord_1", callbacks.StatusProcessing))
	b.send("/callbacks/order-status", secret, update("cb_1", "ord_1", callbacks.StatusProcessing))
	b.send("/callbacks/order-status", secret, failed)
	b.send("/callbacks/order-status", "wrong", failed)
	b.send("/callbacks/order-status?fail=1", secret, update("cb_3", "ord_3", callbacks.StatusCompleted))
	b.send("/callbacks/order-status?drop=1", secret, update("cb_3", "ord_3", callbacks.StatusCompleted))
	want := []string{
		"✓ order.progress    ord_1   50%  Packing item 1 of 2",
		"↻ order.progress    ord_1   50%  Packing item 1 of 2  (already processed)",
		"✓ order.failed      ord_2   50%  OUT_OF_STOCK: none·left·[2J",
		"✗ /callbacks/order-status  (invalid signature)",
		"✗ order.completed   ord_3   50%  Packing item 1 of 2  (attempt 1: answered 500)",
		"✗ order.completed   ord_3   50%  Packing item 1 of 2  (attempt 2: connection dropped)",
	}
	for _, want := range want {
		line := strings.TrimSuffix(<-b.out, "\n")
		if _, err := time.Parse("15:04:05", line[:8]); err != nil || line[9:] != want {
			t.Errorf("got  %q\nwant %q", line, want)
		}
	}
}

// TestLimitsAreTold: what is listed is not all, and that is said in the terminal and in lists.
func TestLimitsAreTold(t *testing.T) {
	b := newBench(t)
	b.receiver.store.limits.Requests = 2
	for i := range 4 {
		b.send("/callbacks/order-status", secret, update(fmt.Sprint("cb_", i), "ord_1", callbacks.StatusProcessing))
	}
	var warned []string
	for range 5 {
		if line := <-b.out; strings.Contains(line, " ! ") {
			warned = append(warned, line[9:])
		}
	}
	if got := strings.Join(warned, ""); got != "! inbox default is full: it keeps 2 requests, the oldest go\n" {
		t.Errorf("told %q", got)
	}
	for path, want := range map[string]string{"/received": `"count":2,"dropped":2}`, "/inboxes/default/requests": `"count":2,"dropped":2,`} {
		if _, body := b.call("GET", path, ""); !strings.Contains(body, want) {
			t.Errorf("%s: %s", path, body)
		}
	}
}

func TestConsoleCutsLongLines(t *testing.T) {
	if got := printable(strings.Repeat("ö", 1000)); len([]rune(got)) != 300 {
		t.Errorf("%d characters", len([]rune(got)))
	}
}

func FuzzParseFault(f *testing.F) {
	f.Add("fail=2&status=503&retry_after=2&delay=3s&drop=1")
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if fault, err := parseFault(values); err == nil && (!within(fault.step.Delay, maxWait) || fault.attempts < 0 || fault.step.check() != nil) {
			t.Errorf("%q: %+v", query, fault)
		}
	})
}
