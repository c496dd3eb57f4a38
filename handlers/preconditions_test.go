package handlers_test

import "testing"

// TestPreconditions is faults 9 to 11: each resource that has an ETag holds what changes and removes it to If-Match and
// If-None-Match, with lists and repeated lines (RFC 9110, section 13.1).
func TestPreconditions(t *testing.T) {
	a := newAPI(t, settings{})
	webhook := read[map[string]any](a.do("POST", "/api/webhooks", `{"url":"http://127.0.0.1:9/","events":["*"]}`).want(201))["webhook_id"].(string)
	order := a.order(`{"product":"dog-food"}`).OrderID
	for at, patch := range map[string]string{
		"/api/products/dog-food": `{"price":1}`, "/api/webhooks/" + webhook: `{"events":["order.*"]}`, "/api/orders/" + order: `{"metadata":{"a":"b"}}`,
	} {
		current := a.do("GET", at, "").want(200).Header.Get("ETag")
		a.do("GET", at, "", "If-None-Match: "+current).want(304)
		a.do("GET", at, "", `If-None-Match: "999", W/`+current).want(304)
		a.do("GET", at, "", `If-Match: "nope"`).want(412).names("If-Match")
		for _, method := range []string{"PATCH", "DELETE"} {
			body := map[string]string{"PATCH": patch}[method]
			a.do(method, at, body, `If-Match: "nope"`).want(412).names("If-Match")
			a.do(method, at, body, "If-Match: W/"+current).want(412).names("If-Match")
			a.do(method, at, body, `If-Match: "nope"`, `If-Match: "no,pe"`).want(412).names("If-Match")
			a.do(method, at, body, "If-None-Match: *").want(412).names("If-None-Match")
			a.do(method, at, body, "If-None-Match: "+current).want(412).names("If-None-Match")
		}
		changed := a.do("PATCH", at, patch, `If-Match: "999", `+current).want(200).Header.Get("ETag")
		if changed == current || changed == "" {
			t.Errorf("%s: the ETag was %s and is %s", at, current, changed)
		}
		a.do("PATCH", at, patch, "If-Match: "+current).want(412)
		a.do("PATCH", at, patch, `If-Match: "nope"`, "If-Match: "+changed, `If-None-Match: "other"`).want(200)
	}
	a.do("PUT", "/api/products/dog-food", `{"name":"Dog food","category":"dog","price":1}`, "If-None-Match: *").want(412) // faults 9
	a.do("POST", "/api/orders/"+order+"/cancel", "", `If-Match: "nope"`).want(412)
	a.do("POST", "/api/orders/"+order+"/cancel", "", "If-Match: *").want(200)
	a.do("DELETE", "/api/products/nope", "", "If-Match: *").want(404)
}

// TestWholeNumbers is faults 16: 1.0 and 1e0 are integers by JSON Schema; 1.5 is none.
func TestWholeNumbers(t *testing.T) {
	a := newAPI(t, settings{})
	for number, status := range map[string]int{"1.0": 202, "1e0": 202, "10e-1": 202, "1.5": 422, "1e99": 422, "9007199254740993.0": 422, "1e999": 422, "9223372036854775808": 422} {
		r := a.do("POST", "/api/orders", `{"items":[{"product":"dog-food","quantity":`+number+`}]}`).want(status)
		if status == 422 {
			r.names("items[0].quantity")
		}
	}
	a.do("PATCH", "/api/products/dog-food", `{"price":100.0}`).want(200)
	a.do("PATCH", "/api/products/dog-food", `{"price":100.5}`).want(422).names("price")
}
