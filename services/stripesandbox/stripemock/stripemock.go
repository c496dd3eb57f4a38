// Package stripemock starts stripe-mock, which answers as Stripe's published
// description of its API says. It is for tests.
package stripemock

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var listens = regexp.MustCompile(`Listening for HTTP at address: (\S+)`)

// Start builds stripe-mock, runs it until the test ends, and returns its URL. A
// key for it is any that begins with sk_test_.
func Start(t testing.TB) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "stripe-mock")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/stripe/stripe-mock").CombinedOutput(); err != nil { //nolint:gosec // a tool of go.mod
		t.Fatalf("building stripe-mock: %v\n%s", err, out)
	}
	mock := exec.Command(bin, "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0") //nolint:gosec // it was built a moment ago, and has a port of its own for https otherwise
	out, err := mock.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	mock.Stderr = mock.Stdout
	if err := mock.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan string, 1)
	t.Cleanup(func() {
		select {
		case last := <-ended:
			t.Errorf("stripe-mock ended by itself: %s", last)
		default:
		}
		_ = mock.Process.Kill()
		_ = mock.Wait() // it was killed, and says so
	})
	address := make(chan string, 1)
	go func() { // to its end: what it says last is why it has ended, if it has
		var last string
		for scanner := bufio.NewScanner(out); scanner.Scan(); last = scanner.Text() {
			if m := listens.FindStringSubmatch(scanner.Text()); m != nil {
				address <- m[1]
			}
		}
		close(address)
		ended <- last
	}()
	found, ok := <-address
	if !ok {
		t.Fatal("stripe-mock did not say where it listens")
	}
	return "http://" + found
}
