//go:build clients

// Package clients_test generates clients from the contract as it is, and has each place an order at the real server and
// receive what that tells. Generating and compiling takes minutes, hence the tag:
//
//	go test -tags clients ./docs/clients
package clients_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"petstore/callbacks"
	"petstore/cmd/petstore/petstoretest"
	"petstore/docs/nodetest"
)

// startServer starts the server, and returns its URL.
func startServer(t *testing.T) string {
	t.Helper()
	petstoretest.IgnoreEnvironment()
	folder := t.TempDir()
	if err := petstoretest.Build(folder, nil, "petstore/cmd/petstore"); err != nil {
		t.Fatal(err)
	}
	return petstoretest.Start(t, filepath.Join(folder, "petstore"),
		"ADDR=127.0.0.1:0", "RECEIVER_ADDR=", "DATABASE_URL=:memory:", "STEP_DELAY=50ms", "CALLBACK_SECRET="+callbacks.DevelopmentSecret).URL
}

// command runs a command in a folder, and returns what it prints.
func command(t *testing.T, dir, name string, arguments ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, arguments...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "CALLBACK_SECRET="+callbacks.DevelopmentSecret)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

// client copies a sample to a folder of its own, with the contract beside it.
func client(t *testing.T, sample string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	files, err := filepath.Glob(sample + "/*.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../openapi.yaml") {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// heard expects that a client was told of an order's end in each of these ways.
func heard(t *testing.T, out string, ways ...string) {
	t.Helper()
	for _, line := range append(ways, "order processing") {
		if !strings.Contains(out, line+"\n") {
			t.Errorf("the client does not say %q:\n%s", line, out)
		}
	}
}

func TestOapiCodegen(t *testing.T) {
	folder := client(t, "oapi-codegen")
	if err := os.Mkdir(filepath.Join(folder, "petstore"), 0o700); err != nil {
		t.Fatal(err)
	}
	command(t, folder, "go", "tool", "oapi-codegen", "-generate", "types,client,std-http-server", "-package", "petstore", "-o", "petstore/petstore.go", "openapi.yaml")
	heard(t, command(t, folder, "go", "run", ".", startServer(t)), "callback order.completed", "webhook order.completed")
}

func TestOgen(t *testing.T) {
	folder := client(t, "ogen")
	command(t, folder, "go", "tool", "ogen", "-target", "petstore", "-package", "petstore", "-clean", "openapi.yaml")
	heard(t, command(t, folder, "go", "run", ".", startServer(t)), "webhook order.completed")
}

// TestTypeScript compiles what is generated, strictly.
func TestTypeScript(t *testing.T) {
	nodetest.Need(t, "typescript")
	modules, err := filepath.Abs("typescript/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	folder := client(t, "typescript")
	if err := os.Symlink(modules, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	command(t, folder, "npm", "run", "generate")
	command(t, folder, "npm", "run", "build")
	server := startServer(t)
	for _, program := range []string{"openapi-fetch", "hey-api", "orval"} {
		t.Run(program, func(t *testing.T) {
			heard(t, command(t, folder, "node", "built/"+program+".js", server), "callback order.completed", "webhook order.completed")
		})
	}
}
