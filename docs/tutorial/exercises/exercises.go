// Package exercises is for you to write: one function for each page of the tutorial.
//
//	go test ./docs/tutorial/exercises -mine -run Place   tests your function
//	go test ./docs/tutorial/exercises                    tests those of package solutions
package exercises

import (
	"context"
	"errors"
	"net/http"
	"time"

	"petstore/callbacks"
)

var errNotWritten = errors.New("not written yet")

// Place orders dog food from an API at a URL such as http://127.0.0.1:8080, to be told of it at callbackURL. It returns
// the Location of the order without waiting for it; or an error with the code of the problem, if it is refused.
func Place(ctx context.Context, api, callbackURL string) (location string, err error) {
	return "", errNotWritten
}

// Outcome orders dog food, and waits for the callback that ends the order, at a receiver of its own on a free port.
// Callbacks are signed with callbacks.DevelopmentSecret. Forged ones are answered 401.
func Outcome(ctx context.Context, api string) (callbacks.Update, error) {
	return callbacks.Update{}, errNotWritten
}

// Follow gives each update of a stream of server-sent events to handle, until one has ended its task. When the
// connection breaks, it goes on where it was.
func Follow(ctx context.Context, url string, handle func(callbacks.Update)) error {
	return errNotWritten
}

// Process says "process" over a WebSocket, with {"data":data}, and returns the update that ends the task.
func Process(ctx context.Context, url, data string) (callbacks.Update, error) {
	return callbacks.Update{}, errNotWritten
}

// Wait returns the status in which a task ends. taskURL is such as http://127.0.0.1:8080/api/tasks/task_1. It asks
// as rarely as the server lets it.
func Wait(ctx context.Context, taskURL string) (status string, err error) {
	return "", errNotWritten
}

// Choose says how a client should hear of work: "answer" (wait for the response), "stream", "callback" or "polling".
func Choose(takes time.Duration, browser, reachable bool) string {
	return ""
}

// Handler is the article's handler: it verifies callbacks, calls update for orders that have completed or failed, and
// answers 200 OK. When update fails, the callback has to come again.
func Handler(secret string, update func(orderID, status string) error) http.Handler {
	return http.NotFoundHandler()
}

// Register registers a webhook for everything that ends an order, and for nothing else. The secret is the one that
// its callbacks will be signed with.
func Register(ctx context.Context, api, url string) (id, secret string, err error) {
	return "", "", errNotWritten
}

// Describe says in a line what a callback tells. Of the article's three patterns:
//
//	task_123 is completed
//	task_123 is at 50 %: Processing items 500-1000
//	task_123 has failed: Failed to process image (PROCESSING_ERROR)
func Describe(body []byte) string {
	return ""
}

// Verify verifies the signature of Standard Webhooks, without package callbacks. Of two signatures one is enough.
// Signatures more than five minutes old, or as far in the future, are refused.
func Verify(h http.Header, body []byte, secret string, now time.Time) bool {
	return false
}

// CheckURL returns an error unless a callback URL is fit for production: https, and no private address.
func CheckURL(raw string) error {
	return errNotWritten
}

// Once returns a function that handles each id successfully once, however often and from however many goroutines it
// is called. It returns when the id has been handled, or handling it has failed.
func Once(handle func(id string) error) func(id string) error {
	return func(string) error { return errNotWritten }
}
