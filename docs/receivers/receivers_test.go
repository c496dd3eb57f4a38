// Package receivers_test grades the sample receivers.
package receivers_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/grade"
	"petstore/callbacks/grade/receivers"
	"petstore/callbacks/grade/receivers/receiverstest"
)

// listening is what the samples print first, and PHP's own server.
var listening = regexp.MustCompile(`(http://127\.0\.0\.1:\d+)`)

// work is what a sample prints when it does its work. It may stand behind part of an error's text.
var work = regexp.MustCompile(`(ord_\w+) (\w+)\n`)

func need(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") == "" {
		t.Skip("needs " + tool)
	}
}

// gradeSample starts a sample receiver and expects that it breaks these rules and no others.
func gradeSample(t *testing.T, command *exec.Cmd, broken ...string) {
	t.Helper()
	t.Parallel()
	command.Env = append(os.Environ(), "CALLBACK_SECRET="+callbacks.DevelopmentSecret,
		"ADDR=127.0.0.1:0", "DATABASE="+filepath.Join(t.TempDir(), "orders.db"), "STATE="+t.TempDir())
	r := receiverstest.Start(t, command, listening)
	report, err := receivers.Grade(t.Context(), receivers.Options{
		URL: r.URL + "/callbacks/order-status", Secret: callbacks.DevelopmentSecret, Effects: r.Effects(t, work), Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range report.Marks {
		if m.Verdict != grade.Pass {
			got = append(got, m.Rule)
			t.Logf("%s %v: %s", m.Rule, m.Verdict, m.Why)
		}
	}
	if !slices.Equal(got, broken) {
		t.Errorf("broken are %v, want %v", got, broken)
	}
}

func TestPython(t *testing.T) {
	need(t, "python3")
	gradeSample(t, exec.CommandContext(t.Context(), "python3", "receiver.py", "0"))
}

// TestPHP: PHP's development server reads each body to its end before the script begins.
func TestPHP(t *testing.T) {
	need(t, "php")
	gradeSample(t, exec.CommandContext(t.Context(), "php", "-S", "127.0.0.1:0", "receiver.php"), "huge")
}

// TestGo (security 9): package callbacks wants the signature that has a time.
func TestGo(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "receiver")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", exe, "./go").CombinedOutput(); err != nil {
		t.Fatalf("building the receiver: %v\n%s", err, out)
	}
	gradeSample(t, exec.CommandContext(t.Context(), exe))
}

// TestREADME: the README shows these files as they are.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"receiver.py", "receiver.php"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(readme, source) {
			t.Errorf("%s is another one in the README", name)
		}
	}
}
