package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/grade"
	"petstore/callbacks/grade/receivers"
)

// gradeReceiver sends callbacks of all kinds to a receiver and prints its marks.
func gradeReceiver(ctx context.Context, args []string, out io.Writer) error {
	o := receivers.Options{Secret: callbacks.DevelopmentSecret}
	if secret, set := os.LookupEnv("CALLBACK_SECRET"); set {
		o.Secret = secret
	}
	var f grade.Format
	fs := flag.NewFlagSet("petstore grade", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), "Usage: petstore grade URL [flags]\n\nSends what a receiver of callbacks meets sooner or later to the URL, and judges the answers.\n\n")
		fs.PrintDefaults()
		fmt.Fprint(fs.Output(), "\nThe rules: "+strings.Join(receivers.Rules(), ", ")+"\n")
	}
	fs.StringVar(&o.Secret, "secret", o.Secret, "`secret` that the receiver verifies with (CALLBACK_SECRET)")
	fs.StringVar(&o.Effects, "effects", "", "`URL` that says how often work was done: {order_id} and {callback_id} in it are replaced, the answer is a number, or {\"count\":1,\"status\":\"completed\"}")
	fs.DurationVar(&o.Timeout, "timeout", 15*time.Second, "how long an answer may take, 1s to 5m")
	grade.Flags(fs, &f, &o.Only)
	url, err := parseAround(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err == nil && url == "":
		err = errors.New("want the URL of the receiver, such as http://127.0.0.1:3000/callbacks/order-status")
	case err == nil && (o.Timeout < time.Second || o.Timeout > 5*time.Minute):
		err = fmt.Errorf("-timeout %s: want 1s to 5m", o.Timeout)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", grade.ErrUngraded, err)
	}
	o.URL = url
	report, err := receivers.Grade(ctx, o)
	if err != nil {
		return fmt.Errorf("%w: %w", grade.ErrUngraded, err)
	}
	return errors.Join(report.Write(out, f), report.Err())
}

// parseAround parses flags before and after one argument, and returns that.
func parseAround(fs *flag.FlagSet, args []string) (string, error) {
	if err := fs.Parse(args); err != nil {
		return "", err
	}
	argument := fs.Arg(0)
	if fs.NArg() > 1 {
		if err := fs.Parse(fs.Args()[1:]); err != nil {
			return "", err
		}
		if fs.NArg() > 0 {
			return "", fmt.Errorf("%s: unexpected argument %q", fs.Name(), fs.Arg(0))
		}
	}
	return argument, nil
}
