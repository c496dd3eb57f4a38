package receiver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"petstore/callbacks"
)

// call makes a request of the receiver and returns what is answered.
func (b *bench) call(method, path, body string, headers ...string) (int, string) {
	b.t.Helper()
	request, err := http.NewRequest(method, b.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(answer)
}

// listed is a list of requests as JSON has it.
type listed struct {
	Items []struct {
		summary
		message
		Answer *struct {
			answerSummary
			message
		} `json:"answer"`
		Forwards []struct {
			Kind   string `json:"kind"`
			URL    string `json:"url"`
			Status int    `json:"status"`
			Error  string `json:"error"`
		} `json:"forwards"`
	} `json:"items"`
	Count    int  `json:"count"`
	Dropped  int  `json:"dropped"`
	TimedOut bool `json:"timed_out"`
}

func (b *bench) requests(inbox, query string) listed {
	b.t.Helper()
	status, body := b.call("GET", "/inboxes/"+inbox+"/requests?"+query, "")
	var l listed
	if err := json.Unmarshal([]byte(body), &l); err != nil || status != 200 {
		b.t.Errorf("%s?%s: %d %s", inbox, query, status, body)
	}
	return l
}

func TestInboxTakesAnything(t *testing.T) {
	b := newBench(t)
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"} {
		if status, body := b.call(method, "/in/mine/any%20path/?own=parameter", "body of "+method); status != 200 || body != "OK" {
			t.Errorf("%s: %d %s", method, status, body)
		}
	}
	b.call("POST", "/in/mine", "\xff\x00")
	got := b.requests("mine", "")
	if got.Count != 8 || got.Items[1].Path != "/in/mine/any%20path/" || *got.Items[1].Body != "body of POST" || got.Items[7].Path != "/in/mine" {
		t.Errorf("got %+v", got)
	}
	if last := got.Items[7]; last.Body != nil || string(last.BodyBase64) != "\xff\x00" {
		t.Errorf("got %+v", last)
	}
	for i, item := range got.Items {
		if item.Number != int64(i+1) || item.Answer.Status != 200 || item.Verdict == "" {
			t.Errorf("item %d: %+v", i, item)
		}
	}
}

// TestUnmatchedIsListed (faults 3): a path with a typing error is answered, listed and printed, with a hint.
func TestUnmatchedIsListed(t *testing.T) {
	b := newBench(t)
	for path, hint := range map[string]string{
		"/callbacks/orders": "order-status", "/callback/reports": "reports", "/callbacks/imgae": "image", "/callbacks/payments": "payment",
		"/callbacks/order-status/": "order-status", "/Callbacks/Webhook": "webhook", "//callbacks/order-status": "order-status",
		"/hook": "/in/mine/hook", "/in/": "such as /in/mine", "/in/bad%20name/x": "1 to 100 letters", "/in/unmatched/x": "1 to 100 letters",
	} {
		status, body := b.call("POST", path, "{}")
		if status != 404 || !strings.Contains(body, hint) || !strings.Contains(body, `"code":"NOT_FOUND"`) {
			t.Errorf("%s: %d %s", path, status, body)
		}
		if line := <-b.out; !strings.Contains(line, "✗ POST "+strings.ReplaceAll(path, "%20", " ")) && !strings.Contains(line, path) || !strings.Contains(line, hint) {
			t.Errorf("%s: printed %q", path, line)
		}
		items := b.requests("unmatched", "path="+url.QueryEscape(path)).Items
		if len(items) != 1 || !strings.Contains(items[0].Hint, hint) {
			t.Errorf("%s: listed %+v", path, items)
		}
	}
	if status, _ := b.call("GET", "/callbacks/order-status", ""); status != 405 {
		t.Errorf("GET of a callback route: %d", status)
	}
	if status, _ := b.call("GET", "/favicon.ico", ""); status != 404 {
		t.Errorf("favicon: %d", status)
	}
	if got := b.requests("unmatched", ""); got.Count != 12 {
		t.Errorf("%d requests", got.Count)
	}
}

// TestWrongMethodIsListed (faults 3, another instance): the path is right and the method is not.
func TestWrongMethodIsListed(t *testing.T) {
	b := newBench(t)
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		status, body := b.call(method, "/callbacks/order-status", "{}")
		if status != 405 || !strings.Contains(body, "POST") {
			t.Errorf("%s: %d %s", method, status, body)
		}
		if line := <-b.out; !strings.Contains(line, "✗ "+method+" /callbacks/order-status") {
			t.Errorf("%s: printed %q", method, line)
		}
		if got := b.requests("unmatched", "method="+method); got.Count != 1 || got.Items[0].Answer.Status != 405 {
			t.Errorf("%s: listed %+v", method, got)
		}
	}
}

func TestSettings(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/inboxes/a", "", 404, "NOT_FOUND"},
		{"PATCH", "/inboxes/a", "{}", 404, "NOT_FOUND"},
		{"PUT", "/inboxes/a", `{"secret":"s","scheme":"github","script":[{"status":500,"times":2}],"forward_to":"http://localhost:1/x"}`, 201, `"has_secret":true,"scheme":"github"`},
		{"GET", "/inboxes/a", "", 200, `"script":[{"times":2,"status":500}],"forward_to":"http://localhost:1/x"`},
		{"PATCH", "/inboxes/a", `{"script":[{"delay":0.5}],"forward_to":null}`, 200, `"has_secret":true,"scheme":"github","has_contract":false,"cause":null,"script":[{"delay":"500ms"}],"forward_to":""`},
		{"PUT", "/inboxes/a", "", 200, `"has_secret":false,"scheme":"","has_contract":false,"cause":null,"script":[],"forward_to":""`},
		{"PUT", "/inboxes/default", `{"script":[{"times":1,"status":503}]}`, 200, `"has_secret":true`},
		{"PUT", "/inboxes/default", `{"secret":"another"}`, 422, `"field":"secret"`},
		{"PUT", "/inboxes/unmatched", `{}`, 422, `"field":"inbox"`},
		{"PUT", "/inboxes/a%20b", `{}`, 422, `"field":"inbox"`},
		{"PUT", "/inboxes/a", `{"sceret":"s"}`, 422, `"field":"sceret"`},
		{"PUT", "/inboxes/a", `{"refuse_unverified":true}`, 422, `"field":"refuse_unverified"`},
		{"PUT", "/inboxes/a", `{"refuse_unverified":true,"secret":"s"}`, 200, `"refuse_unverified":true`},
		{"GET", "/inboxes/default", "", 200, `"refuse_unverified":true`},
		{"PUT", "/inboxes/a", `{"script":[{"satus":500}]}`, 422, `"field":"script[0].satus"`},
		{"PUT", "/inboxes/a", `{"script":[{"times":1},{"delay":"soon"}]}`, 422, `"field":"script[1].delay"`},
		{"PUT", "/inboxes/a", `{"script":"x"}`, 422, `"field":"script"`},
		{"PUT", "/inboxes/a", `{"script":[{},{}]}`, 422, `"field":"script[0]"`},
		{"PUT", "/inboxes/a", `{"scheme":"x"}`, 422, `"field":"scheme"`},
		{"PUT", "/inboxes/a", `{"secret":"whsec_!","scheme":"standard"}`, 422, `"field":"secret"`},
		{"PUT", "/inboxes/a", `{"forward_to":"http://10.0.0.1/"}`, 422, `"field":"forward_to"`},
		{"PUT", "/inboxes/a", `{"forward_to":"ftp://127.0.0.1/"}`, 422, `"field":"forward_to"`},
		{"PUT", "/inboxes/a", `{"contract":"no: document"}`, 422, `"field":"contract"`},
		{"PUT", "/inboxes/a", `{"contract":"http://10.0.0.1/"}`, 422, `"field":"contract"`},
		{"PUT", "/inboxes/a", `[]`, 400, "MALFORMED_REQUEST"},
		{"PUT", "/inboxes/a", `{} x`, 400, "MALFORMED_REQUEST"},
		{"PUT", "/inboxes/a", `{"secret":"` + strings.Repeat("x", 9<<20) + `"}`, 413, "BODY_TOO_LARGE"},
		{"POST", "/inboxes/a", ``, 405, "METHOD_NOT_ALLOWED"},
		{"DELETE", "/inboxes/a", "", 204, ""},
		{"DELETE", "/inboxes/a", "", 404, "NOT_FOUND"},
		{"DELETE", "/inboxes/a/requests", "", 404, "NOT_FOUND"},
		{"GET", "/inboxes", "", 200, `"count":2,"removed":0,"limits":{"inboxes":1000,"requests":1000,"bytes":67108864}`},
	} {
		status, body := b.call(test.method, test.path, test.body)
		if status != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s %s %.80s: %d %s, want %d %s", test.method, test.path, test.body, status, body, test.status, test.want)
		}
	}
}

// TestStripped (security 9, another instance): yesterday's callback without the headers that have a time is refused by an inbox, and by the
// article's routes, that are told to want Standard Webhooks. One without the time alone is refused whatever they are told.
func TestStripped(t *testing.T) {
	b := newBench(t)
	recorded, body := http.Header{}, `{"callback_id":"cb_1","order_id":"1","status":"completed"}`
	callbacks.Sign(recorded, "cb_1", time.Now().Add(-24*time.Hour), []byte(body), secret)
	article := []string{"X-Callback-Signature", recorded.Get("X-Callback-Signature")}
	undated := append([]string{"Webhook-Id", "cb_1", "Webhook-Signature", recorded.Get("Webhook-Signature")}, article...)
	for path, inbox := range map[string]string{"/in/strict": "strict", "/callbacks/order-status": "default"} {
		for scheme, want := range map[string][2]int{"": {200, 401}, "standard": {401, 401}} {
			status, answer := b.call("PUT", "/inboxes/"+inbox, `{"secret":"`+secret+`","refuse_unverified":true,"scheme":"`+scheme+`"}`)
			if status != 200 && status != 201 {
				t.Fatalf("%d %s", status, answer)
			}
			for i, headers := range [][]string{article, undated} {
				if status, _ := b.call("POST", path, body, headers...); status != want[i] {
					t.Errorf("%s, scheme %q, %v: %d, want %d", path, scheme, headers[:1], status, want[i])
				}
			}
		}
	}
}

// TestRefuse: an inbox that refuses what it can't verify answers as the article's routes do, whatever its query asks for.
func TestRefuse(t *testing.T) {
	b := newBench(t)
	b.call("PUT", "/inboxes/strict", `{"secret":"the right one","refuse_unverified":true}`)
	now, body := time.Now(), []byte(`{"callback_id":"cb_1"}`)
	for secret, want := range map[string]int{"": 401, "another one": 401, "the right one": 204} {
		header := http.Header{}
		if secret != "" {
			callbacks.Sign(header, "cb_1", now, body, secret)
		}
		var sent []string
		for name := range header {
			sent = append(sent, name, header.Get(name))
		}
		status, answer := b.call("POST", "/in/strict?status=204", string(body), sent...)
		if status != want || want == 401 && answer != "Invalid signature" {
			t.Errorf("signed with %q: %d %s, want %d", secret, status, answer, want)
		}
	}
	old := http.Header{}
	callbacks.Sign(old, "cb_2", now.Add(-time.Hour), body, "the right one")
	if status, _ := b.call("POST", "/in/strict", string(body), "Webhook-Id", "cb_2", "Webhook-Timestamp", old.Get("Webhook-Timestamp"), "Webhook-Signature", old.Get("Webhook-Signature")); status != 401 {
		t.Errorf("signed an hour ago: %d, want 401", status)
	}
}

func TestStepsRefused(t *testing.T) {
	b := newBench(t)
	for _, step := range []string{
		`"times":-1`, `"times":1000001`, `"probability":1.1`, `"probability":-1`, `"probability":0.5,"times":1`, `"by":"x"`, `"delay":"61s"`, `"delay":-1`,
		`"status":199`, `"status":600`, `"retry_after":-1`, `"retry_after":86401`, `"retry_after_date":true`, `"headers":{"a b":"c"}`, `"headers":{"a":"b\n"}`,
		`"redirect":"a\nb"`, `"slow_body":"11m"`, `"huge_body":-2`, `"huge_body":1073741825`, `"truncate":-1`, `"drop":"x"`, `"bad_http":"x"`, `"hold":"11m"`,
		`"repeat":101`, `"repeat":-1`,
	} {
		if status, body := b.call("PUT", "/inboxes/a", `{"script":[{`+step+`}]}`); status != 422 || !strings.Contains(body, `"field":"script[0].`) {
			t.Errorf("%s: %d %s", step, status, body)
		}
	}
}

func TestFilters(t *testing.T) {
	b := newBench(t)
	b.call("PUT", "/inboxes/a", `{"secret":"s"}`)
	b.call("POST", "/in/a/x", `{"order_id":"ord_1","n":1.50,"items":[{"sku":"A"},{"sku":"B","null":null}]}`, "X-Kind", "one")
	b.call("POST", "/in/a/x/y", `{"order_id":"ord_2","n":2}`, "X-Kind", "two", "X-Hub-Signature-256", "sha256="+strings.Repeat("00", 32))
	b.call("GET", "/in/a/z?status=404", "")
	for query, want := range map[string]int{
		"": 3, "body.order_id=ord_1": 1, "body.n=1.50": 1, "body.n=1.5": 0, "body.items.1.sku=B": 1, "body.items.1.null=null": 1, "body.items.2.sku=B": 0, "body.x=": 0,
		"header=x-kind": 2, "header=X-Kind:+two": 1, "header=X-Kind:three": 0, "method=GET": 1, "path=/in/a/x": 1, "path=/in/a/x*": 2, "text=ORD_": 2, "text=oRD_2": 1,
		"text=nothing": 0, "text=hub-sig": 1, "status=200": 2, "status=404": 1, "after=1": 2, "after=3": 0, "before=3": 2, "type=": 3, "type=x": 0, "verdict=not_ok": 3, "verdict=signature_missing": 2, "verdict=signature_mismatch": 1, "verdict=ok": 0,
		"header=x-kind&body.order_id=ord_2": 1, "limit=2": 2, "delivery_id=x": 0,
	} {
		if got := b.requests("a", query).Count; got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	if got := b.requests("a", "order=newest&limit=2&view=summary").Items; len(got) != 2 || got[0].Number != 3 || got[0].Headers != nil || got[0].Body != nil {
		t.Errorf("newest: %+v", got)
	}
	if got := b.requests("*", ""); got.Count != 3 || got.Items[0].Inbox != "a" {
		t.Errorf("all inboxes: %+v", got)
	}
	for _, query := range []string{"wait=61s", "wait=x", "count=0", "count=1001", "limit=0", "order=x", "view=x", "view=", "after=-1", "status=x", "bdoy.x=1"} {
		if status, body := b.call("GET", "/inboxes/a/requests?"+query, ""); status != 422 || !strings.Contains(body, `"errors":[`) {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
}

// TestRequestsWait waits in an inbox that isn't there yet.
func TestRequestsWait(t *testing.T) {
	b := newBench(t)
	got := make(chan listed)
	go func() { got <- b.requests("later", "wait=30s&count=2&body.n=2") }()
	for i := range 3 {
		b.call("POST", "/in/later", fmt.Sprintf(`{"n":%d}`, 1+i%2))
	}
	b.call("POST", "/in/later", `{"n":2}`)
	if l := <-got; l.Count != 2 || l.TimedOut || l.Items[0].Answer == nil {
		t.Errorf("got %+v", l)
	}
	if l := b.requests("later", "wait=10ms&count=5"); !l.TimedOut || l.Count != 4 {
		t.Errorf("got %+v", l)
	}
	go func() { got <- b.requests("never", "wait=60s") }()
	b.receiver.Close()
	if l := <-got; !l.TimedOut {
		t.Errorf("got %+v", l)
	}
}

func TestEmptyStartsAnew(t *testing.T) {
	b := newBench(t)
	b.call("PUT", "/inboxes/a", `{"script":[{"times":1,"status":500}]}`)
	for range 2 {
		first, _ := b.call("POST", "/in/a", `{"callback_id":"cb_1"}`)
		second, _ := b.call("POST", "/in/a", `{"callback_id":"cb_1"}`)
		if items := b.requests("a", "").Items; first != 500 || second != 200 || items[1].Attempt != 2 || items[1].Verdicts[len(items[1].Verdicts)-1].Code != "duplicate" {
			t.Errorf("%d, %d, %+v", first, second, items)
		}
		if status, _ := b.call("DELETE", "/inboxes/a/requests", ""); status != 204 {
			t.Errorf("DELETE: %d", status)
		}
	}
	if got := b.requests("a", ""); got.Count != 0 || got.Items == nil {
		t.Errorf("got %+v", got)
	}
}

// TestReceivedBodies (faults 4): what GET /received lists as body is what was signed, to the byte.
func TestReceivedBodies(t *testing.T) {
	b := newBench(t)
	for _, body := range []string{`{"callback_id":"1", "a":"<&>\u2028` + "\u2028" + `",  "a":1.0}`, `[1 , 2]`, `"\u0041"`, "no JSON <&>", "{\"a\":\"\xff\"}", ""} {
		b.call("DELETE", "/received", "")
		b.exchangeRaw(fmt.Sprintf("POST /callbacks/webhook HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body), 1)
		_, answer := b.call("GET", "/received", "")
		if json.Valid([]byte(body)) && !strings.Contains(body, "\xff") {
			if !strings.Contains(answer, `,"body":`+body+`}],"count":1}`) {
				t.Errorf("%q: %s", body, answer)
			}
			continue
		}
		var r received
		if err := json.Unmarshal([]byte(answer), &r); err != nil || len(r.Items) != 1 {
			t.Errorf("%q: %v in %s", body, err, answer)
			continue
		}
		var text string
		if _ = json.Unmarshal(r.Items[0].Body, &text); text != strings.ToValidUTF8(body, "\ufffd") {
			t.Errorf("%q: %q", body, text)
		}
	}
}

func TestBodies(t *testing.T) {
	b := newBench(t)
	long := strings.Repeat("x", callbacks.MaxBody+10)
	for _, path := range []string{"/in/a", "/callbacks/webhook"} {
		if status, body := b.call("POST", path, long); status != 413 || !strings.Contains(body, "Body too long") {
			t.Errorf("%s: %d %s", path, status, body)
		}
		statuses := b.exchangeRaw("POST "+path+" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n", 1)
		if statuses[0] != 400 {
			t.Errorf("%s, broken off: %v", path, statuses)
		}
	}
	for _, inbox := range []string{"a", DefaultInbox} {
		got := b.receiver.Requests(inbox, nil)
		if len(got) != 2 || got[0].BodyError != bodyTooLong || len(got[0].Body) != callbacks.MaxBody || got[1].BodyError != bodyIncomplete || string(got[1].Body) != "abc" {
			t.Errorf("%s: %d requests, %q, %q", inbox, len(got), got[0].BodyError, got[1].BodyError)
		}
	}
}
