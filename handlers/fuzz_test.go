package handlers_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"petstore/docs/contracttest"
)

// FuzzAPI sends anything to any endpoint. Whatever it is, the answer is one of
// the contract's, never a 5xx; and what was refused, or only read, has written
// nothing.
func FuzzAPI(f *testing.F) {
	for _, operation := range contracttest.Load(f).Operations() {
		method, path, _ := strings.Cut(operation, " ")
		body := valid[operation]
		f.Add(method, path, "Content-Type: application/json\r\nIf-Match: \"1\"", body)
		f.Add(method, path+"?limit=2&wait=0&status=processing", "If-None-Match: W/\"1\", *\r\nPrefer: wait=0", body)
	}
	f.Add("POST", "/api/orders", "Content-Type: application/json", `{"items":[{"product":"dog-food","quantity":2}],"metadata":{"a":"b"},"callback_url":"http://127.0.0.1:9090/callbacks/order-status"}`)
	f.Add("PATCH", "/api/products/{product_id}", "Content-Type: application/merge-patch+json", `{"tags":null,"price":1,"name":null,"x":[{}]}`)
	f.Add("PATCH", "/api/orders/{order_id}", "Content-Type: application/json", `{"metadata":{"a":null,"\ud83d\udc15":"\u0000"},"callback_url":null}`)
	f.Add("GET", "/api/products?category=cat&tag=food&min_price=1&max_price=2&in_stock=true&q=%25", "Accept: */*", "")
	f.Add("GET", "/api/callbacks?order_id=a&task_id=b&callback_id=c&url=d&cursor=e&cursor=%00%ff", "", "")
	f.Add("BREW", "/api/%2e%2e/orders/\x00", "Transfer-Encoding: chunked", "0\r\n\r\n")

	a := newAPI(f, settings{})
	ids := a.fill()
	unchanged := a.watch()
	f.Fuzz(func(t *testing.T, method, path, headers, body string) {
		path = ids.path(path)
		if strings.Contains(path, "wait") || strings.Contains(headers, "wait") {
			headers, path = strings.ReplaceAll(headers, "wait", "w"), strings.ReplaceAll(path, "wait=", "wait=0&w=") // the fuzzer is in a hurry
		}
		raw := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: petstore\r\n%s\r\nContent-Length: %d\r\n\r\n%s", method, path, headers, len(body), body)
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			return // not HTTP: net/http answers by itself
		}
		sent, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(sent))
		if slices.Contains(endless, req.URL.Path) {
			return
		}
		recorder := httptest.NewRecorder()
		a.handler.ServeHTTP(recorder, req)
		res := recorder.Result()
		got := recorder.Body.Bytes()
		if req.Method == http.MethodHead {
			got = nil // net/http leaves it out
		}
		checkExchange(t, req, sent, res, got)
		reads := req.Method == http.MethodGet || req.Method == http.MethodHead || req.Method == http.MethodOptions
		if !unchanged() && (res.StatusCode >= 300 || reads) {
			t.Errorf("%s %s answers %d and writes", req.Method, req.URL, res.StatusCode)
		}
	})
}
