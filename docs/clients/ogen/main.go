// Command ogen places an order with the client that ogen generates from the contract, and receives its updates with the
// webhook server that it generates (ogen generates nothing of callbacks; their bodies are the same):
//
//	go tool ogen -target petstore -package petstore -clean openapi.yaml
//	go run . http://127.0.0.1:8080
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"clients/petstore"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// run prints what the receiver gets, until it has heard that the order is completed.
func run(ctx context.Context, api string) error {
	client, err := petstore.NewClient(api)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	here := url.URL{Scheme: "http", Host: listener.Addr().String(), Path: "/webhook"}
	answer, err := client.CreateWebhook(ctx, &petstore.WebhookRequest{URL: here, Events: []string{"order.*"}})
	webhook, ok := answer.(*petstore.WebhookWithSecretHeaders)
	if err != nil || !ok {
		return fmt.Errorf("registering the webhook: %v %v", err, answer)
	}
	completed := make(chan bool, 10)
	server, err := petstore.NewWebhookServer(receiver{completed: completed})
	if err != nil {
		return err
	}
	http.Handle("POST /webhook", verify(webhook.Response.Secret, server.Handler("event")))
	go http.Serve(listener, nil)

	placed, err := client.CreateOrder(ctx, &petstore.OrderRequest{Product: petstore.NewOptString("dog-food")}, petstore.CreateOrderParams{})
	order, ok := placed.(*petstore.CreateOrderAcceptedHeaders)
	if err != nil || !ok {
		return fmt.Errorf("placing the order: %v %v", err, placed)
	}
	fmt.Println("order", order.Response.Status)
	select {
	case <-completed:
		return nil
	case <-ctx.Done():
		return errors.New("heard nothing of its end")
	}
}

// receiver implements what ogen has generated of webhooks.
type receiver struct {
	petstore.UnimplementedHandler
	completed chan<- bool
}

func (r receiver) WebhookEvent(_ context.Context, update *petstore.Update, params petstore.WebhookEventParams) (petstore.WebhookEventRes, error) {
	if update.CallbackID != params.WebhookID || !update.OrderID.Set {
		return &petstore.WebhookEventBadRequest{}, nil
	}
	fmt.Println("webhook", update.Type)
	if update.Status == petstore.UpdateStatusCompleted {
		r.completed <- true
	}
	return &petstore.WebhookEventOK{}, nil
}

// verify refuses what is not signed with a secret, or was signed more than five minutes ago.
func verify(secret string, next http.Handler) http.Handler {
	signed, badSecret := standardwebhooks.NewWebhook(secret)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || badSecret != nil || signed.Verify(body, r.Header) != nil {
			http.Error(w, "invalid signature", http.StatusUnauthorized)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}
