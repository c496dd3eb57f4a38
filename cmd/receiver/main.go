// Command receiver runs the sample receiver of callbacks alone. See package petstore/callbacks/receiver for its
// routes, and open its address in a browser for a summary.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/receiver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		os.Exit(1)
	}
}

// shutdownTimeout bounds how long callbacks that are being answered may take once a signal has come.
const shutdownTimeout = 5 * time.Second

// run serves until ctx ends.
func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("receiver", flag.ContinueOnError)
	addr := flags.String("addr", cmp.Or(getenv("ADDR"), "127.0.0.1:9090"), "address to listen on (ADDR)")
	secret := flags.String("callback-secret", "", "secret that callbacks are signed with (CALLBACK_SECRET)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	key := cmp.Or(*secret, getenv("CALLBACK_SECRET"), callbacks.DevelopmentSecret)
	if err := callbacks.CheckSecret(key); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("something listens on %s already, such as the receiver inside petstore: stop that, or set ADDR to another address", *addr)
	}
	if err != nil {
		return err
	}
	return serve(ctx, listener, receiver.New(receiver.Options{Secret: key, Out: out}), out)
}

func serve(ctx context.Context, listener net.Listener, handler *receiver.Receiver, out io.Writer) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second}
	server.RegisterOnShutdown(handler.Close)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Fprintf(out, "Receiving callbacks at http://%s\n", listener.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(stopping)
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
