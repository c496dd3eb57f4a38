package verdict

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"petstore/callbacks/receiver/verdict/contract"
)

// inbox judges requests one after the other, with IDs from 1.
type inbox struct {
	t       *testing.T
	rules   *Rules
	history *History
	next    int
}

func newInbox(t *testing.T, o Options) *inbox {
	t.Helper()
	rules, err := NewRules(o)
	if err != nil {
		t.Fatal(err)
	}
	return &inbox{t: t, rules: rules, history: NewHistory(100)}
}

func (b *inbox) arrive(r Request) []Verdict {
	b.next++
	r.ID = strconv.Itoa(b.next)
	return b.rules.Judge(r, b.history)
}

// expect fails the test unless the verdicts of some checks are these, each with the earlier request it names.
func (b *inbox) expect(r Request, want string) {
	b.t.Helper()
	var got []string
	for _, v := range b.arrive(r) {
		if v.Check != CheckDuplicate && v.Check != CheckOrder {
			continue
		}
		text := v.Code
		if v.Earlier != "" {
			text += ":" + v.Earlier
		}
		got = append(got, text)
	}
	if strings.Join(got, " ") != want {
		b.t.Errorf("request %d: got %s, want %s", b.next, got, want)
	}
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		with func(id string) Request
	}{
		{"webhook-id", func(id string) Request { return request(`{}`, "webhook-id", id) }},
		{"callback_id", func(id string) Request { return request(`{"callback_id":"` + id + `"}`) }},
		{"GitHub", func(id string) Request { return request(`{}`, "X-GitHub-Delivery", id) }},
		{"Shopify", func(id string) Request { return request(`{}`, "X-Shopify-Event-Id", id) }},
		{"Stripe", func(id string) Request { return request(`{"id":"`+id+`"}`, "Stripe-Signature", "t=1") }},
		{"Slack", func(id string) Request { return request(`{"event_id":"`+id+`"}`, "X-Slack-Signature", "v0=") }},
	} {
		b := newInbox(t, Options{})
		b.expect(test.with("a"), IDNew)
		b.expect(test.with("b"), IDNew)
		b.expect(test.with("a"), Duplicate+":1")
		b.expect(test.with("a"), Duplicate+":1")
		changed := test.with("b")
		changed.Body = append(changed.Body, ' ')
		b.expect(changed, DuplicateChanged+":2")
		elsewhere := test.with("a")
		elsewhere.URI = "/in/box/elsewhere"
		b.expect(elsewhere, IDNew) // The same update may go to several URLs.
		if r := test.with("a"); r.DeliveryID() != "a" {
			t.Errorf("%s: DeliveryID is %q", test.name, r.DeliveryID())
		}
	}
}

func TestNoID(t *testing.T) {
	t.Parallel()
	b := newInbox(t, Options{})
	b.expect(request(`{}`), "")
	b.expect(request(`{}`, "X-Slack-Signature", "v0="), "") // A slash command.
	b.expect(request(`{}`, "X-Callback-Signature", "sha256="), IDMissing)
	b.expect(request(`{}`, "Webhook-Signature", "v1,"), IDMissing)
	b.expect(request(`{"callback_id":7}`), IDMissing)
}

func TestEventType(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		request Request
		want    string
	}{
		{request(`{"type":"order.completed"}`), "order.completed"},
		{request(`{"type":"x"}`, "x-github-event", "push"), "push"},
		{request(`{}`, "X-Shopify-Topic", "orders/create"), "orders/create"},
		{request(`{"type":1}`), ""},
		{request(`type`), ""},
	} {
		if got := test.request.EventType(); got != test.want {
			t.Errorf("%s %v: %q, want %q", test.request.Body, test.request.Headers, got, test.want)
		}
	}
}

func update(sequence int, id string) Request {
	return request(fmt.Sprintf(`{"callback_id":%q,"task_id":"task_1","sequence":%d}`, id, sequence))
}

func TestOrder(t *testing.T) {
	t.Parallel()
	b := newInbox(t, Options{})
	b.expect(update(1, "a"), IDNew+" "+OrderOK)
	b.expect(update(3, "c"), IDNew+" "+OrderOK) // Progress that was overtaken may be left out.
	b.expect(update(2, "b"), IDNew+" "+OrderLate+":2")
	b.expect(update(1, "a"), Duplicate+":1") // A repetition is not out of order.
	b.expect(update(3, "d"), IDNew+" "+OrderRepeated+":2")
	b.expect(request(`{"task_id":"task_2","sequence":1}`), OrderOK)
	b.expect(request(`{"task_id":"task_2","sequence":"2"}`), "")
	b.expect(request(`{"task_id":"task_2"}`), "")
	b.expect(request(`{"sequence":1}`), "")
}

// TestForgeryMakesNoDuplicate: what anybody can send must not decide about what the sender sends.
func TestForgeryMakesNoDuplicate(t *testing.T) {
	t.Parallel()
	b := newInbox(t, Options{Secret: "s"})
	forged, genuine := update(5, "a"), update(1, "a")
	b.expect(forged, IDNew+" "+OrderOK)
	var err error
	if genuine.Headers, err = Sign(genuine, SchemeArticle, "s", noon); err != nil {
		t.Fatal(err)
	}
	b.expect(genuine, IDNew+" "+OrderOK)
	b.expect(genuine, Duplicate+":2")
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	b := newInbox(t, Options{})
	for i := range 1000 {
		b.arrive(request(fmt.Sprintf(`{"callback_id":"cb_%d","task_id":"task_%d","sequence":1}`, i, i)))
	}
	h := b.history
	if h.ids.Len() != 100 || h.tasks.Len() != 100 {
		t.Errorf("%d ids, %d tasks", h.ids.Len(), h.tasks.Len())
	}
	b.expect(request(`{"callback_id":"cb_999"}`), DuplicateChanged+":1000")
	b.expect(request(`{"callback_id":"cb_0"}`), IDNew)
}

// TestTogether has many requests with one id at once: one of them is the first.
func TestTogether(t *testing.T) {
	t.Parallel()
	rules, err := NewRules(Options{Contract: shop(t)})
	if err != nil {
		t.Fatal(err)
	}
	h := NewHistory(10)
	found := make(chan string, 50)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { found <- codes(rules.Judge(update(1, "a"), h), CheckDuplicate) })
	}
	wg.Wait()
	close(found)
	firsts := 0
	for code := range found {
		if code == IDNew {
			firsts++
		}
	}
	if firsts != 1 {
		t.Errorf("%d firsts", firsts)
	}
}

const shopDocument = `{"openapi":"3.1.0","info":{"title":"x","version":"1"},"paths":{"/orders":{"post":{"responses":{"202":{"description":"ok"}},
	"callbacks":{"onPaid":{"{$request.body#/url}":{"post":{"requestBody":{"required":true,"content":{"application/json":{"schema":
	{"type":"object","required":["id"],"properties":{"id":{"type":"string"},"price":{"type":"number"}}}}}},"responses":{"200":{"description":"ok"}}}}}}}}},
	"webhooks":{"moved":{"post":{"requestBody":{"content":{"application/json":{"schema":{"type":"object","required":["parcel"]}}}},"responses":{"200":{"description":"ok"}}}}}}`

func shop(t *testing.T) *contract.Contract {
	t.Helper()
	c, err := contract.Read([]byte(shopDocument))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSchema(t *testing.T) {
	t.Parallel()
	b := newInbox(t, Options{Contract: shop(t)})
	schemaOf := func(r Request) string {
		var all []string
		for _, v := range b.arrive(r) {
			if v.Check == CheckSchema {
				all = append(all, fmt.Sprint(v.Code, " ", v.OK, " ", v.Field, " ", v.Text))
			}
		}
		return strings.Join(all, "; ")
	}
	jsonRequest := func(body string) Request { return request(body, "Content-Type", "application/json") }
	put, long := jsonRequest(`{}`), jsonRequest(`"`+strings.Repeat("x", MaxBody)+`"`)
	put.Method = "PUT"
	for _, test := range []struct {
		request Request
		want    string
	}{
		{jsonRequest(`{"id":"1"}`), "schema_ok true  It fits callback onPaid of POST /orders."},
		{jsonRequest(`{"parcel":"1"}`), "schema_ok true  It fits webhook moved."},
		{jsonRequest(`{"parcel":[],"price":"2"}`), "schema_ok true  It fits webhook moved."},
		{jsonRequest(`{"price":1}`), "schema_mismatch false /id /id: missing (onPaid)."},
		{jsonRequest(`[]`), "schema_mismatch false  The body: got array, want object (onPaid)."},
		{put, "schema_no_match false  The contract announces no PUT to /in/box."},
		{long, "schema_unchecked true  Bodies longer than 1048576 bytes are not held against the contract."},
	} {
		if got := schemaOf(test.request); got != test.want {
			t.Errorf("%.100s:\n got %s\nwant %s", test.request.Body, got, test.want)
		}
	}
	b.rules.Cause(contract.Exchange{Method: "POST", URL: "http://shop.example/orders", Body: []byte(`{"url":"http://me.example/in/box"}`)}, b.history)
	want := `schema_mismatch false /id /id: got number, want string (onPaid).; ` +
		`schema_mismatch false /price /price: got string, want number (onPaid).`
	if got := schemaOf(jsonRequest(`{"id":1,"price":"2"}`)); got != want {
		t.Errorf("with a known cause:\n got %s\nwant %s", got, want)
	}
}

func BenchmarkJudge(b *testing.B) {
	rules, err := NewRules(Options{Secret: whsec})
	if err != nil {
		b.Fatal(err)
	}
	h := NewHistory(10_000)
	r := request(standardBody, "Host", "x", "Content-Type", "application/json", "webhook-id", standardID, "webhook-timestamp", "1614265330", "webhook-signature", standardV1)
	r.At = time.Unix(standardAt, 0)
	for b.Loop() {
		if got := rules.Judge(r, h); !OK(got) {
			b.Fatal(got)
		}
	}
}
