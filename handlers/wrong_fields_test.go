package handlers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// all fails the test unless the problem names just these fields, in this order, and makes sense without them.
func (r answer) all(fields ...string) {
	r.t.Helper()
	p := read[problem](r)
	var named []string
	for _, e := range p.Errors {
		named = append(named, e.Field)
	}
	if !slices.Equal(named, fields) {
		r.t.Errorf("%s %s names %q, want %q\n%s", r.Request.Method, r.Request.URL, named, fields, r.body)
	}
	if len(p.Errors) > 0 && !strings.HasPrefix(p.Detail, p.Errors[0].Field+" "+p.Errors[0].Message) {
		r.t.Errorf("the detail %q does not say what is wrong with the first field", p.Detail)
	}
}

func TestAllWrongFieldsAreNamed(t *testing.T) {
	b := newBad(t, settings{})
	tests := []struct {
		operation, body string
		fields          []string
	}{
		{"POST /api/orders", `{"callback_url":"nope","quantity":0}`, []string{"product", "quantity", "callback_url"}},
		{"POST /api/orders", `{"colour":"red","quantity":"2","product":7,"size":1,"metadata":{"b":1,"a":null}}`, []string{"product", "quantity", "metadata.b", "metadata.a", "colour", "size"}},
		{"POST /api/orders", `{"callback_events":["payment.*","order.completed","nope"],"callback_url":"ftp://a.example","product":"dog-food"}`, []string{"callback_url", "callback_events[0]", "callback_events[2]"}},
		{"POST /api/orders", `{"items":[{"product":"dog-food","quantity":0},null,{"product":1,"quantity":"x"},{"quantity":1}]}`, []string{"items[0].quantity", "items[1]", "items[2].product", "items[2].quantity", "items[3].product"}},
		{"POST /api/orders", `{"items":{},"quantity":2}`, []string{"quantity", "items"}}, // product is not missing
		{"POST /api/orders", `{"items":[{"product":"nope"},{"product":"dog-food"},{"product":"nada"}]}`, []string{"items[0].product", "items[2].product"}},
		{"POST /api/orders", `{"product":"dog-food","metadata":{"":"x","a":"` + strings.Repeat("é", 501) + `","b":"` + strings.Repeat("é", 501) + `"}}`, []string{"metadata", "metadata.a", "metadata.b"}},
		{"PUT /api/orders/{order_id}", `{"product":"x","metadata":[],"callback_url":"nope"}`, []string{"metadata", "callback_url", "product"}},
		{"PATCH /api/orders/{order_id}", `{"product":null,"metadata":[],"callback_url":7}`, []string{"metadata", "callback_url", "product"}},
		{"PATCH /api/orders/{order_id}", `{"metadata":{"":"x"},"callback_url":"nope"}`, []string{"metadata", "callback_url"}},
		{"POST /api/products", `{"slug":"A B","price":"1","stock":-1,"image_url":"cat.jpg","tags":["a",2,""]}`, []string{"slug", "name", "category", "price", "stock", "tags[1]", "image_url"}},
		{"POST /api/payments", `{"amount":"1","currency":"euro","provider":"cash","payment_method":"card","order_id":{}}`, []string{"amount", "currency", "provider", "payment_method", "order_id"}},
		{"POST /api/payments/{payment_id}/refunds", `{"amount":0,"reason":"none","callback_url":"nope"}`, []string{"amount", "reason", "callback_url"}},
		{"POST /api/reports", `{"type":"nope","from":"yesterday","to":1,"data":[1],"callback_url":"nope"}`, []string{"type", "from", "to", "callback_url"}},
		{"POST /api/reports", `{"type":"inventory","from":"2026-01-01","to":"2026-02-01","data":[1]}`, []string{"from", "to", "data"}},
		{"POST /api/images/process", `{"format":"bmp","quality":101,"operations":[{"op":"crop","x":1,"degrees":90},{"op":"spin"},{"op":"resize","width":6000,"height":6000},7],"callback_url":"nope"}`, []string{"image_url", "operations[0].width", "operations[0].height", "operations[0].degrees", "operations[1].op", "operations[2].width", "operations[2].height", "operations[3]", "format", "quality", "callback_url"}},
		{"POST /api/webhooks", `{"url":"nope","events":{},"enabled":"yes"}`, []string{"url", "events", "enabled"}},
		{"POST /api/webhooks", `{"url":"http://127.0.0.1:1/","events":["nope","order.*","nada"]}`, []string{"events[0]", "events[2]"}},
		{"PATCH /api/products/{product_id}", `{"slug":null,"name":"","price":"1","stock":-1,"image_url":"cat.jpg"}`, []string{"name", "price", "stock", "image_url"}}, // of a wrong type and of a wrong value
		{"PATCH /api/orders/{order_id}", `{"metadata":{"":"x"},"callback_url":7,"callback_events":["nope"]}`, []string{"metadata", "callback_url", "callback_events[0]"}},
		{"PATCH /api/webhooks/{webhook_id}", `{"url":"nope","description":"` + strings.Repeat("a", 501) + `"}`, []string{"url", "description"}},
		{"POST /api/callbacks/redeliver", `{"url":1,"status":"nope","order_id":2}`, []string{"order_id", "status", "url"}},
	}
	for _, test := range tests {
		method, path, _ := strings.Cut(test.operation, " ")
		b.refuse(method, b.path(path), test.body).want(422).all(test.fields...)
	}
	b.upload([]byte{}, "quality=high", "metadata=a=b", "nope=1", "callback_url=nope").want(422).all("quality", "metadata", "callback_url", "nope", "file")
	b.refuse("GET", "/api/products?nope=1&limit=0&q=&in_stock=1&min_price=x&any=1", "").want(422).all("q", "min_price", "in_stock", "limit", "any", "nope")
}

// TestWrongFieldsAreBounded: a body of a hundred thousand mistakes is not answered with as many.
func TestWrongFieldsAreBounded(t *testing.T) {
	b := newBad(t, settings{})
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, `"%d":1,`, i)
	}
	fields := strings.TrimSuffix(many.String(), ",")
	numbers := strings.TrimSuffix(strings.Repeat("1,", 100_000), ",")
	for _, body := range []string{`{` + fields + `}`, `{"metadata":{` + fields + `}}`, `{"items":[` + numbers + `]}`} {
		if p := read[problem](b.refuse("POST", "/api/orders", body).want(422)); len(p.Errors) != 20 {
			t.Errorf("%.30q is answered with %d errors, want 20", body, len(p.Errors))
		}
	}
	query := strings.TrimSuffix(strings.NewReplacer(`"`, "", ":", "=", ",", "&").Replace(fields[:10_000]), "&")
	if p := read[problem](b.refuse("GET", "/api/orders?"+query, "").want(422)); len(p.Errors) != 20 {
		t.Errorf("the query is answered with %d errors, want 20", len(p.Errors))
	}
}
