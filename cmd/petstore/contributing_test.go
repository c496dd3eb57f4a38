//go:build slow

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"petstore/callbacks"
)

// TestContributing follows docs/CONTRIBUTING.md in a copy of this module, builds that, and has
// a pet groomed.
func TestContributing(t *testing.T) {
	module := t.TempDir()
	copyModule(t, module)
	if n := len(followGuide(t, module)); n > 6 {
		t.Errorf("a new kind of slow work touches %d files", n)
	}
	tools := t.TempDir()
	gen, exe := filepath.Join(tools, "gen"), filepath.Join(tools, "petstore")
	buildChanged(t, module, gen, "petstore/docs/gen")
	runIn(t, filepath.Join(module, "docs"), gen)
	buildChanged(t, module, exe, "petstore/cmd/petstore")
	server := startCommand(t, exe, "DATABASE_URL="+tempDatabase(t), "STEP_DELAY=1ms")

	groomed := make(chan map[string]any, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := callbacks.Verify(r.Header, body, callbacks.DevelopmentSecret, time.Now()); err != nil {
			t.Error(err)
		}
		var update map[string]any
		mustUnmarshal(t, body, &update)
		if update["status"] != callbacks.StatusProcessing {
			groomed <- update
		}
	}))
	defer receiver.Close()
	for pet, want := range map[string]string{"Rex": "grooming.completed", "Goldfish": "grooming.failed"} {
		var accepted struct {
			ID string `json:"grooming_id"`
		}
		if err := call(t.Context(), "POST", server.url+"/api/groomings", `{"pet":"`+pet+`","callback_url":"`+receiver.URL+`"}`, 202, &accepted); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		select {
		case u := <-groomed:
			if u["type"] != want || u["grooming_id"] != accepted.ID {
				t.Errorf("%s: told was %v", pet, u)
			}
		case <-ctx.Done():
			t.Fatalf("nothing was told of %s", pet)
		}
		if err := call(t.Context(), "GET", server.url+"/api/groomings/"+accepted.ID, "", 200, nil); err != nil {
			t.Error(err)
		}
	}
	contract, err := os.ReadFile(filepath.Join(module, "openapi.yaml"))
	if err != nil || !bytes.Contains(contract, []byte("groomingUpdate:")) || !bytes.Contains(contract, []byte("- grooming\n")) {
		t.Errorf("the contract does not describe it, %v", err)
	}
}

func runIn(t *testing.T, folder, command string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command, args...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", command, strings.Join(args, " "), err, out)
	}
}

// buildChanged builds a package as it is in a copy of this module: what is the same there has been built already.
func buildChanged(t *testing.T, module, exe, name string) {
	t.Helper()
	replace := map[string]string{}
	err := filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		own, err := filepath.Abs(filepath.Join("../..", strings.TrimPrefix(path, module)))
		if err != nil {
			return err
		}
		changed, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if before, err := os.ReadFile(own); err != nil || !bytes.Equal(before, changed) {
			replace[own] = path
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(exe+".json", overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	runIn(t, ".", "go", "build", "-overlay", exe+".json", "-o", exe, name)
}

// change is a block of the guide: a new file, or lines to be put after one.
var change = regexp.MustCompile("(?s)<!-- ([^,\n]+?)(?:, after: ([^\n]+))? -->\n```\\w+\n(.*?)```")

// followGuide makes the changes of the guide, and returns the files that they touch.
func followGuide(t *testing.T, module string) map[string]bool {
	t.Helper()
	guide, err := os.ReadFile(filepath.Join(module, "docs", "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	touched := map[string]bool{}
	for _, m := range change.FindAllStringSubmatch(string(guide), -1) {
		path, after, text := filepath.Join(module, m[1]), m[2], m[3]
		touched[m[1]] = true
		if after != "" {
			before, err := os.ReadFile(path)
			start := bytes.Index(before, []byte(after))
			if err != nil || start < 0 {
				t.Fatalf("there is no %q in %s, %v", after, m[1], err)
			}
			end := start + bytes.IndexByte(before[start:], '\n') + 1
			if strings.Contains(after, "= Kind") { // up to the end of the declaration
				end = start + bytes.Index(before[start:], []byte("}\n")) + 2
			}
			text = string(before[:end]) + text + string(before[end:])
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return touched
}

// copyModule copies what is needed to build.
func copyModule(t *testing.T, to string) {
	t.Helper()
	const from = "../.."
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == ".git" || entry.Name() == "node_modules" || entry.Name() == "testdata" {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		if strings.HasSuffix(name, "_test.go") || !entry.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), content, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mustUnmarshal(t *testing.T, body []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(body, v); err != nil {
		t.Errorf("%v: %s", err, body)
	}
}
