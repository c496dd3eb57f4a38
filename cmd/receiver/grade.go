package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"petstore/callbacks/grade"
	"petstore/callbacks/grade/senders"
	"petstore/callbacks/receiver/verdict"
	"petstore/callbacks/receiver/verdict/contract"
)

// gradeSender has a sender call inboxes that misbehave, and prints its marks.
func gradeSender(ctx context.Context, args []string, getenv func(string) string, out, errs io.Writer) error {
	var o senders.Options
	var f grade.Format
	fs := flag.NewFlagSet("receiver grade", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), "Usage: receiver grade -trigger 'curl … {url} …' [flags]\n\nHas a sender of callbacks call inboxes that misbehave, each in their way, and judges what comes.\n\n")
		fs.PrintDefaults()
		fmt.Fprint(fs.Output(), "\nThe rules: "+strings.Join(senders.Rules(), ", ")+"\n")
	}
	trigger := fs.String("trigger", "", "`command` of the shell that has the sender call back to {url}")
	request := fs.String("trigger-http", "", "`request` that has the sender call back to {url}: method, URL and JSON body, separated by spaces")
	restart := fs.String("restart", "", "`command` of the shell that kills the sender with SIGKILL and starts it again, for the rule survives-kill")
	fs.StringVar(&o.Secret, "secret", getenv("CALLBACK_SECRET"), "`secret` that callbacks are signed with (CALLBACK_SECRET); empty to judge no signatures")
	fs.StringVar(&o.Scheme, "scheme", "", "how they are signed, one of "+strings.Join(verdict.Schemes(), ", ")+"; empty to tell it by the headers")
	document := fs.String("contract", "", "`file` or URL of the OpenAPI document that announces the callbacks")
	fs.StringVar(&o.Host, "host", "127.0.0.1", "IP `address` that the inboxes listen at and that the sender calls")
	dns := fs.String("dns", "", "UDP `address` of a name server to start, for the rule retries-dns; the sender has to ask it")
	fs.BoolVar(&o.RefusesPrivate, "refuses-private", false, "the sender has to refuse private addresses; with -rules private-addresses nothing else is asked of it")
	fs.DurationVar(&o.Wait, "wait", time.Minute, "how long what has to come may take, 1s to 1h")
	fs.DurationVar(&o.Quiet, "quiet", 5*time.Second, "how long is watched for what must not come, 1s to 1h")
	fs.DurationVar(&o.RetryAfter, "retry-after", 3*time.Second, "what inboxes ask for, 1s to 1h: more than the sender waits by itself")
	grade.Flags(fs, &f, &o.Only)
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if err == nil {
		o.Trigger, err = newTrigger(*trigger, *request)
	}
	if err == nil && *document != "" {
		o.Contract, err = readContract(ctx, *document)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", grade.ErrUngraded, err)
	}
	if *dns != "" {
		if o.DNS, err = net.ListenPacket("udp", *dns); err != nil {
			return fmt.Errorf("%w: opening the name server: %w", grade.ErrUngraded, err)
		}
	}
	if *restart != "" {
		o.Restart = senders.Restart(*restart)
	}
	o.Progress = errs
	report, err := senders.Grade(ctx, o)
	if err != nil {
		return fmt.Errorf("%w: %w", grade.ErrUngraded, err)
	}
	return errors.Join(report.Write(out, f), report.Err())
}

func newTrigger(command, request string) (senders.Trigger, error) {
	switch {
	case command != "" && request != "":
		return nil, errors.New("give -trigger or -trigger-http, not both")
	case command != "":
		return senders.Command(command)
	case request != "":
		return senders.Request(request)
	}
	return nil, errors.New("give -trigger 'curl … {url} …', or -trigger-http 'POST http://… {…\"{url}\"…}'")
}

// readContract reads a document from a file, or by http.
func readContract(ctx context.Context, name string) (*contract.Contract, error) {
	read := os.ReadFile
	if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
		read = func(url string) ([]byte, error) { return download(ctx, url) }
	}
	document, err := read(name)
	if err != nil {
		return nil, fmt.Errorf("-contract: %w", err)
	}
	return contract.Read(document)
}

// maxDocument bounds what is downloaded, in bytes: one more than contract.Read takes.
const maxDocument = 4<<20 + 1

func download(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxDocument))
}
