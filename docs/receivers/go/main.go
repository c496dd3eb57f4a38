// Command go is a receiver of Petstore's callbacks in Go, as short as the ones in other languages beside it.
//
//	CALLBACK_SECRET=whsec_cGV0c3RvcmUtZGV2ZWxvcG1lbnQtc2VjcmV0 go run ./docs/receivers/go
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"petstore/callbacks"
)

func main() {
	secret := os.Getenv("CALLBACK_SECRET")
	if callbacks.CheckSecret(secret) != nil {
		fmt.Fprintln(os.Stderr, "CALLBACK_SECRET is not set, or not base64 after whsec_")
		os.Exit(1)
	}
	listener, err := net.Listen("tcp", cmp.Or(os.Getenv("ADDR"), "127.0.0.1:3000"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("Receiving callbacks at http://%s/callbacks/order-status\n", listener.Addr())
	server := &http.Server{Handler: newReceiver(secret, os.Stdout), ReadTimeout: 30 * time.Second}
	fmt.Fprintln(os.Stderr, server.Serve(listener))
}

// orders is the work: it prints what is new of each order.
type orders struct {
	mu     sync.Mutex
	newest map[string]int64 // sequence, by order
	out    io.Writer
}

func newReceiver(secret string, out io.Writer) http.Handler {
	o := &orders{newest: map[string]int64{}, out: out}
	mux := http.NewServeMux()
	mux.Handle("POST /callbacks/order-status", callbacks.Receive(secret, o.handle))
	return mux
}

// handle is called once for each callback. What comes late changes nothing.
func (o *orders) handle(_ context.Context, u callbacks.Update) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if u.OrderID != "" && u.Sequence <= o.newest[u.OrderID] {
		return nil
	}
	o.newest[u.OrderID] = u.Sequence
	_, err := fmt.Fprintln(o.out, u.OrderID, u.Status)
	return err
}
