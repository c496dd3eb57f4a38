package callbacks_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"petstore/callbacks"
)

// A receiver: each verified callback is handled once.
func ExampleReceive() {
	receiver := callbacks.Receive("my secret", func(_ context.Context, u callbacks.Update) error {
		fmt.Println(u.OrderID, u.Status, u.Progress)
		return nil // An error would answer 500, and the callback would come again.
	})
	mux := http.NewServeMux()
	mux.Handle("/callbacks/order-status", receiver)
	server := httptest.NewServer(mux)
	defer server.Close()

	sender := callbacks.NewSender(callbacks.SenderOptions{Policy: callbacks.DevelopmentPolicy()})
	defer sender.Close()
	delivery := callbacks.Delivery{
		URL:    server.URL + "/callbacks/order-status",
		ID:     "cb_1",
		Body:   []byte(`{"callback_id":"cb_1","order_id":"ord_1","status":"completed","progress":100}`),
		Signer: callbacks.SignWith("my secret"),
	}
	for range 2 {
		fmt.Println(sender.Send(context.Background(), delivery).Body)
	}
	// Output:
	// ord_1 completed 100
	// OK
	// Already processed
}

// Signing and verifying by hand, without the middleware.
func ExampleVerify() {
	body := []byte(`{"callback_id":"cb_1","status":"completed"}`)
	header := http.Header{}
	callbacks.Sign(header, "cb_1", time.Now(), body, "my secret")
	fmt.Println(header.Get("X-Callback-Signature"))

	fmt.Println(callbacks.Verify(header, body, "my secret", time.Now()))
	fmt.Println(callbacks.Verify(header, body, "another secret", time.Now()))
	fmt.Println(callbacks.Verify(header, body, "my secret", time.Now().Add(time.Hour)))
	// Output:
	// sha256=77a0b8ae8f1caf084815acda348da9c84e059d896f092c938ca99149dead29c9
	// <nil>
	// callbacks: signature does not match
	// callbacks: signature is too old or from the future
}

// Sending, and what to do with what came of it.
func ExampleSender() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		http.Error(w, "Down for maintenance", http.StatusServiceUnavailable)
	}))
	defer server.Close()

	sender := callbacks.NewSender(callbacks.SenderOptions{Policy: callbacks.DevelopmentPolicy()})
	defer sender.Close()
	body, err := callbacks.Encode(callbacks.Update{CallbackID: "cb_1", Status: callbacks.StatusCompleted})
	if err != nil {
		panic(err)
	}
	attempt := sender.Send(context.Background(), callbacks.Delivery{
		URL: server.URL, ID: "cb_1", Body: body, Signer: callbacks.SignWith(callbacks.DevelopmentSecret),
	})
	fmt.Println(attempt.Outcome(), attempt.Status, attempt.RetryAfter)

	wait, ok := callbacks.ProductionSchedule().Next(1, attempt.RetryAfter)
	fmt.Println(ok, wait >= 2*time.Minute, wait < 2*time.Minute+5*time.Second)
	// Output:
	// failed 503 2m0s
	// true true true
}

// Bodies are written as ECMAScript writes them.
func ExampleEncode() {
	body, err := callbacks.Encode(map[string]any{"name": "<Zoë> & co", "10": 1e21, "9": "first"})
	fmt.Println(string(body), err)
	// Output: {"9":"first","10":1e+21,"name":"<Zoë> & co"} <nil>
}

// Next says how long to wait: half way through the jitter, what Waits say.
func ExampleSchedule() {
	schedule := callbacks.DevelopmentSchedule()
	schedule.Rand = func() float64 { return 0.5 }
	for attempts := 1; ; attempts++ {
		wait, ok := schedule.Next(attempts, 0)
		if !ok {
			fmt.Println("exhausted after", attempts, "attempts")
			return
		}
		fmt.Println(wait.Round(time.Second))
	}
	// Output:
	// 1s
	// 2s
	// 4s
	// 8s
	// 16s
	// 32s
	// 1m0s
	// exhausted after 8 attempts
}
