package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"petstore/callbacks"
)

// compare does the same work again and again, hears of it in another way each
// time, and shows what each way costs. The server is a real one, on a database
// of its own, and everything goes through loopback connections whose bytes are
// counted.
func compare(ctx context.Context, args []string, out io.Writer) (err error) {
	b := benchmark{busy: map[net.Conn]struct{}{}}
	fs := flag.NewFlagSet("petstore compare", flag.ContinueOnError)
	fs.IntVar(&b.orders, "orders", 20, "how many orders are placed at once, 1 to 1000")
	fs.DurationVar(&b.work, "work", 2*time.Second, "how long an order takes, 10ms to 1m")
	fs.DurationVar(&b.interval, "poll", 500*time.Millisecond, "how often polling asks, 1ms to 1m")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 || b.orders < 1 || b.orders > 1000 || b.work < 10*time.Millisecond || b.work > time.Minute || b.interval < time.Millisecond || b.interval > time.Minute {
		return errors.New("usage: petstore compare [-orders 20] [-work 2s] [-poll 500ms]")
	}
	stop, err := b.startServer(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	fmt.Fprintf(out, "\n%d orders at once, %s of work each. Heard of by\n", b.orders, b.work)
	figures := make([]figure, len(transports))
	for i, t := range transports {
		fmt.Fprintf(out, "  %-13s %s\n", t.name, t.describe(&b))
		if figures[i], err = b.measure(ctx, t); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	newChart(out).show(figures)
	return nil
}

// startServer starts a server that is gone after stop, with its database.
func (b *benchmark) startServer(ctx context.Context) (stop func() error, err error) {
	dir, err := os.MkdirTemp("", "petstore-compare-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the database: %w", err)
	}
	app, err := New(ctx, Config{
		Addr: "127.0.0.1:0", DatabaseURL: filepath.Join(dir, "petstore.db"),
		CallbackSecret: callbacks.DevelopmentSecret, StepDelay: b.work, Env: envDevelopment,
	}, io.Discard)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop = func() error {
		stopping, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		return errors.Join(app.Close(stopping), os.RemoveAll(dir))
	}
	app.apiServer.ConnState = b.watch
	if err := app.Start(ctx); err != nil {
		return nil, errors.Join(err, stop())
	}
	b.url = app.URL()
	return stop, nil
}
