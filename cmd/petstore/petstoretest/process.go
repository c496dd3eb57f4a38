// Package petstoretest runs servers in processes of their own, for tests that kill them, or want them as they are built.
package petstoretest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Build builds packages of this module into a folder, with settings for the environment of go build, and flags before the packages.
func Build(folder string, settings []string, packages ...string) error {
	build := exec.Command("go", append([]string{"build", "-o", folder + string(os.PathSeparator)}, packages...)...) //nolint:gosec // G204: with what tests say
	build.Env = append(os.Environ(), settings...)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building %v: %w\n%s", packages, err, out)
	}
	return nil
}

// Process is a server in a process of its own.
type Process struct {
	URL string // of its API
	Cmd *exec.Cmd

	tb     testing.TB
	output lines
}

var (
	listens         = regexp.MustCompile(`listens at (http://[0-9.:]+)`)
	receiverListens = regexp.MustCompile(`receiver listens at (http://[0-9.:]+)`)
)

// Start starts a server with settings for its environment, such as "ADDR=127.0.0.1:0", and waits until it listens. It is
// stopped with the test.
func Start(tb testing.TB, exe string, settings ...string) *Process {
	tb.Helper()
	p := &Process{tb: tb, Cmd: exec.Command(exe), output: lines{more: make(chan struct{})}}
	p.Cmd.Env = append(os.Environ(), settings...)
	p.Cmd.SysProcAttr = endWithParent
	out, err := p.Cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	p.Cmd.Stderr = p.Cmd.Stdout
	if err := p.Cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go p.output.read(out)
	tb.Cleanup(p.Stop)
	p.URL = p.Says(listens)[1]
	return p
}

// Receiver is the URL of the receiver that comes with it.
func (p *Process) Receiver() string {
	p.tb.Helper()
	return p.Says(receiverListens)[1]
}

// Kill ends the process as a power cut would.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

// Stop ends the process as an operator would.
func (p *Process) Stop() { p.end(syscall.SIGTERM) }

func (p *Process) end(signal syscall.Signal) {
	if p.Cmd.ProcessState != nil {
		return
	}
	_ = p.Cmd.Process.Signal(signal) // It may have ended.
	_ = p.Cmd.Wait()
}

// Says waits until something is among the first hundred lines that the process says, and returns the match and its groups.
func (p *Process) Says(what *regexp.Regexp) []string {
	p.tb.Helper()
	for timeout := time.After(time.Minute); ; {
		text, more := p.output.text()
		if found := what.FindStringSubmatch(text); found != nil {
			return found
		}
		if more == nil {
			p.tb.Fatalf("it has ended, and did not say %q:\n%s", what, text)
		}
		select {
		case <-more:
		case <-timeout:
			p.tb.Fatalf("it does not say %q:\n%s", what, text)
		}
	}
}

// lines keeps what a server prints first.
type lines struct {
	mu   sync.Mutex
	kept []string
	more chan struct{} // closed when there is another line; nil after the last
}

func (l *lines) read(r io.Reader) {
	for scanner := bufio.NewScanner(r); scanner.Scan(); {
		l.keep(scanner.Text(), make(chan struct{}))
	}
	l.keep("", nil)
}

func (l *lines) keep(line string, more chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kept) < 100 {
		l.kept = append(l.kept, line)
	}
	close(l.more)
	l.more = more
}

func (l *lines) text() (text string, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.kept, "\n"), l.more
}
