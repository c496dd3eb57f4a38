package senders

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Trigger asks a sender for work that calls back to url, and returns when it has been answered.
type Trigger func(ctx context.Context, url string) error

const urlPlaceholder = "{url}"

// Command returns the Trigger that runs a command of the shell, with {url} replaced.
func Command(template string) (Trigger, error) {
	if !strings.Contains(template, urlPlaceholder) {
		return nil, errors.New("the trigger has no {url}")
	}
	return func(ctx context.Context, url string) error {
		var output bytes.Buffer
		err := shell(ctx, strings.ReplaceAll(template, urlPlaceholder, url), &output)
		if err != nil {
			return fmt.Errorf("the trigger ended with %w: %s", err, beginning(output.Bytes()))
		}
		return nil
	}, nil
}

// Restart returns what runs a command of the shell that kills the sender and starts it again. What it leaves running
// may go on.
func Restart(command string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		// A file, and no pipe: with a pipe, Run waits for all that was started.
		if err := shell(ctx, command, os.Stderr); err != nil {
			return fmt.Errorf("the restart ended with %w", err)
		}
		return nil
	}
}

func shell(ctx context.Context, command string, output io.Writer) error {
	sh := exec.CommandContext(ctx, "sh", "-c", command) //nolint:gosec // It is the user's own, from the command line.
	sh.Stdout, sh.Stderr, sh.WaitDelay = output, output, time.Second
	return sh.Run()
}

// Request returns the Trigger that sends an HTTP request: a method, a URL and a JSON body, separated by spaces, with
// {url} replaced.
func Request(template string) (Trigger, error) {
	method, rest, _ := strings.Cut(strings.TrimSpace(template), " ")
	target, body, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if !strings.Contains(target+body, urlPlaceholder) {
		return nil, errors.New(`the trigger has no {url}: want such as POST http://127.0.0.1:8080/api/orders {"product":"dog-food","callback_url":"{url}"}`)
	}
	return func(ctx context.Context, url string) error {
		fill := func(s string) string { return strings.ReplaceAll(s, urlPlaceholder, url) }
		request, err := http.NewRequestWithContext(ctx, method, fill(target), strings.NewReader(fill(body)))
		if err != nil {
			return fmt.Errorf("the trigger is no request: %w", err)
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return fmt.Errorf("the trigger was not answered: %w", err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
		if err != nil || response.StatusCode > 299 {
			return fmt.Errorf("the trigger was answered %s: %s", response.Status, beginning(text))
		}
		return nil
	}, nil
}

// beginning is what is shown of a text.
func beginning(text []byte) string {
	const most = 200
	return strings.ToValidUTF8(string(text[:min(len(text), most)]), "·")
}
