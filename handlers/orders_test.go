package handlers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"petstore/callbacks"
)

// TestArticleOrder is the article's first example, with a receiver that is here.
func TestArticleOrder(t *testing.T) {
	a := newAPI(t, settings{step: 200 * time.Millisecond}) // long enough for progress to be told
	receiver := newReceiver(t)
	a.start()
	accepted := a.do("POST", "/api/orders", `{ "product": "dog-food", "callback_url": "`+receiver.url+`" }`).want(202)
	placed := read[order](accepted)
	if placed.Status != "processing" || placed.OrderID == "" || accepted.Header.Get("Location") != "/api/orders/"+placed.OrderID {
		t.Errorf("answered %s, Location %s", accepted.body, accepted.Header.Get("Location"))
	}

	got := receiver.wait(t, ended(placed.OrderID))
	if len(got) != 2 || got[0].Type != "order.progress" || got[0].Message != "Packing item 1 of 1" {
		t.Errorf("called back with %+v", got)
	}
	last := got[len(got)-1]
	if last.OrderID != placed.OrderID || last.Type != "order.completed" || last.Status != "completed" || last.Progress != 100 {
		t.Errorf("the last callback is %s", last.body)
	}

	shown := read[order](a.do("GET", "/api/orders/"+placed.OrderID, "").want(200))
	if shown.Status != "completed" || shown.Result.Summary != "1 item, 24.99 USD: your order is ready" {
		t.Errorf("the order is %+v", shown)
	}
	var told []string // what polling tells is what the callbacks told, to the byte
	for _, update := range read[page[json.RawMessage]](a.do("GET", "/api/tasks/"+placed.TaskID+"/updates", "").want(200)).Items {
		told = append(told, string(update))
	}
	for _, u := range got {
		if !slices.Contains(told, u.body) {
			t.Errorf("the callback %s is not among the updates %s", u.body, told)
		}
	}
}

// TestCallbackEvents has a callback_url told of what the client asked for: no progress, please.
func TestCallbackEvents(t *testing.T) {
	a := newAPI(t, settings{step: 200 * time.Millisecond})
	quiet, later := newReceiver(t), newReceiver(t)
	o := a.order(`{"product":"dog-food","callback_url":"` + quiet.url + `","callback_events":["order.completed","order.failed"]}`)
	changed := a.order(`{"product":"dog-food","callback_url":"` + later.url + `","callback_events":["order.cancelled"]}`)
	at := "/api/orders/" + changed.OrderID
	a.do("PATCH", at, `{"callback_events":["order.progress","order.*ed"]}`).want(422).names("callback_events[1]")
	if got := fmt.Sprint(read[map[string]any](a.do("PATCH", at, `{"callback_events":["order.c*"]}`).want(200))["callback_events"]); got != "[order.c*]" {
		t.Errorf("told of %s", got)
	}
	all := a.order(`{"product":"dog-food","callback_url":"` + later.url + `","callback_events":["order.cancelled"]}`)
	a.do("PATCH", "/api/orders/"+all.OrderID, `{"callback_events":null}`).want(200)
	for events, field := range map[string]string{
		`["payment.*"]`: "callback_events[0]", `["*","order.created"]`: "callback_events[1]", `["order.done"]`: "callback_events[0]",
		`[]`: "callback_events", `["*","*"]`: "callback_events", `"*"`: "callback_events", `[""]`: "callback_events[0]",
	} {
		a.do("POST", "/api/orders", `{"product":"dog-food","callback_events":`+events+`}`).want(422).names(field)
	}
	for path, request := range map[string]string{ // which nobody can cancel
		"/api/reports": `{"type":"sales","callback_events":["report.cancelled"]}`, "/api/payments": `{"amount":100,"provider":"stripe","callback_events":["payment.cancelled"]}`,
	} {
		a.do("POST", path, request).want(422).names("callback_events[0]")
	}
	a.start()
	if got := quiet.wait(t, ended(o.OrderID)); len(got) != 1 || got[0].Type != "order.completed" {
		t.Errorf("called back with %+v", got)
	}
	got := later.wait(t, func(got []received) bool { return ended(changed.OrderID)(got) && ended(all.OrderID)(got) })
	progress := 0
	for _, u := range got {
		if u.Type == "order.progress" && u.OrderID == changed.OrderID {
			t.Errorf("told of %s", u.body)
		}
		if u.OrderID == all.OrderID {
			progress++
		}
	}
	if progress < 2 {
		t.Errorf("%d callbacks of the order that asks for all", progress)
	}
}

func TestOrderItems(t *testing.T) {
	a := newAPI(t, settings{})
	toy := read[product](a.do("POST", "/api/products", catToy).want(201))
	placed := read[order](a.do("POST", "/api/orders", `{"items":[{"product":"dog-food","quantity":2},{"product":"`+toy.ProductID+`"},{"product":"dog-food"}]}`).want(202))
	if got := fmt.Sprint(placed.Items); got != "[{dog-food 2 2499} {cat-toy 1 499} {dog-food 1 2499}]" {
		t.Errorf("items are %s", got)
	}
	if placed.Total != 3*2499+499 {
		t.Errorf("the total is %d", placed.Total)
	}
	// What was agreed to does not change with the catalogue.
	a.do("PATCH", "/api/products/cat-toy", `{"price":1,"slug":"new-toy"}`).want(200)
	shown := read[order](a.do("GET", "/api/orders/"+placed.OrderID, "").want(200))
	if fmt.Sprint(shown.Items) != fmt.Sprint(placed.Items) || shown.Total != placed.Total {
		t.Errorf("the order has become %+v", shown)
	}

	a.do("POST", "/api/products", strings.NewReplacer("cat-toy", "euro-toy", `"price"`, `"currency":"EUR","price"`).Replace(catToy)).want(201)
	a.do("POST", "/api/orders", `{"items":[{"product":"dog-food"},{"product":"euro-toy"}]}`).want(422).names("items[1].product")
}

// oddMetadata is what clients put into names and values.
func oddMetadata() map[string]string {
	return map[string]string{
		"10": "ten", "9": "nine", "01": "zero one", "-1": "minus", "4294967295": "not an index", "1e3": "",
		"__proto__": "polluted", "constructor": "x", "toString": "y", "hasOwnProperty": "z", "": "",
		"emoji": "🐕‍🦺 👩🏽‍🚀 é é", "separators": "a\u2028b\u2029c", "quotes": `"'\"\\` + "`", "script": "</script><!--<script>&amp;",
		"controls": "\x01\b\f\n\r\t\x1f\x7f\u0080", "escape": `\ud800 \u0000 \n`, "right": "\u202eright to left\ufeff\ufffd\uffff", "a\"b\\c": "name",
		"long": strings.Repeat("🐈", 500), strings.Repeat("n", 64): "long name",
	}
}

func TestMetadataComesBack(t *testing.T) {
	a := newAPI(t, settings{})
	receiver := newReceiver(t)
	a.start()
	metadata := oddMetadata()
	delete(metadata, "") // names have at least one character
	body, err := json.Marshal(map[string]any{"product": "dog-food", "callback_url": receiver.url, "metadata": metadata})
	must(t, err)
	placed := read[order](a.do("POST", "/api/orders", string(body)).want(202))
	got := receiver.wait(t, ended(placed.OrderID))
	last := got[len(got)-1]
	shown := read[order](a.do("GET", "/api/orders/"+placed.OrderID, "").want(200))
	for who, m := range map[string]map[string]string{"answer": placed.Metadata, "callback": last.Metadata, "order": shown.Metadata} {
		if !maps.Equal(m, metadata) {
			t.Errorf("the %s has the metadata %q, want %q", who, m, metadata)
		}
	}
}

func TestOutOfStock(t *testing.T) {
	a := newAPI(t, settings{})
	receiver := newReceiver(t)
	a.start()
	a.do("POST", "/api/products", catToy).want(201)
	placed := read[order](a.do("POST", "/api/orders", `{"items":[{"product":"dog-food"},{"product":"cat-toy","quantity":13}],"callback_url":"`+receiver.url+`"}`).want(202))
	got := receiver.wait(t, ended(placed.OrderID))
	last := got[len(got)-1]
	want := callbacks.Error{Code: "OUT_OF_STOCK", Message: "There are not 13 of cat-toy in stock"}
	if last.Type != "order.failed" || last.Error == nil || *last.Error != want || string(last.Result) != `{"error":`+string(encode(t, want))+`}` {
		t.Errorf("called back with %s", last.body)
	}
	shown := read[order](a.do("GET", "/api/orders/"+placed.OrderID, "").want(200))
	if shown.Status != "failed" || shown.Error != want || shown.Result.Error != want {
		t.Errorf("the order is %+v", shown)
	}
	for slug, stock := range map[string]int64{"cat-toy": 12, "dog-food": 1_000_000} {
		if p := read[product](a.do("GET", "/api/products/"+slug, "").want(200)); p.Stock != stock {
			t.Errorf("%d of %s are left, want %d", p.Stock, slug, stock)
		}
	}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	body, err := json.Marshal(v)
	must(t, err)
	return body
}

func TestCancelAndDelete(t *testing.T) {
	a := newAPI(t, settings{})
	receiver := newReceiver(t)
	placed := read[order](a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"`+receiver.url+`"}`).want(202))
	at := "/api/orders/" + placed.OrderID
	a.do("DELETE", at, "").want(409)
	if got := read[order](a.do("POST", at+"/cancel", "").want(200)); got.Status != "cancelled" {
		t.Errorf("cancelled is %+v", got)
	}
	a.do("POST", at+"/cancel", "").want(409)
	a.do("PUT", at, `{}`).want(409)
	a.do("PATCH", at, `{"metadata":{"a":"b"}}`).want(409)
	a.do("DELETE", at, "").want(204)
	for _, request := range []string{"GET ", "DELETE ", "POST /cancel"} {
		method, suffix, _ := strings.Cut(request, " ")
		a.do(method, at+suffix, "").want(404)
	}
	a.do("PUT", at, `{}`).want(404)
	a.do("PATCH", at, `{}`).want(404)

	// What was promised is still told.
	a.start()
	got := receiver.wait(t, ended(placed.OrderID))
	if last := got[len(got)-1]; last.Type != "order.cancelled" || last.Status != "cancelled" {
		t.Errorf("called back with %s", last.body)
	}
	if got := read[task](a.do("GET", "/api/tasks/"+placed.TaskID, "").want(200)); got.Status != "cancelled" {
		t.Errorf("the task is %+v", got)
	}
}

func TestChangeOrder(t *testing.T) {
	a := newAPI(t, settings{})
	receiver := newReceiver(t)
	placed := read[order](a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"http://127.0.0.1:1/first","metadata":{"a":"1"}}`).want(202))
	tests := []struct{ method, body, want string }{
		{"PATCH", `{}`, `http://127.0.0.1:1/first map[a:1]`},
		{"PATCH", `{"metadata":{"b":"2"}}`, `http://127.0.0.1:1/first map[a:1 b:2]`},
		{"PATCH", `{"metadata":{"a":null,"nope":null}}`, `http://127.0.0.1:1/first map[b:2]`},
		{"PATCH", `{"callback_url":null}`, `none map[b:2]`},
		{"PATCH", `{"metadata":null}`, `none map[]`},
		{"PATCH", `{"metadata":{"c":"3","d":null}}`, `none map[c:3]`},
		{"PUT", `{"callback_url":"http://127.0.0.1:1/put"}`, `http://127.0.0.1:1/put map[]`},
		{"PUT", `{}`, `none map[]`},
		{"PUT", `{"metadata":{"d":"4"},"callback_url":"` + receiver.url + `"}`, receiver.url + ` map[d:4]`},
	}
	for _, test := range tests {
		for _, o := range []order{
			read[order](a.do(test.method, "/api/orders/"+placed.OrderID, test.body).want(200)),
			read[order](a.do("GET", "/api/orders/"+placed.OrderID, "").want(200)),
		} {
			url := "none"
			if o.CallbackURL != nil {
				url = *o.CallbackURL
			}
			if got := fmt.Sprint(url, " ", o.Metadata); got != test.want {
				t.Errorf("after %s %s it is %s, want %s", test.method, test.body, got, test.want)
			}
			if o.Metadata == nil {
				t.Errorf("after %s %s metadata is null", test.method, test.body)
			}
		}
	}
	a.start()
	got := receiver.wait(t, ended(placed.OrderID))
	if !maps.Equal(got[len(got)-1].Metadata, callbacks.Metadata{"d": "4"}) {
		t.Errorf("called back with %s", got[len(got)-1].body)
	}
}

func TestOrderFilters(t *testing.T) {
	a := newAPI(t, settings{})
	ids := map[string]string{}
	for _, name := range []string{"dog-food", "cat-food", "dog-leash"} {
		ids[read[order](a.do("POST", "/api/orders", `{"product":"`+name+`"}`).want(202)).OrderID] = name
	}
	for id, name := range ids {
		if name == "cat-food" {
			a.do("POST", "/api/orders/"+id+"/cancel", "").want(200)
		}
	}
	catFood := read[product](a.do("GET", "/api/products/cat-food", "").want(200))
	tests := map[string]string{
		"": "dog-leash cat-food dog-food", "status=processing": "dog-leash dog-food", "status=cancelled": "cat-food",
		"status=failed": "", "product=dog-food": "dog-food", "product=" + catFood.ProductID: "cat-food",
		"product=cat-food&status=processing": "", "product=nope": "", "limit=2": "dog-leash cat-food",
	}
	for query, want := range tests {
		var names []string
		for _, o := range read[page[order]](a.do("GET", "/api/orders?"+query, "").want(200)).Items {
			names = append(names, ids[o.OrderID])
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("?%s: %s, want %s", query, got, want)
		}
	}
	var walked []string
	for o := range pages[order](a, "/api/orders?limit=1") {
		walked = append(walked, ids[o.OrderID])
	}
	if fmt.Sprint(walked) != "[dog-leash cat-food dog-food]" {
		t.Errorf("page by page: %v", walked)
	}
}

func TestTask(t *testing.T) {
	a := newAPI(t, settings{})
	placed := read[order](a.do("POST", "/api/orders", `{"product":"dog-food"}`).want(202))
	at := "/api/tasks/" + placed.TaskID
	// Nobody works on it yet: to wait ends when the time is up.
	for _, query := range []string{"", "?wait=0", "?wait=0s", "?wait=10ms"} {
		if got := read[task](a.do("GET", at+query, "").want(200)); got.Status != "processing" || got.ResourceID != placed.OrderID || got.Sequence != 1 {
			t.Errorf("%s: %+v", query, got)
		}
	}
	preferences := map[string]string{"wait=0": "wait=0", "respond-async, Wait = 0": "wait=0", "wait": "", "wait=-1": "", "wait=soon": "", "return=minimal": ""}
	for preference, applied := range preferences {
		if got := a.do("GET", at, "", "Prefer: "+preference).want(200).Header.Get("Preference-Applied"); got != applied {
			t.Errorf("Prefer: %s: applied is %q, want %q", preference, got, applied)
		}
	}
	for _, wait := range []string{"61", "-1", "x", "", "1e1", "9999999999999", "1h"} {
		a.do("GET", at+"?wait="+wait, "").want(422).names("wait")
	}
	a.do("GET", "/api/tasks/task_nope", "").want(404)
	a.do("GET", "/api/tasks/task_nope/updates", "").want(404)

	// Both ways of waiting hear of the end.
	answers := make(chan answer)
	go func() { answers <- a.do("GET", at+"?wait=60", "") }()
	go func() { answers <- a.do("GET", at, "", "Prefer: wait=60") }()
	a.start()
	for range 2 {
		if got := read[task]((<-answers).want(http.StatusOK)); got.Status != "completed" || got.Progress != 100 {
			t.Errorf("waited for %+v", got)
		}
	}
	updates := read[page[callbacks.Update]](a.do("GET", at+"/updates", "").want(200)).Items
	for i, u := range updates {
		if u.Sequence != int64(i+1) || u.TaskID != placed.TaskID {
			t.Errorf("update %d is %+v", i, u)
		}
	}
	if last := updates[len(updates)-1]; last.Type != "order.completed" || updates[0].Type != "order.created" {
		t.Errorf("updates are %+v", updates)
	}
}
