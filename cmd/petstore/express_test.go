package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/docs/nodetest"
)

// express is the article's Express app under Node: its handlers as they are
// printed, see testdata/express.
type express struct {
	url  string
	told chan told
}

// told is what one of the article's handlers has done.
type told struct {
	Event   string `json:"event"`
	URL     string `json:"url"`
	OrderID string `json:"order_id"`
	Status  string `json:"status"`
	Text    string `json:"text"`
	Result  struct {
		Summary string `json:"summary"`
	} `json:"result"`
	Error callbacks.Error `json:"error"`
}

func startExpress(t *testing.T, secret string) *express {
	t.Helper()
	dir := filepath.Join("testdata", "express")
	nodetest.Need(t, dir)
	ctx, cancel := context.WithCancel(context.Background())
	node := exec.CommandContext(ctx, "node", "run.js")
	node.Dir, node.Stderr = dir, os.Stderr
	node.Env = append(os.Environ(), "CALLBACK_SECRET="+secret)
	out, err := node.StdoutPipe()
	if err == nil {
		err = node.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	e := &express{told: make(chan told, 1000)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		e.listen(out)
	}()
	t.Cleanup(func() {
		cancel()
		<-read
		_ = node.Wait() // killed
	})
	e.url = e.next(t, "listen").URL
	return e
}

func (e *express) listen(out io.Reader) {
	defer close(e.told)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line told
		if json.Unmarshal(lines.Bytes(), &line) == nil {
			e.told <- line
		}
	}
}

// next returns what was told next, which must be this event. Answers are of
// interest only to those who ask for them.
func (e *express) next(t *testing.T, event string) told {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		select {
		case got := <-e.told:
			if got.Event == event {
				return got
			}
			if got.Event != "answered" {
				t.Fatalf("the article's handlers tell %+v, want the event %s", got, event)
			}
		case <-deadline.C:
			t.Fatalf("the article's handlers have not told %s", event)
		}
	}
}

// post sends the Express app a callback that is not ours.
func (e *express) post(t *testing.T, body, signature string) (int, string) {
	t.Helper()
	req, err := http.NewRequest("POST", e.url+"/callbacks/order-status", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if signature != "" {
		req.Header.Set("X-Callback-Signature", signature)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// oddities are metadata that JavaScript, JSON and HTML each have their own
// opinion of.
var oddities = map[string]map[string]string{
	"none":           nil,
	"array indexes":  {"10": "ten", "9": "nine", "01": "no index", "-1": "no index", "4294967294": "the last index", "4294967295": "no index", "a": "b"},
	"prototype":      {"__proto__": "x", "constructor": "y", "toString": "z", "hasOwnProperty": "", "toJSON": "t"},
	"emoji":          {"🐕‍🦺": "👩🏽‍🚀🐈", "é": "é"},
	"line ends":      {"a\u2028b": "c\u2029d", "crlf": "\r\n", "nel": "\u0085"},
	"quotes":         {`"`: `'"` + "`", `\`: `\\"\`, "/": `\/`},
	"HTML":           {"<script>": "</script><!--&amp;-->"},
	"escapes":        {"text": `\ud800 \u0041 \n \x00 %00`},
	"controls":       {"\x01\x1f\x7f": "\b\f\n\r\t\v", "c1": "\u0080\u009f"},
	"odd characters": {"\ufeff": "\ufffd\ufffe\uffff", "right to left": "\u202e\u2066", "last": "\U0010ffff\U00010000"},
	"numbers":        {"1e3": "1e400", "0.1": "-0", "": ""},
	"long":           {strings.Repeat("n", 64): strings.Repeat("🐕", 500), "b": strings.Repeat("é", 500)},
}

// TestArticleExpress shows that the article's handler verifies every callback,
// whatever clients put into their metadata, and reads what it has to tell.
func TestArticleExpress(t *testing.T) {
	s := startHookServer(t)
	e := startExpress(t, callbacks.DevelopmentSecret)
	largest := map[string]string{} // the most that metadata may hold, written with six bytes each
	for i := range 32 {
		largest[fmt.Sprint("name", i)] = strings.Repeat("\x01", 500)
	}
	oddities["largest"] = largest
	for name, metadata := range oddities {
		delete(metadata, "") // is no name
		t.Run(name, func(t *testing.T) {
			request, err := json.Marshal(map[string]any{"product": "dog-food", "metadata": metadata, "callback_url": e.url + "/callbacks/order-status"})
			if err != nil {
				t.Fatal(err)
			}
			if metadata == nil {
				request = []byte(`{ "product": "dog-food", "callback_url": "` + e.url + `/callbacks/order-status" }`)
			}
			id := s.do("POST", "/api/orders", string(request), 202)["order_id"]
			got := e.next(t, "updateOrder")
			if got.OrderID != id || got.Status != "completed" || got.Result.Summary != "1 item, 24.99 USD: your order is ready" {
				t.Errorf("the article's handler got %+v", got)
			}
			if got := e.next(t, "sendNotification"); got.OrderID != id || got.Text != "Your order is ready!" {
				t.Errorf("the article's handler notified %+v", got)
			}
		})
	}
	expectDeliveredAtOnce(t, s)
}

// TestArticleExpressFailure shows that the article's handler can read why an
// order failed.
func TestArticleExpressFailure(t *testing.T) {
	s := startHookServer(t)
	e := startExpress(t, callbacks.DevelopmentSecret)
	s.do("PATCH", "/api/products/dog-food", `{"stock":1}`, 200)
	id := s.do("POST", "/api/orders", `{"product":"dog-food","quantity":2,"metadata":{"10":"\u2028","9":"__proto__"},"callback_url":"`+e.url+`/callbacks/order-status"}`, 202)["order_id"]
	want := callbacks.Error{Code: "OUT_OF_STOCK", Message: "There are not 2 of dog-food in stock"}
	if got := e.next(t, "updateOrder"); got.OrderID != id || got.Status != "failed" || got.Error != want {
		t.Errorf("the article's handler got %+v", got)
	}
	if got := e.next(t, "sendNotification"); got.Text != "Order processing failed" {
		t.Errorf("the article's handler notified %+v", got)
	}
	expectDeliveredAtOnce(t, s)
}

// expectDeliveredAtOnce fails the test if a callback was refused.
func expectDeliveredAtOnce(t *testing.T, s *hookServer) {
	t.Helper()
	s.finishJobs()
	items := s.do("GET", "/api/callbacks?limit=100", "", 200)["items"].([]any)
	if len(items) == 0 {
		t.Error("no callback was made")
	}
	for _, item := range items {
		d := item.(map[string]any)
		if d["status"] == "superseded" && d["attempts"] == 0.0 {
			continue
		}
		if d["status"] != "delivered" || d["attempts"] != 1.0 || d["status_code"] != 200.0 {
			t.Errorf("a callback was not accepted at once: %v", d)
		}
	}
}

// TestArticleExpressRefuses shows that what we did not send, or others have
// changed, is answered 401.
func TestArticleExpressRefuses(t *testing.T) {
	e := startExpress(t, "a secret")
	const body = `{"callback_id":"cb_1","order_id":"ord_1","status":"completed","result":{"summary":"ready"}}`
	header := http.Header{}
	callbacks.Sign(header, "cb_1", time.Now(), []byte(body), "a secret")
	signature := header.Get(callbacks.HeaderSignature)
	callbacks.Sign(header, "cb_1", time.Now(), []byte(body), "another secret")
	for name, test := range map[string]struct{ body, signature string }{
		"unsigned":       {body, ""},
		"tampered":       {strings.Replace(body, "ord_1", "ord_2", 1), signature},
		"other secret":   {body, header.Get(callbacks.HeaderSignature)},
		"no prefix":      {body, strings.TrimPrefix(signature, "sha256=")},
		"capitals":       {body, "sha256=" + strings.ToUpper(strings.TrimPrefix(signature, "sha256="))},
		"cut off":        {body, signature[:len(signature)-1]},
		"of another one": {`{}`, signature},
	} {
		if status, answer := e.post(t, test.body, test.signature); status != 401 || answer != "Invalid signature" {
			t.Errorf("%s: the answer is %d %s", name, status, answer)
		}
	}
	if status, answer := e.post(t, body, signature); status != 200 || answer != "OK" {
		t.Errorf("the real one: the answer is %d %s", status, answer)
	}
	if got := e.next(t, "updateOrder"); got.OrderID != "ord_1" { // and nothing before it
		t.Errorf("the article's handler got %+v", got)
	}
}

// TestArticleIdempotency shows that the article's set of callback_ids keeps a
// callback that comes again from being processed twice.
func TestArticleIdempotency(t *testing.T) {
	s := startHookServer(t)
	e := startExpress(t, callbacks.DevelopmentSecret)
	id := s.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"`+e.url+`/callbacks/webhook"}`, 202)["order_id"].(string)
	got := e.next(t, "processOnce")
	for got.Status == "processing" { // progress that was told on the way
		got = e.next(t, "processOnce")
	}
	if got.OrderID != id || got.Status != "completed" {
		t.Errorf("the article's handler got %+v", got)
	}
	e.next(t, "answered")
	s.finishJobs()
	items := s.do("GET", "/api/callbacks?status=delivered&limit=1&order_id="+id, "", 200)["items"].([]any) // the newest
	delivery := items[0].(map[string]any)["delivery_id"].(string)
	s.do("POST", "/api/callbacks/"+delivery+"/redeliver", "", 202)
	e.next(t, "answered") // without having processed anything
	s.finishJobs()
	attempts := s.do("GET", "/api/callbacks/"+delivery, "", 200)["attempts"].([]any)
	answers := make([]any, len(attempts))
	for i := range attempts {
		answers[i] = attempts[i].(map[string]any)["body"]
	}
	if fmt.Sprint(answers) != "[OK Already processed]" {
		t.Errorf("the answers were %v", answers)
	}
}

// finishJobs returns once what came of the callbacks that were answered is stored.
func (s *hookServer) finishJobs() {
	s.t.Helper()
	if err := s.app.queue.Stop(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	s.app.dispatcher.Stop()
	if err := s.app.queue.Start(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	s.app.dispatcher.Start()
}
