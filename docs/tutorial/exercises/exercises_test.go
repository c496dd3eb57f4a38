package exercises_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"petstore/callbacks"
	"petstore/docs/tutorial/exercises"
	"petstore/docs/tutorial/exercises/solutions"
)

var mine = flag.Bool("mine", false, "test package exercises instead of package solutions")

func pick[F any](yours, solution F) F {
	if *mine {
		return yours
	}
	return solution
}

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func serve(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

func TestPlace(t *testing.T) {
	place, url, requests := pick(exercises.Place, solutions.Place), "http://client.example/callbacks", 0
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		var order struct {
			Product     string `json:"product"`
			CallbackURL string `json:"callback_url"`
		}
		if err := json.NewDecoder(r.Body).Decode(&order); err != nil || r.Method != "POST" || r.URL.Path != "/api/orders" || order.Product != "dog-food" {
			t.Errorf("%s %s with %+v, %v", r.Method, r.URL, order, err)
		}
		if order.CallbackURL != url {
			w.WriteHeader(http.StatusUnprocessableEntity)
			io.WriteString(w, `{"status":422,"code":"INVALID_REQUEST","detail":"Bad URL"}`)
			return
		}
		w.Header().Set("Location", "/api/orders/ord_1")
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, `{"order_id":"ord_1","status":"processing"}`)
	})
	location, err := place(limited(t), api, url)
	if location != "/api/orders/ord_1" || err != nil || requests != 1 {
		t.Errorf("%q, %v after %d requests", location, err, requests)
	}
	if _, err = place(limited(t), api, "not a URL"); err == nil || !strings.Contains(err.Error(), "INVALID_REQUEST") {
		t.Errorf("the error of what is refused is %v", err)
	}
}

// send sends a callback as Petstore does, and returns the status of the answer.
func send(t *testing.T, url, body string, secrets ...string) int {
	t.Helper()
	sender := callbacks.NewSender(callbacks.SenderOptions{Policy: callbacks.DevelopmentPolicy()})
	defer sender.Close()
	attempt := sender.Send(t.Context(), callbacks.Delivery{URL: url, ID: "cb_1", Body: []byte(body), Signer: callbacks.SignWith(secrets...)})
	return attempt.Status
}

func body(id, status string) string {
	return fmt.Sprintf(`{"callback_id":%q,"task_id":"task_1","order_id":"ord_1","status":%q}`, id, status)
}

func TestOutcome(t *testing.T) {
	var sent sync.WaitGroup
	t.Cleanup(sent.Wait)
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var order struct {
			CallbackURL string `json:"callback_url"`
		}
		_ = json.NewDecoder(r.Body).Decode(&order) // what it says is tested above
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, `{"order_id":"ord_1","status":"processing"}`)
		sent.Go(func() {
			if status := send(t, order.CallbackURL, body("cb_0", "failed"), "guessed"); status != http.StatusUnauthorized {
				t.Errorf("a forged callback was answered %d", status)
			}
			send(t, order.CallbackURL, body("cb_1", "processing"), callbacks.DevelopmentSecret)
			send(t, order.CallbackURL, body("cb_2", "completed"), callbacks.DevelopmentSecret)
		})
	})
	u, err := pick(exercises.Outcome, solutions.Outcome)(limited(t), api)
	if u.Status != callbacks.StatusCompleted || err != nil {
		t.Errorf("the outcome is %+v, %v", u, err)
	}
}

func TestFollow(t *testing.T) {
	var resumed []string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		resumed = append(resumed, r.Header.Get("Last-Event-ID"))
		w.Header().Set("Content-Type", "text/event-stream")
		switch len(resumed) {
		case 1: // and then the connection breaks, within an event
			fmt.Fprintf(w, "retry: 1\nid: 6\n\n:\n\nevent: order-update\nid: 7\ndata: %s\n\nid: 8\ndata: {", body("cb_1", "processing"))
		default:
			fmt.Fprintf(w, "event: order-update\nid: 8\ndata: %s\n\n", body("cb_2", "completed"))
		}
	})
	var handled []string
	err := pick(exercises.Follow, solutions.Follow)(limited(t), url, func(u callbacks.Update) { handled = append(handled, u.CallbackID) })
	if err != nil || !slices.Equal(handled, []string{"cb_1", "cb_2"}) || !slices.Equal(resumed, []string{"", "7"}) {
		t.Errorf("handled %v, resumed after %q, %v", handled, resumed, err)
	}
}

func TestProcess(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		var said struct {
			Event string `json:"event"`
			Data  struct {
				Data string `json:"data"`
			} `json:"data"`
		}
		if err := wsjson.Read(r.Context(), conn, &said); err != nil || said.Event != "process" || said.Data.Data != "large dataset" {
			t.Errorf("it said %+v, %v", said, err)
		}
		for _, text := range []string{
			`{"event":"progress","data":` + body("cb_1", "processing") + `}`, `{"event":"complete","data":` + body("cb_2", "completed") + `}`,
		} {
			_ = conn.Write(r.Context(), websocket.MessageText, []byte(text)) // what comes of it is tested below
		}
		_, _, _ = conn.Read(r.Context()) // until the client closes
	})
	u, err := pick(exercises.Process, solutions.Process)(limited(t), url, "large dataset")
	if u.CallbackID != "cb_2" || err != nil {
		t.Errorf("the outcome is %+v, %v", u, err)
	}
}

func TestWait(t *testing.T) {
	requests := 0
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		if !r.URL.Query().Has("wait") && r.Header.Get("Prefer") == "" {
			t.Errorf("%s does not wait", r.URL)
		}
		io.WriteString(w, []string{body("", "processing"), body("", "failed")}[min(requests-1, 1)])
	})
	status, err := pick(exercises.Wait, solutions.Wait)(limited(t), url+"/api/tasks/task_1")
	if status != "failed" || err != nil || requests != 2 {
		t.Errorf("%q, %v after %d requests", status, err, requests)
	}
}

func TestChoose(t *testing.T) {
	choose := pick(exercises.Choose, solutions.Choose)
	for _, test := range []struct {
		takes              time.Duration
		browser, reachable bool
		want               string
	}{
		{50 * time.Millisecond, false, true, "answer"}, // nobody needs a callback for that
		{50 * time.Millisecond, true, false, "answer"},
		{time.Minute, true, false, "stream"}, // nobody can call a web page
		{time.Minute, false, true, "callback"},
		{time.Hour, false, false, "polling"}, // behind a firewall, and may be restarted meanwhile
	} {
		if got := choose(test.takes, test.browser, test.reachable); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

func TestHandler(t *testing.T) {
	var updates []string
	fail := true
	url := serve(t, pick(exercises.Handler, solutions.Handler)(callbacks.DevelopmentSecret, func(id, status string) error {
		updates = append(updates, id+" "+status)
		if fail {
			fail = false
			return errors.New("the database is away")
		}
		return nil
	}).ServeHTTP)
	for _, test := range []struct {
		body, secret string
		want         int
	}{
		{body("cb_1", "processing"), callbacks.DevelopmentSecret, 200},
		{body("cb_2", "completed"), "guessed", 401},
		{body("cb_2", "completed"), callbacks.DevelopmentSecret, 500},
		{body("cb_2", "completed"), callbacks.DevelopmentSecret, 200},
		{body("cb_3", "failed"), callbacks.DevelopmentSecret, 200},
		{body("cb_4", strings.Repeat("x", 2<<20)), callbacks.DevelopmentSecret, 413},
	} {
		if got := send(t, url, test.body, test.secret); got != test.want {
			t.Errorf("%.80s is answered %d, want %d", test.body, got, test.want)
		}
	}
	if want := []string{"ord_1 completed", "ord_1 completed", "ord_1 failed"}; !slices.Equal(updates, want) {
		t.Errorf("updated were %v, want %v", updates, want)
	}
}

func TestRegister(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var webhook struct {
			URL    string   `json:"url"`
			Events []string `json:"events"`
		}
		if err := json.NewDecoder(r.Body).Decode(&webhook); err != nil || r.URL.Path != "/api/webhooks" || webhook.URL != "http://client.example/" {
			t.Errorf("%s %s with %+v, %v", r.Method, r.URL, webhook, err)
		}
		for event, want := range map[string]bool{
			"order.completed": true, "order.failed": true, "order.cancelled": true, "order.progress": false, "order.created": false, "report.completed": false,
		} {
			got := slices.ContainsFunc(webhook.Events, func(pattern string) bool {
				matches, err := path.Match(pattern, event)
				return matches && err == nil
			})
			if got != want {
				t.Errorf("%v: %s is told: %t", webhook.Events, event, got)
			}
		}
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"webhook_id":"whk_1","secret":"whsec_MQ=="}`)
	})
	id, secret, err := pick(exercises.Register, solutions.Register)(limited(t), api, "http://client.example/")
	if id != "whk_1" || secret != "whsec_MQ==" || err != nil {
		t.Errorf("%q, %q, %v", id, secret, err)
	}
}

// TestDescribe has the article's bodies.
func TestDescribe(t *testing.T) {
	for body, want := range map[string]string{
		`{"task_id":"task_123","status":"completed","result":{"summary":"..."}}`:                                                          "task_123 is completed",
		`{"task_id":"task_123","progress":50,"message":"Processing items 500-1000"}`:                                                      "task_123 is at 50 %: Processing items 500-1000",
		`{"task_id":"task_123","status":"failed","error":{"code":"PROCESSING_ERROR","message":"Failed to process image"}}`:                "task_123 has failed: Failed to process image (PROCESSING_ERROR)",
		`{"task_id":"task_123","status":"processing","progress":20,"message":"Decoding","metadata":{},"a field of tomorrow":"is let be"}`: "task_123 is at 20 %: Decoding",
	} {
		if got := pick(exercises.Describe, solutions.Describe)([]byte(body)); got != want {
			t.Errorf("%s is described as %q, want %q", body, got, want)
		}
	}
}

// TestVerify has the example of Standard Webhooks.
func TestVerify(t *testing.T) {
	const secret, example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`
	const signature, timestamp = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "1614265330"
	signed := time.Unix(1614265330, 0)
	for name, test := range map[string]struct {
		signature, timestamp, body string
		now                        time.Time
		want                       bool
	}{
		"as it is":           {signature, timestamp, example, signed, true},
		"after four minutes": {signature, timestamp, example, signed.Add(4 * time.Minute), true},
		"during a rotation":  {"v1,bm90IHRoaXMgb25l " + signature, timestamp, example, signed, true},
		"another body":       {signature, timestamp, `{"test": 2432232315}`, signed, false},
		"another time":       {signature, "1614265331", example, signed, false},
		"an hour later":      {signature, timestamp, example, signed.Add(time.Hour), false},
		"an hour before":     {signature, timestamp, example, signed.Add(-time.Hour), false},
		"no time":            {signature, "", example, signed, false},
		"no signature":       {"", timestamp, example, signed, false},
	} {
		header := http.Header{"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {test.timestamp}, "Webhook-Signature": {test.signature}}
		if got := pick(exercises.Verify, solutions.Verify)(header, []byte(test.body), secret, test.now); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestCheckURL(t *testing.T) {
	check := pick(exercises.CheckURL, solutions.CheckURL)
	if err := check("https://client.com/callbacks/order-status"); err != nil {
		t.Errorf("the article's URL: %v", err)
	}
	for _, raw := range []string{
		"http://client.com/", "ftp://client.com/", "client.com/callbacks", "https:///callbacks", "https://user:password@client.com/",
		"https://localhost/", "https://127.0.0.1/", "https://10.1.2.3/", "https://169.254.169.254/latest/meta-data", "https://[::1]/",
		"https://[::ffff:127.0.0.1]/", "https://2130706433/", "https://0177.0.0.1/",
	} {
		if check(raw) == nil {
			t.Errorf("%s is taken", raw)
		}
	}
}

func TestOnce(t *testing.T) {
	var mu sync.Mutex
	handled, failures := map[string]int{}, 1
	once := pick(exercises.Once, solutions.Once)(func(id string) error {
		mu.Lock()
		defer mu.Unlock()
		if id == "cb_2" && failures > 0 {
			failures--
			return errors.New("the database is away")
		}
		handled[id]++
		return nil
	})
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			if err := once("cb_1"); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if once("cb_2") == nil {
		t.Error("the error is lost, and with it the second attempt")
	}
	if err := once("cb_2"); err != nil || handled["cb_1"] != 1 || handled["cb_2"] != 1 {
		t.Errorf("handled %v times, %v", handled, err)
	}
}
