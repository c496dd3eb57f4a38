package nodetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// spy is a test that notes how it ends.
type spy struct {
	testing.TB

	end string
}

func (s *spy) Helper()           {}
func (s *spy) Skip(args ...any)  { s.end = "skips: " + fmt.Sprint(args...) }
func (s *spy) Fatal(args ...any) { s.end = "fails: " + fmt.Sprint(args...) }

// TestNeed (faults 1, another instance): where npm can't reach its registry, or was broken off, or is asked by several
// tests at once, tests are skipped with a sentence and none fails, but in CI.
func TestNeed(t *testing.T) {
	const (
		works = "mkdir -p node_modules && echo > node_modules/.package-lock.json"
		fails = "echo ENOTFOUND >&2; exit 1"
	)
	for _, test := range []struct {
		name, npm, ci, folder string
		want                  string
		calls                 int
	}{
		{"installs", works, "", "", "", 1},
		{"is installed", fails, "1", "node_modules/.package-lock.json", "", 0},
		{"was broken off", works, "", "node_modules/some/package.json", "", 1},
		{"no network", fails, "", "", "skips: needs the packages of", 1},
		{"no network in CI", fails, "1", "", "fails: needs the packages of", 1},
		{"no npm", "", "", "", "skips: needs node and npm", 0},
		{"no npm in CI", "", "1", "", "fails: needs node and npm", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			tools, folder := t.TempDir(), t.TempDir()
			calls := filepath.Join(tools, "calls")
			t.Setenv("PATH", tools+":/usr/bin:/bin") // what the scripts need, too
			if test.npm == "" {
				t.Setenv("PATH", tools)
			} else {
				write(t, filepath.Join(tools, "node"), "")
				write(t, filepath.Join(tools, "npm"), "echo >> "+calls+"\n"+test.npm)
			}
			t.Setenv("CI", test.ci)
			if test.folder != "" {
				write(t, filepath.Join(folder, test.folder), "")
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					s := spy{TB: t}
					Need(&s, folder)
					if !strings.HasPrefix(s.end, test.want) || (s.end == "") != (test.want == "") {
						t.Errorf("it %q, want %q", s.end, test.want)
					}
				})
			}
			wg.Wait()
			called, _ := os.ReadFile(calls)
			if len(called) != test.calls {
				t.Errorf("npm was called %d times, want %d", len(called), test.calls)
			}
		})
	}
}

// write makes a file that can be run.
func write(t *testing.T, path, script string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}
