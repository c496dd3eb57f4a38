// Command oapi-codegen places an order with the client that oapi-codegen generates from the contract, and receives
// the order's callbacks and webhooks with the receivers that it generates:
//
//	go tool oapi-codegen -generate types,client,std-http-server -package petstore -o petstore/petstore.go openapi.yaml
//	CALLBACK_SECRET=… go run . http://127.0.0.1:8080
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"clients/petstore"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Args[1], os.Getenv("CALLBACK_SECRET")); err != nil {
		log.Fatal(err)
	}
}

// run prints what the receivers get, until both have heard that the order is completed.
func run(ctx context.Context, api, secret string) error {
	client, err := petstore.NewClientWithResponses(api)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	here := "http://" + listener.Addr().String()
	webhook, err := client.CreateWebhookWithResponse(ctx, petstore.WebhookRequest{Url: here + "/webhook", Events: []string{"order.*"}})
	if err != nil || webhook.JSON201 == nil {
		return fmt.Errorf("registering the webhook: %v %s", err, webhook.Body)
	}
	completed := make(chan string, 10)
	r := receiver{completed: completed}
	http.Handle("POST /webhook", petstore.WebhookEventWebhookHandler(r, nil, verify(webhook.JSON201.Secret)))
	http.Handle("POST /callback", petstore.OrderUpdateCallbackHandler(r, nil, verify(secret)))
	go http.Serve(listener, nil)

	callbackURL, product := here+"/callback", "dog-food"
	order, err := client.CreateOrderWithResponse(ctx, nil, petstore.OrderRequest{Product: &product, CallbackUrl: &callbackURL})
	if err != nil || order.JSON202 == nil {
		return fmt.Errorf("placing the order: %v %s", err, order.Body)
	}
	fmt.Println("order", order.JSON202.Status)
	for heard := map[string]bool{}; len(heard) < 2; {
		select {
		case how := <-completed:
			heard[how] = true
		case <-ctx.Done():
			return fmt.Errorf("heard only by %v", heard)
		}
	}
	return nil
}

// receiver implements what oapi-codegen has generated of the order's callbacks and the webhooks; the others panic.
type receiver struct {
	petstore.CallbackReceiverInterface
	petstore.WebhookReceiverInterface
	completed chan<- string
}

func (r receiver) HandleOrderUpdateCallback(w http.ResponseWriter, req *http.Request, params petstore.OrderUpdateParams) {
	r.take(w, req, "callback", params.WebhookId)
}

func (r receiver) HandleWebhookEventWebhook(w http.ResponseWriter, req *http.Request, params petstore.WebhookEventParams) {
	r.take(w, req, "webhook", params.WebhookId)
}

func (r receiver) take(w http.ResponseWriter, req *http.Request, how, id string) {
	var update petstore.Update
	if err := json.NewDecoder(req.Body).Decode(&update); err != nil || update.CallbackId != id || update.OrderId == nil {
		http.Error(w, "no update of an order", http.StatusBadRequest)
		return
	}
	fmt.Println(how, update.Type)
	if update.Status == petstore.UpdateStatusCompleted {
		r.completed <- how
	}
}

// verify refuses what is not signed with a secret, or was signed more than five minutes ago.
func verify(secret string) func(http.Handler) http.Handler {
	signed, badSecret := standardwebhooks.NewWebhook(secret)
	return func(next http.Handler) http.Handler {
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
}
