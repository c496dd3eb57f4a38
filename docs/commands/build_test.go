package commands_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"petstore/cmd/petstore/petstoretest"
)

var binaries string // the folder of what is built

func TestMain(m *testing.M) {
	petstoretest.IgnoreEnvironment()
	code := m.Run()
	os.RemoveAll(binaries)
	os.Exit(code)
}

var buildAll = sync.OnceValue(func() (err error) {
	if binaries, err = os.MkdirTemp("", "commands"); err != nil {
		return err
	}
	return petstoretest.Build(binaries, nil, "petstore/cmd/petstore", "petstore/cmd/receiver")
})

const naive = "./docs/tutorial/naive"

// buildNaive builds the naive server, whose SQLite driver needs a C compiler.
var buildNaive = sync.OnceValue(func() error {
	if err := buildAll(); err != nil {
		return err
	}
	return petstoretest.Build(binaries, []string{"CGO_ENABLED=1"}, "petstore/docs/tutorial/naive")
})

// build builds what the documents run with go run, and returns the folder where it is.
func build(t *testing.T) string {
	t.Helper()
	if err := buildAll(); err != nil {
		t.Fatal(err)
	}
	return binaries
}

// buildOverlaid builds a package with a file that is elsewhere.
func buildOverlaid(t *testing.T, pkg, name, path string) {
	t.Helper()
	build(t)
	abs, err := filepath.Abs(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {abs: path}})
	if err != nil {
		t.Fatal(err)
	}
	file := path + ".json"
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := petstoretest.Build(binaries, nil, "-overlay", file, pkg); err != nil {
		t.Fatal(err)
	}
}

func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") == "" {
			t.Skip("needs " + tool)
		}
	}
}
