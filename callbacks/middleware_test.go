package callbacks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const testSecret = "secret"

// signed returns a signed request that carries body.
func signed(ctx context.Context, body string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/cb", strings.NewReader(body))
	Sign(r.Header, "cb", time.Now(), []byte(body), testSecret)
	return r
}

func serve(h http.Handler, r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestReceiveTellsOfFailures holds that the handler's error is not lost: it is logged, or goes to whom it is wanted by.
func TestReceiveTellsOfFailures(t *testing.T) {
	wrong := errors.New("the disk is full")
	fail := func(context.Context, Update) error { return wrong }
	request := func() *http.Request { return signed(t.Context(), `{"callback_id":"cb_1","type":"order.failed"}`) }
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	serve(Receive(testSecret, fail), request())
	if !strings.Contains(log.String(), "callback_id=cb_1") || !strings.Contains(log.String(), wrong.Error()) {
		t.Errorf("logged was %q", log.String())
	}
	log.Reset()
	var told error
	serve(Receive(testSecret, fail, func(_ context.Context, u Update, err error) { told = err }), request())
	if !errors.Is(told, wrong) || log.Len() > 0 {
		t.Errorf("told was %v, logged %q", told, log.String())
	}
}

func TestReceive(t *testing.T) {
	var got []Update
	h := Receive(testSecret, func(_ context.Context, u Update) error {
		got = append(got, u)
		return nil
	})
	body, _ := Encode(someUpdate)
	for _, want := range []string{"OK", "Already processed", "Already processed"} {
		if status, text := serve(h, signed(t.Context(), string(body))); status != 200 || text != want {
			t.Errorf("got %d %q, want %q", status, text, want)
		}
	}
	if len(got) != 1 || got[0].OrderID != someUpdate.OrderID || !got[0].Timestamp.Equal(someUpdate.Timestamp) || got[0].Metadata["customer"] != "Zoë" {
		t.Errorf("handled %+v", got)
	}
}

func TestReceiveRefuses(t *testing.T) {
	h := Receive(testSecret, func(context.Context, Update) error {
		t.Error("handled")
		return nil
	})
	tests := []struct {
		name    string
		request *http.Request
		status  int
		text    string
	}{
		{"GET", httptest.NewRequest("GET", "/cb", nil), 405, "Method not allowed"},
		{"unsigned", httptest.NewRequest("POST", "/cb", strings.NewReader(`{}`)), 401, "Invalid signature"},
		{"unsigned nonsense", httptest.NewRequest("POST", "/cb", strings.NewReader(`nonsense`)), 401, "Invalid signature"},
		{"signed nonsense", signed(t.Context(), `nonsense`), 400, "Invalid body"},
		{"signed array", signed(t.Context(), `[]`), 400, "Invalid body"},
		{"wrong type", signed(t.Context(), `{"callback_id":1}`), 400, "Invalid body"},
		{"long id", signed(t.Context(), `{"callback_id":"`+strings.Repeat("x", 257)+`"}`), 400, "Invalid body"},
		{"too long", signed(t.Context(), strings.Repeat(" ", MaxBody+1)), 413, "Body too long"},
		{"broken off", httptest.NewRequest("POST", "/cb", io.MultiReader(strings.NewReader("{"), brokenReader{})), 400, "Invalid body"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if status, text := serve(h, test.request); status != test.status || text != test.text {
				t.Errorf("got %d %q", status, text)
			}
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestReceiveWantsATime (security 9): yesterday's callback, whose webhook headers somebody has stripped, is refused by a
// receiver that does not remember it. So is one of which the signature only was stripped. Who asks for it takes the
// article's signature alone.
func TestReceiveWantsATime(t *testing.T) {
	body := `{"callback_id":"cb_1","order_id":"12345","status":"completed"}`
	handle := func(context.Context, Update) error { return nil }
	undated := Middleware(testSecret, VerifyEither)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, "OK") }))
	for _, stripped := range [][]string{{HeaderWebhookID, HeaderWebhookTimestamp, HeaderWebhookSignature}, {HeaderWebhookSignature}} {
		recorded := func() *http.Request {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/cb", strings.NewReader(body))
			Sign(r.Header, "cb_1", time.Now().Add(-24*time.Hour), []byte(body), testSecret)
			for _, name := range stripped {
				r.Header.Del(name)
			}
			return r
		}
		if status, text := serve(Receive(testSecret, handle), recorded()); status != 401 || text != "Invalid signature" {
			t.Errorf("without %v: %d %q", stripped, status, text)
		}
		if status, _ := serve(undated, recorded()); status != 200 {
			t.Errorf("a receiver that wants no time answers %d", status)
		}
	}
}

func TestReceiveLongestBody(t *testing.T) {
	h := Receive(testSecret, func(context.Context, Update) error { return nil })
	body := `{"callback_id":"cb_1","message":"`
	body += strings.Repeat("x", MaxBody-len(body)-2) + `"}`
	if status, text := serve(h, signed(t.Context(), body)); status != 200 {
		t.Errorf("got %d %q", status, text)
	}
}

func TestReceiveWithoutID(t *testing.T) {
	var handled int
	h := Receive(testSecret, func(context.Context, Update) error { handled++; return nil })
	for range 2 { // The article's shortest callback.
		if status, text := serve(h, signed(t.Context(), `{ "order_id": "12345", "status": "completed" }`)); status != 200 || text != "OK" {
			t.Errorf("got %d %q", status, text)
		}
	}
	if handled != 2 {
		t.Errorf("handled %d times", handled)
	}
}

// TestMiddlewareUntilAccepted checks that an id counts as processed only after a 2xx answer.
func TestMiddlewareUntilAccepted(t *testing.T) {
	steps := []func(w http.ResponseWriter){
		func(w http.ResponseWriter) { w.WriteHeader(500) },
		func(w http.ResponseWriter) { w.WriteHeader(404) },
		func(w http.ResponseWriter) { http.Redirect(w, httptest.NewRequest("POST", "/", nil), "/x", 302) },
		func(w http.ResponseWriter) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter) { w.WriteHeader(200); panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter) {},
		func(w http.ResponseWriter) { panic("handled again") },
	}
	attempt := 0
	h := Middleware(testSecret)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || !bytes.Contains(body, []byte("cb_1")) {
			t.Errorf("the handler reads %q, %v", body, err)
		}
		attempt++
		steps[attempt-1](w)
	}))
	for range steps[:5] {
		func() {
			defer func() { _ = recover() }()
			if status, text := serve(h, signed(t.Context(), `{"callback_id":"cb_1"}`)); status < 300 || text == "Already processed" {
				t.Errorf("attempt %d: %d %q", attempt, status, text)
			}
		}()
	}
	for i, want := range []string{"", "Already processed", "Already processed"} {
		if status, text := serve(h, signed(t.Context(), `{"callback_id":"cb_1"}`)); status != 200 || text != want {
			t.Errorf("%d: %d %q", i, status, text)
		}
	}
}

func TestMiddlewareHijackIsNoAnswer(t *testing.T) {
	var handled atomic.Int32
	server := httptest.NewServer(Middleware(testSecret)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handled.Add(1) > 1 {
			w.WriteHeader(http.StatusEarlyHints) // Informational, not yet the answer.
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	})))
	defer server.Close()
	s := newSender(t, SenderOptions{Policy: DevelopmentPolicy()})
	d := Delivery{URL: server.URL, ID: "cb_1", Body: someBody, Signer: SignWith(testSecret)}
	first, second := s.Send(t.Context(), d), s.Send(t.Context(), d)
	if first.Outcome() != Failed || second.Outcome() != Delivered || handled.Load() != 2 {
		t.Errorf("got %+v, then %+v", first, second)
	}
}

// TestReceiveConcurrentDuplicates sends ten at once, of which the first to be handled fails.
func TestReceiveConcurrentDuplicates(t *testing.T) {
	var handled, running atomic.Int32
	h := Receive(testSecret, func(context.Context, Update) error {
		if running.Add(1) > 1 {
			t.Error("two at a time")
		}
		defer running.Add(-1)
		if handled.Add(1) == 1 {
			return errors.New("the first fails")
		}
		return nil
	})
	answers := make(chan string)
	for range 10 {
		go func() {
			status, text := serve(h, signed(context.Background(), `{"callback_id":"cb_1"}`))
			answers <- fmt.Sprint(status, " ", text)
		}()
	}
	count := map[string]int{}
	for range 10 {
		count[<-answers]++
	}
	if handled.Load() != 2 || count["500 Not processed"] != 1 || count["200 OK"] != 1 || count["200 Already processed"] != 8 {
		t.Errorf("handled %d times: %v", handled.Load(), count)
	}
}

// TestReceiveWaitsNoLongerThanItsRequest has a duplicate give up on a handler that takes its time.
func TestReceiveWaitsNoLongerThanItsRequest(t *testing.T) {
	entered, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	h := Receive(testSecret, func(context.Context, Update) error {
		close(entered)
		<-release
		return nil
	})
	go func() {
		serve(h, signed(context.Background(), `{"callback_id":"cb_1"}`))
		close(done)
	}()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if status, text := serve(h, signed(ctx, `{"callback_id":"cb_1"}`)); status != 503 {
		t.Errorf("got %d %q", status, text)
	}
	if status, _ := serve(Receive(testSecret, func(context.Context, Update) error { return nil }), signed(t.Context(), `{"callback_id":"cb_1"}`)); status != 200 {
		t.Error("another handler does not wait for this one")
	}
	close(release)
	<-done
	if _, text := serve(h, signed(t.Context(), `{"callback_id":"cb_1"}`)); text != "Already processed" {
		t.Errorf("afterwards: %q", text)
	}
}

func TestOnceForgetsTheOldest(t *testing.T) {
	o := newDeduplicator(3)
	process := func(id string) bool {
		first, err := o.acquire(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if first {
			o.release(id, true)
		}
		return first
	}
	for _, id := range []string{"a", "b", "c"} {
		if !process(id) || process(id) {
			t.Errorf("%s is not processed once", id)
		}
	}
	if !process("d") || process("b") || process("c") || process("d") || !process("a") || !process("b") {
		t.Error("not the oldest was forgotten")
	}
	if o.done.Len() != 3 || len(o.running) != 0 {
		t.Errorf("remembers %d; %d running", o.done.Len(), len(o.running))
	}
}

func TestMiddlewareWithoutASecret(t *testing.T) {
	for _, secret := range []string{"", "whsec_", "whsec_?"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is taken for a secret", secret)
				}
			}()
			Middleware(secret)
		}()
	}
}
