// Command petstore is the server: the API, its workers, and in development the
// sample receiver of callbacks.
//
//	@title       Pet Store API
//	@version     1.0
//	@description An API that accepts slow work, answers at once, and calls back: signed, in order, and without losing one.
//	@description
//	@description Every answer has an `X-Request-Id`, the request's own if it has one (up to 128 visible characters): the server's log names the request by it.
//	@license.name MIT
//	@accept       json
//	@produce      json
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"petstore/callbacks/grade"
	"petstore/handlers"
)

// gcPercent lets the heap grow to five times what is in use before it is
// collected: the heap is small, and collecting it less often saves a tenth of
// the processor time.
const gcPercent = 400

// memoryLimit is what the heap grows to at most before it is collected all the more, in
// bytes, unless GOMEMLIMIT says otherwise: five times a large picture would be gigabytes.
// Pictures take up to picture.MaxMemory of it.
const memoryLimit = 440 << 20

// stopTimeout bounds how long a stop may take; what is unfinished then is
// resumed at the next start.
const stopTimeout = 20 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	debug.SetGCPercent(gcPercent)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) && !errors.Is(err, grade.ErrFailed) {
		fmt.Fprintln(os.Stderr, "petstore:", err)
	}
	if status := grade.ExitStatus(err); status != 0 {
		os.Exit(status)
	}
}

// run serves until ctx ends, or runs the command that args begin with.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	switch {
	case len(args) > 0 && args[0] == "compare":
		return compare(ctx, args[1:], out)
	case len(args) > 0 && args[0] == "grade":
		return gradeReceiver(ctx, args[1:], out)
	}
	cfg, err := readConfig(args)
	if err != nil {
		return err
	}
	slog.SetDefault(slog.New(handlers.LogRequestIDs(limitRepeats(slog.NewTextHandler(os.Stderr, nil)))))
	people := out
	if cfg.ReadyJSON {
		people = os.Stderr
	}
	app, err := New(ctx, cfg, people)
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		err = errors.Join(err, app.Close(stopping))
	}()
	if err := app.Start(ctx); err != nil {
		return err
	}
	for _, line := range cfg.warnings() {
		slog.Warn(line) //nolint:gosec // G706: one of a few constants
	}
	if cfg.ReadyJSON {
		fmt.Fprintln(out, app.ready())
	}
	fmt.Fprint(people, app.greeting())
	select {
	case <-ctx.Done():
		fmt.Fprintln(people, "Stopping: running work may finish, the rest is resumed at the next start.")
		return nil
	case err := <-app.Failed():
		return err
	}
}
