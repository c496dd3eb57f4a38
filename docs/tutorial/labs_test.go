// Package tutorial_test runs the labs of the tutorial: each breaks one promise, at the server that everybody writes first
// (naive) and at Petstore.
//
//	go test ./docs/tutorial -run Labs -v      run them, and print the table of what each server loses
//	go test ./docs/tutorial -run Labs -update write it into README.md
package tutorial_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

var updateTable = flag.Bool("update", false, "write the table of the labs into README.md")

// lab breaks one promise.
type lab struct {
	name, page string
	run        func(t *testing.T, s *shop) finding
}

// finding is what came of it.
type finding struct {
	text string
	kept bool // the promise
}

var labs = []lab{
	{"`kill -9` with 20 orders under way", "02-webhook-callbacks.md", killed},
	{"The receiver is away for a moment", "02-webhook-callbacks.md", away},
	{"80 orders for a receiver that never answers", "05-the-evolution.md", hanging},
	{"A slow receiver is told *processing*, then *completed*", "09-status-progress-error.md", overtaken},
	{"Four forged callbacks", "10-verify-signatures.md", forged},
	{"The same callback three times", "12-idempotency.md", doubled},
	{"A body that never ends, sent to the API and to the receiver", "07-implementing-handlers.md", endless},
	{"The receiver redirects to a private address", "11-https.md", redirected},
}

// TestLabs: the naive server breaks every promise, and Petstore none. What each loses stands in README.md.
func TestLabs(t *testing.T) {
	needServers(t)
	findings := map[string][]finding{}
	var mu sync.Mutex
	t.Run("labs", func(t *testing.T) {
		for _, name := range []string{"naive", "petstore"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newShop(t, name)
				s.start("STEP_DELAY=200ms")
				defer func() { s.Kill() }()
				found := make([]finding, len(labs))
				for i, lab := range labs {
					t.Run(lab.name, func(t *testing.T) { found[i] = lab.run(t, s) })
				}
				mu.Lock()
				defer mu.Unlock()
				findings[name] = found
			})
		}
	})
	table := "\n| break it | the naive server | Petstore |\n|---|---|---|\n"
	for i, lab := range labs {
		naive, ours := findings["naive"][i], findings["petstore"][i]
		if naive.text == "" || ours.text == "" {
			t.Log("not all labs were run: the table is not complete")
			return
		}
		if naive.kept || !ours.kept {
			t.Errorf("%s: naive: %s; Petstore: %s", lab.name, naive.text, ours.text)
		}
		table += fmt.Sprintf("| [%s](%s) | %s | %s |\n", lab.name, lab.page, naive.text, ours.text)
	}
	if t.Failed() {
		return
	}
	t.Log(table)
	checkTable(t, table)
}

// checkTable holds the table of README.md to what the labs have found.
func checkTable(t *testing.T, table string) {
	t.Helper()
	const begin, end = "<!-- labs -->\n", "\n<!-- end of labs -->"
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(readme), begin)
	old, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatal("README.md has no place for the table")
	}
	if old == table {
		return
	}
	if !*updateTable {
		t.Error("README.md has another table: run `go test ./docs/tutorial -run Labs -update`")
		return
	}
	if err := os.WriteFile("README.md", []byte(before+begin+table+end+after), 0o600); err != nil {
		t.Error(err)
	}
}
