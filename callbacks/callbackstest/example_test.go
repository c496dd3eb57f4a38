package callbackstest_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/callbackstest"
)

// tell is the code under test: something that calls back, and tries again.
func tell(url string) {
	sender := callbacks.NewSender(callbacks.SenderOptions{Policy: callbacks.DevelopmentPolicy()})
	defer sender.Close()
	delivery := callbacks.Delivery{
		URL: url, ID: "cb_1", Signer: callbacks.SignWith(callbacks.DevelopmentSecret),
		Body: []byte(`{"callback_id":"cb_1","order_id":"ord_1","status":"completed"}`),
	}
	for range 3 {
		if sender.Send(context.Background(), delivery).Outcome() == callbacks.Delivered {
			return
		}
	}
}

// A test waits for a callback, and looks at what came.
func ExampleNew() {
	example(func(t testing.TB) { //nolint:thelper // it is the test
		inbox := callbackstest.New(t)
		tell(inbox.URL + "/orders")

		callback := inbox.Wait(t, callbackstest.Field("order_id", "ord_1"))
		status, _ := callback.Field("status")
		fmt.Println(callback.Method, callback.Header("Content-Type"), status)
		fmt.Println(callback.Verdict(), callback.Verdicts[0].Code)
	})
	// Output:
	// POST application/json completed
	// ok signature_ok
}

// The receiver is out of order for two requests: does the sender come back?
func ExampleInbox_Script() {
	example(func(t testing.TB) { //nolint:thelper // it is the test
		inbox := callbackstest.New(t)
		inbox.Script(t,
			callbackstest.Step{Drop: "before", Times: 1},
			callbackstest.Step{Status: http.StatusServiceUnavailable, Delay: callbackstest.Duration(time.Millisecond), Times: 1},
		)
		tell(inbox.URL)

		inbox.Wait(t, callbackstest.Answered(200))
		for _, attempt := range inbox.Received() {
			fmt.Println(attempt.Attempt, attempt.Answer.Status, attempt.Answer.Fault)
		}
	})
	// Output:
	// 1 0 drop before
	// 2 503 delay, status
	// 3 200
}

// example runs a test outside go test, which has a T of its own.
func example(test func(testing.TB)) {
	t := new(fakeT)
	defer t.end()
	test(t)
}

type fakeT struct {
	testing.TB
	cleanups []func()
}

func (t *fakeT) Helper()                        {}
func (t *fakeT) Context() context.Context       { return context.Background() }
func (t *fakeT) Cleanup(f func())               { t.cleanups = append(t.cleanups, f) }
func (t *fakeT) Errorf(format string, a ...any) { fmt.Printf(format+"\n", a...) }
func (t *fakeT) Fatalf(format string, a ...any) { panic(fmt.Sprintf(format, a...)) }

func (t *fakeT) end() {
	for _, f := range t.cleanups {
		f()
	}
}
