// Package receiverstest runs receivers of callbacks, in any language, for tests that grade them.
package receiverstest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Receiver is a receiver in a process of its own. Its output goes to a file, so that what it prints before it
// answers is there when the answer is.
type Receiver struct {
	URL    string
	output string
}

// Start starts a receiver, which ends with the test. The first group of url matches the URL that it prints.
func Start(t *testing.T, command *exec.Cmd, url *regexp.Regexp) *Receiver {
	t.Helper()
	r := &Receiver{output: filepath.Join(t.TempDir(), "output")}
	file, err := os.Create(r.output)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	command.Stdout, command.Stderr = file, file
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait() // It is killed.
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // It may have ended.
		<-ended
	})
	r.URL = r.waitFor(t, url, ended)
	return r
}

func (r *Receiver) waitFor(t *testing.T, url *regexp.Regexp, ended <-chan struct{}) string {
	t.Helper()
	deadline := time.After(time.Minute)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		if found := url.FindStringSubmatch(r.Output()); found != nil {
			return found[1]
		}
		select {
		case <-look.C:
		case <-ended:
			t.Fatalf("the receiver ended:\n%s", r.Output())
		case <-deadline:
			t.Fatalf("the receiver does not say where it listens:\n%s", r.Output())
		}
	}
}

// Output is what it has printed.
func (r *Receiver) Output() string {
	text, err := os.ReadFile(r.output)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Effects serves the effects of its work, which are the lines that work matches: its first group is the order, its
// second the status.
func (r *Receiver) Effects(t *testing.T, work *regexp.Regexp) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		order, count, status := strings.TrimPrefix(request.URL.Path, "/"), 0, ""
		for _, line := range work.FindAllStringSubmatch(r.Output(), -1) {
			if line[1] == order {
				count, status = count+1, line[2]
			}
		}
		fmt.Fprintf(w, `{"count":%d,"status":%q}`, count, status)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/{order_id}"
}
