// Package nodetest has tests run programs under Node, with packages of npm.
package nodetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Need skips a test, but not in CI, where there is no Node, or no way to install the packages that package-lock.json in
// folder names: they are fetched once, and need no network after that.
func Need(tb testing.TB, folder string) {
	tb.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(tb, "needs node and npm")
			return
		}
	}
	if err := install(folder); err != nil {
		missing(tb, fmt.Sprintf("needs the packages of %s: %v", folder, err))
	}
}

func missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("CI") != "" {
		tb.Fatal(what)
	} else {
		tb.Skip(what)
	}
}

// Installed reports whether npm has installed what folder needs, to the end: it writes this file last.
func Installed(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "node_modules", ".package-lock.json"))
	return err == nil
}

var installs sync.Map // folder to func() error, so that tests that are parallel install once, and fail once

func install(folder string) error {
	once, _ := installs.LoadOrStore(folder, sync.OnceValue(func() error { return fetch(folder) }))
	return once.(func() error)()
}

// fetch gives up soon: where there is no network, npm would try for minutes.
func fetch(folder string) error {
	if Installed(folder) {
		return nil
	}
	npm := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error",
		"--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=30000")
	npm.Dir = folder
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
}
