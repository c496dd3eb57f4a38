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
	"strings"
	"syscall"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/grade"
	"petstore/callbacks/origin"
	"petstore/callbacks/receiver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) && !errors.Is(err, grade.ErrFailed) {
		fmt.Fprintln(os.Stderr, "receiver:", err)
	}
	if status := grade.ExitStatus(err); status != 0 {
		os.Exit(status)
	}
}

// shutdownTimeout bounds how long callbacks that are being answered may take once a signal has come.
const shutdownTimeout = 5 * time.Second

// settings are what can be set, by flag or by the environment variable of the same name.
type settings struct {
	addr, secret, allowedHosts, allowedOrigins, forwardAllow string
	readyJSON                                                bool
}

func readSettings(args []string, getenv func(string) string) (s settings, err error) {
	flags := flag.NewFlagSet("receiver", flag.ContinueOnError)
	flags.StringVar(&s.addr, "addr", cmp.Or(getenv("ADDR"), "127.0.0.1:9090"), "address to listen on (ADDR); port 0 takes a free one")
	flags.StringVar(&s.secret, "callback-secret", "", "secret that callbacks are signed with (CALLBACK_SECRET)")
	flags.StringVar(&s.allowedHosts, "allowed-hosts", getenv("ALLOWED_HOSTS"), "names under which the receiver shows itself beside those of this machine, comma-separated (ALLOWED_HOSTS)")
	flags.StringVar(&s.allowedOrigins, "allowed-origins", getenv("ALLOWED_ORIGINS"), "web pages that may use it, such as https://app.example.com, comma-separated (ALLOWED_ORIGINS)")
	flags.StringVar(&s.forwardAllow, "forward-allow", getenv("FORWARD_ALLOW"), "where requests may be passed on to beside this machine: public, or networks such as 172.17.0.0/16, comma-separated (FORWARD_ALLOW)")
	flags.BoolVar(&s.readyJSON, "ready-json", false, "print one line of JSON, with the URL, as soon as it listens, and all else on stderr")
	if err := flags.Parse(args); err != nil {
		return settings{}, err
	}
	if flags.NArg() > 0 {
		return settings{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	s.secret = cmp.Or(s.secret, getenv("CALLBACK_SECRET"), callbacks.DevelopmentSecret)
	return s, callbacks.CheckSecret(s.secret)
}

// run serves until ctx ends, or grades a sender.
func run(ctx context.Context, args []string, getenv func(string) string, out, errs io.Writer) error {
	if len(args) > 0 && args[0] == "grade" {
		return gradeSender(ctx, args[1:], getenv, out, errs)
	}
	s, err := readSettings(args, getenv)
	if err != nil {
		return err
	}
	targets, err := receiver.ParseTargets(s.forwardAllow)
	if err != nil {
		return fmt.Errorf("FORWARD_ALLOW: %w", err)
	}
	pages, err := origin.ParseAll(list(s.allowedOrigins))
	if err != nil {
		return fmt.Errorf("ALLOWED_ORIGINS %w", err)
	}
	listener, err := net.Listen("tcp", s.addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("something listens on %s already, such as the receiver inside petstore: stop that, or set ADDR to another address", s.addr)
	}
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	if s.readyJSON {
		fmt.Fprintf(out, "{\"receiver_url\":%q}\n", url)
		out = errs
	}
	fmt.Fprintf(out, "Receiving callbacks at %s\n", url)
	return serve(ctx, listener, receiver.New(receiver.Options{
		Secret: s.secret, Out: out, AllowedHosts: list(s.allowedHosts, s.addr), AllowedOrigins: pages, Targets: targets,
	}))
}

// list splits lists at their commas.
func list(lists ...string) []string {
	return strings.FieldsFunc(strings.Join(lists, ","), func(r rune) bool { return r == ',' || r == ' ' })
}

func serve(ctx context.Context, listener net.Listener, handler *receiver.Receiver) error {
	server := handler.Server()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(receiver.Listen(listener)) }()
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
