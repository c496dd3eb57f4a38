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
	l := lab{busy: map[net.Conn]struct{}{}}
	fs := flag.NewFlagSet("petstore compare", flag.ContinueOnError)
	fs.IntVar(&l.orders, "orders", 20, "how many orders are placed at once, 1 to 1000")
	fs.DurationVar(&l.work, "work", 2*time.Second, "how long an order takes, 10ms to 1m")
	fs.DurationVar(&l.interval, "poll", 500*time.Millisecond, "how often polling asks, 1ms to 1m")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 || l.orders < 1 || l.orders > 1000 || l.work < 10*time.Millisecond || l.work > time.Minute || l.interval < time.Millisecond || l.interval > time.Minute {
		return errors.New("usage: petstore compare [-orders 20] [-work 2s] [-poll 500ms]")
	}
	stop, err := l.startServer(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	fmt.Fprintf(out, "\n%d orders at once, %s of work each. Heard of by\n", l.orders, l.work)
	figures := make([]figure, len(ways))
	for i, w := range ways {
		fmt.Fprintf(out, "  %-13s %s\n", w.name, w.what(&l))
		if figures[i], err = l.measure(ctx, w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	newChart(out).show(figures)
	return nil
}

// startServer starts a server that is gone after stop, with its database.
func (l *lab) startServer(ctx context.Context) (stop func() error, err error) {
	dir, err := os.MkdirTemp("", "petstore-compare-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the database: %w", err)
	}
	app, err := New(ctx, Config{
		Addr: "127.0.0.1:0", DatabaseURL: filepath.Join(dir, "petstore.db"),
		CallbackSecret: callbacks.DevelopmentSecret, StepDelay: l.work, Env: envDevelopment,
	}, io.Discard)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop = func() error {
		stopping, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		return errors.Join(app.Close(stopping), os.RemoveAll(dir))
	}
	app.apiServer.ConnState = l.watch
	if err := app.Start(ctx); err != nil {
		return nil, errors.Join(err, stop())
	}
	l.url = app.URL()
	return stop, nil
}
