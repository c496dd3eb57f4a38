package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"petstore/callbacks"
	"petstore/callbacks/receiver"
	"petstore/docs/contracttest"
	"petstore/docs/nodetest"
)

// hookServer is a whole server, whose answers are held against the contract.
type hookServer struct {
	t        *testing.T
	app      *App
	contract *contracttest.Contract
	client   *http.Client
	log      *lockedBuffer
}

func startHookServer(t *testing.T) *hookServer {
	t.Helper()
	contract := contracttest.Load(t)
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	s := &hookServer{t: t, contract: contract, client: &http.Client{Transport: &http.Transport{}}, log: &lockedBuffer{}}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(before) })
	cfg, err := readConfig([]string{"-addr=127.0.0.1:0", "-receiver-addr=", "-step-delay=0s", "-database-url=" + tempDatabase(t)})
	if err != nil {
		t.Fatal(err)
	}
	if s.app, err = New(t.Context(), cfg, s.log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		if err := s.app.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := s.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// do sends a request and expects a status. What is wrong with a request that is
// to be refused is for the server to say, so only others are held against the
// contract.
func (s *hookServer) do(method, path, body string, status int) map[string]any {
	s.t.Helper()
	req, err := http.NewRequest(method, s.app.URL()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	} else {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	if status < 400 && body != "" {
		s.contract.Request(s.t, req, []byte(body))
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		s.t.Fatal(err)
	}
	s.contract.Response(s.t, req, res, answer)
	if res.StatusCode != status {
		s.t.Fatalf("%s %s answers %s, want %d: %s", method, path, res.Status, status, answer)
	}
	var fields map[string]any
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &fields); err != nil {
			s.t.Fatal(err)
		}
	}
	return fields
}

// hookSite is the sample receiver at a URL that is known before its secret.
type hookSite struct {
	t        *testing.T
	contract *contracttest.Contract
	server   *httptest.Server

	mu     sync.Mutex
	sample *receiver.Receiver
}

func (s *hookServer) newSite() *hookSite {
	site := &hookSite{t: s.t, contract: s.contract}
	site.server = httptest.NewServer(site)
	s.t.Cleanup(func() {
		site.learn("another") // closes the receiver that waits
		site.server.Close()
	})
	return site
}

func (site *hookSite) url(query string) string { return site.server.URL + "/callbacks/webhook" + query }

// learn gives the receiver its secret.
func (site *hookSite) learn(secret string) {
	site.mu.Lock()
	defer site.mu.Unlock()
	if site.sample != nil {
		site.sample.Close()
	}
	site.sample = receiver.New(receiver.Options{Secret: secret})
}

func (site *hookSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.Method == http.MethodPost {
		name := "event"
		if strings.Contains(string(body), `"type":"webhook.ping"`) {
			name = "ping"
		}
		site.contract.Callback(site.t, name, r, body)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	site.mu.Lock()
	sample := site.sample
	site.mu.Unlock()
	sample.ServeHTTP(w, r)
}

// types waits until count deliveries have been accepted, and returns their types.
func (site *hookSite) types(count int) []string {
	site.t.Helper()
	res, err := http.Get(fmt.Sprintf("%s/received?wait=30s&count=%d", site.server.URL, count))
	if err != nil {
		site.t.Fatal(err)
	}
	defer res.Body.Close()
	var received struct {
		Items []struct {
			Status    int              `json:"status"`
			Duplicate bool             `json:"duplicate"`
			Body      callbacks.Update `json:"body"`
		} `json:"items"`
	}
	if err := json.NewDecoder(res.Body).Decode(&received); err != nil {
		site.t.Fatal(err)
	}
	var names []string
	for _, item := range received.Items {
		if item.Status == http.StatusOK && !item.Duplicate {
			names = append(names, item.Body.Type)
		}
	}
	return names
}

const hookOrder = `{"product":"dog-food"}`

// TestWebhookLife takes a webhook from its registration to its removal, with a
// receiver that fails the first time.
func TestWebhookLife(t *testing.T) {
	s := startHookServer(t)
	site := s.newSite()
	created := s.do("POST", "/api/webhooks", fmt.Sprintf(`{"url":%q,"events":["order.created","order.completed"],"description":"The warehouse"}`, site.url("?fail=1")), 201)
	secret, id := created["secret"].(string), created["webhook_id"].(string)
	if !strings.HasPrefix(secret, "whsec_") || callbacks.CheckSecret(secret) != nil {
		t.Errorf("the secret is %q", secret)
	}
	site.learn(secret)
	path := "/api/webhooks/" + id
	s.do("POST", "/api/orders", hookOrder, 202)
	if got := site.types(2); !slices.Equal(got, []string{"order.created", "order.completed"}) {
		t.Errorf("the webhook got %q", got)
	}
	secrets := []string{secret, s.do("POST", path+"/rotate", "", 200)["secret"].(string)}
	site.learn(secret) // the old one still signs, by Standard Webhooks
	ping := s.do("POST", path+"/ping", "", 202)
	if ping["webhook_id"] != id || ping["type"] != "webhook.ping" {
		t.Errorf("the ping is %v", ping)
	}
	if got := site.types(1); !slices.Equal(got, []string{"webhook.ping"}) {
		t.Errorf("the webhook got %q", got)
	}
	s.do("GET", "/api/callbacks/"+ping["delivery_id"].(string), "", 200)
	s.do("GET", "/api/tasks/"+ping["task_id"].(string), "", 200)
	if replayed := s.do("POST", path+"/replay", `{"since":"2026-01-02T03:04:05Z"}`, 202); replayed["count"] != 0.0 {
		t.Errorf("replayed %v", replayed)
	}
	answers := []map[string]any{
		s.do("GET", path, "", 200),
		s.do("GET", "/api/webhooks?enabled=true&limit=1", "", 200),
		s.do("PATCH", path, `{"events":["order.*"],"enabled":false}`, 200),
		s.do("GET", "/api/webhooks?enabled=false", "", 200),
		s.do("PATCH", path, `{"enabled":true}`, 200),
		s.do("PUT", path, fmt.Sprintf(`{"url":%q,"events":["*"]}`, site.url("")), 200),
		s.do("GET", "/api/callbacks?webhook_id="+id, "", 200),
	}
	if n := len(answers[6]["items"].([]any)); n != 3 {
		t.Errorf("%d deliveries are listed, want 3", n)
	}
	s.do("DELETE", path, "", 204)
	s.do("GET", path, "", 404)
	s.do("POST", path+"/ping", "", 404)
	s.do("POST", "/api/callbacks/"+ping["delivery_id"].(string)+"/redeliver", "", 409)
	everywhere := fmt.Sprint(answers) + s.log.String()
	for _, secret := range secrets {
		if strings.Contains(everywhere, strings.TrimPrefix(secret, "whsec_")) {
			t.Error("a secret is shown a second time, or in the log")
		}
	}
}

func TestWebhookDisabledByItsReceiver(t *testing.T) {
	s := startHookServer(t)
	site := s.newSite()
	created := s.do("POST", "/api/webhooks", fmt.Sprintf(`{"url":%q,"events":["*"]}`, site.url("?status=410")), 201)
	site.learn(created["secret"].(string))
	path := "/api/webhooks/" + created["webhook_id"].(string)
	s.do("POST", path+"/ping", "", 202)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	w := s.do("GET", path, "", 200)
	for end := time.Now().Add(30 * time.Second); w["enabled"] == true && time.Now().Before(end); w = s.do("GET", path, "", 200) {
		<-ticker.C
	}
	if w["enabled"] != false || w["disabled_reason"] != "The receiver answered 410 Gone." {
		t.Errorf("the webhook is %v", w)
	}
	s.do("POST", path+"/ping", "", 409)
	s.do("POST", path+"/replay", `{"since":"2026-01-02T03:04:05Z"}`, 409)
	if w := s.do("PATCH", path, `{"enabled":true}`, 200); w["enabled"] != true || w["disabled_reason"] != nil || w["failing_since"] != nil {
		t.Errorf("the webhook is %v", w)
	}
}

func TestWebhookRequestsThatAreRefused(t *testing.T) {
	s := startHookServer(t)
	w := s.do("POST", "/api/webhooks", `{"url":"http://127.0.0.1:1/","events":["order.failed"]}`, 201)
	path := "/api/webhooks/" + w["webhook_id"].(string)
	many := strings.TrimSuffix(strings.Repeat(`"*",`, 21), ",")
	for _, test := range []struct {
		method, path, body string
		status             int
		field              string
	}{
		{"POST", "/api/webhooks", `{"events":["*"]}`, 422, "url"},
		{"POST", "/api/webhooks", `{"url":"ftp://example.com","events":["*"]}`, 422, "url"},
		{"POST", "/api/webhooks", `{"url":"http://user:secret@example.com","events":["*"]}`, 422, "url"},
		{"POST", "/api/webhooks", `{"url":"http://example.com"}`, 422, "events"},
		{"POST", "/api/webhooks", `{"url":"http://example.com","events":[]}`, 422, "events"},
		{"POST", "/api/webhooks", `{"url":"http://example.com","events":["*","*"]}`, 422, "events"},
		{"POST", "/api/webhooks", `{"url":"http://example.com","events":[` + many + `]}`, 422, "events"},
		{"POST", "/api/webhooks", `{"url":"http://example.com","events":["order.done"]}`, 422, "events[0]"},
		{"POST", "/api/webhooks", `{"url":"http://example.com","events":["*"],"secret":"whsec_AAAA"}`, 422, "secret"},
		{"POST", "/api/webhooks", `{`, 400, ""},
		{"PATCH", path, `{"events":["order.done"]}`, 422, "events[0]"},
		{"PATCH", path, `{"url":null}`, 422, "url"},
		{"PATCH", path, `{"url":"http://"}`, 422, "url"},
		{"PUT", path, `{"url":"http://example.com"}`, 422, "events"},
		{"POST", path + "/replay", `{}`, 422, "since"},
		{"POST", path + "/replay", `{"since":"yesterday"}`, 422, "since"},
		{"POST", path + "/replay", `{"since":"2999-01-01T00:00:00Z"}`, 422, "since"},
		{"GET", "/api/webhooks/whk_nope", "", 404, ""},
		{"POST", "/api/webhooks/whk_nope/rotate", "", 404, ""},
		{"POST", "/api/webhooks/whk_nope/replay", `{"since":"2026-01-01T00:00:00Z"}`, 404, ""},
		{"GET", "/api/webhooks?enabled=perhaps", "", 422, "enabled"},
	} {
		answer := s.do(test.method, test.path, test.body, test.status)
		if test.field != "" && !strings.Contains(fmt.Sprint(answer["errors"]), "field:"+test.field+" ") {
			t.Errorf("%s %s %s: the errors are %v", test.method, test.path, test.body, answer["errors"])
		}
	}
	if again := s.do("GET", path, "", 200); fmt.Sprint(again["events"]) != "[order.failed]" {
		t.Errorf("a refused request changed the webhook: %v", again)
	}
}

// TestWebhookLosesNothing kills the server while orders are placed. In the end
// the webhook has heard how each of them began and ended, in order.
func TestWebhookLosesNothing(t *testing.T) {
	t.Parallel()
	database := tempDatabase(t)
	settings := []string{"DATABASE_URL=" + database, "STEP_DELAY=3ms"}
	events := make(counter, 1000)
	callback, hook := newWitness(t, events), newWitness(t, events)
	placed := newLedger(t, events)
	server := startProcess(t, settings...)
	var w struct {
		Secret string `json:"secret"`
	}
	if err := call(t.Context(), "POST", server.url+"/api/webhooks", fmt.Sprintf(`{"url":%q,"events":["*"]}`, hook.URL+"/?fail"), 201, &w); err != nil {
		t.Fatal(err)
	}
	hook.mu.Lock()
	hook.secret = w.Secret
	hook.mu.Unlock()
	for range 5 {
		ctx, stop := context.WithCancel(t.Context())
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() { placed.shop(ctx, server.url, callback.URL) })
		}
		events.wait(t, 60)
		server.Kill()
		stop()
		clients.Wait()
		server = startProcess(t, settings...)
	}
	placed.checkEnded(t, server.url)
	for id, task := range placed.tasks {
		hook.checkCalledBack(t, id, task)
		hook.mu.Lock()
		first := hook.updates[id]
		hook.mu.Unlock()
		if len(first) == 0 || first[0].Type != task.Kind+".created" {
			t.Errorf("the webhook did not hear of the beginning of task %s", id)
		}
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	t.Logf("%d tasks; %d updates came, %d of them again", len(placed.tasks), hook.total, hook.repeated)
}

// TestArticleWebhook runs the article's webhook handlers under Node, with the
// webhook's own secret.
func TestArticleWebhook(t *testing.T) {
	dir := filepath.Join("testdata", "webhook")
	nodetest.Need(t, dir)
	s := startHookServer(t)
	node := exec.CommandContext(t.Context(), "node", "receiver.cjs")
	node.Dir, node.Stderr = dir, os.Stderr
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = node.Process.Kill()
		_ = node.Wait()
	}()
	printed := bufio.NewScanner(out)
	next := func() string {
		t.Helper()
		if !printed.Scan() {
			t.Fatalf("node has ended: %v", printed.Err())
		}
		return printed.Text()
	}
	w := s.do("POST", "/api/webhooks", fmt.Sprintf(`{"url":%q,"events":["order.created","order.completed"]}`, next()), 201)
	fmt.Fprintln(in, w["secret"])
	in.Close()
	if line := next(); line != "ready" {
		t.Fatal(line)
	}
	ping := s.do("POST", "/api/webhooks/"+w["webhook_id"].(string)+"/ping", "", 202)
	if line := next(); !strings.Contains(line, `"type":"webhook.ping"`) {
		t.Errorf("got %s", line)
	}
	odd := `{"product":"dog-food","metadata":{"note":"<Zoë> \u2028 \"quoted\" 😀","10":"b","9":"a","__proto__":"c"}}`
	order := s.do("POST", "/api/orders", odd, 202)
	for _, want := range []string{"order.created", "order.completed"} {
		var u callbacks.Update
		line := next()
		if err := json.Unmarshal([]byte(line), &u); err != nil || u.Type != want || u.OrderID != order["order_id"] {
			t.Errorf("got %s, want %s of %s", line, want, order["order_id"])
		}
	}
	// Sent again, it is known already: nothing is printed before the next ping.
	s.do("POST", "/api/callbacks/"+ping["delivery_id"].(string)+"/redeliver", "", 202)
	second := s.do("POST", "/api/webhooks/"+w["webhook_id"].(string)+"/ping", "", 202)
	if line := next(); !strings.Contains(line, second["callback_id"].(string)) {
		t.Errorf("got %s, want the second ping", line)
	}
}

// lockedBuffer is a log that tests read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestStandardWebhooks has Standard Webhooks' own library verify what we sign, with the
// development secret (faults 7) and with a text, which it has to be told of.
func TestStandardWebhooks(t *testing.T) {
	dir := filepath.Join("testdata", "webhook")
	nodetest.Need(t, dir)
	var in bytes.Buffer
	fresh, old := callbacks.NewSecret(), callbacks.NewSecret()
	for _, test := range []struct {
		secret, body string
		raw          bool
		signedWith   []string // if not with secret alone
	}{
		{secret: callbacks.DevelopmentSecret, body: `{"callback_id":"cb_1"}`},
		{secret: callbacks.NewSecret(), body: `{"callback_id":"cb_2","message":"<Zoë> 😀"}`},
		{secret: "a secret that is a text", body: `{"callback_id":"cb_3"}`, raw: true},
		// faults 7, another instance: a webhook whose secret was rotated
		{secret: fresh, body: `{"callback_id":"cb_4"}`, signedWith: []string{fresh, old}},
		{secret: old, body: `{"callback_id":"cb_5"}`, signedWith: []string{fresh, old}},
		{secret: "a secret that is another", body: `{"callback_id":"cb_6"}`},
	} {
		signed := make(http.Header)
		if test.signedWith == nil {
			test.signedWith = []string{test.secret}
		}
		callbacks.Sign(signed, "cb_1", time.Now(), []byte(test.body), test.signedWith...)
		headers := map[string]string{}
		for name := range signed {
			headers[strings.ToLower(name)] = signed.Get(name)
		}
		if err := json.NewEncoder(&in).Encode(map[string]any{"secret": test.secret, "raw": test.raw, "headers": headers, "body": test.body}); err != nil {
			t.Fatal(err)
		}
	}
	node := exec.CommandContext(t.Context(), "node", "standard.cjs")
	node.Dir, node.Stdin, node.Stderr = dir, &in, os.Stderr
	out, err := node.Output()
	if got := strings.Fields(string(out)); err != nil || len(got) != 6 || !slices.Equal(got[:5], []string{"cb_1", "cb_2", "cb_3", "cb_4", "cb_5"}) || got[5] == "cb_6" {
		t.Errorf("got %q, %v", out, err)
	}
}
