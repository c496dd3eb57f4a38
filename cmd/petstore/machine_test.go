package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"petstore/cmd/petstore/petstoretest"
)

// TestShellsSettings (faults 1, another instance): who has exported settings for a server of their own can run the tests
// all the same.
func TestShellsSettings(t *testing.T) {
	source, err := os.ReadFile("config.go")
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile(`fs\.\w+Var\(&c\.\w+, "([\w-]+)"`).FindAllSubmatch(source, -1)
	if len(flags) != len(petstoretest.Settings) {
		t.Errorf("%d flags, %d settings", len(flags), len(petstoretest.Settings))
	}
	for _, flag := range flags {
		t.Setenv(strings.ToUpper(strings.ReplaceAll(string(flag[1]), "-", "_")), "nonsense")
	}
	if _, err := readConfig(nil); err == nil {
		t.Error("nonsense is no error")
	}
	t.Setenv("no_proxy", "intranet.test")
	petstoretest.IgnoreEnvironment()
	if _, err := readConfig(nil); err != nil {
		t.Error(err)
	}
	if direct := os.Getenv("no_proxy"); direct != "127.0.0.1,localhost,::1,intranet.test" {
		t.Errorf("curl uses a proxy but for %s", direct)
	}
}

// fixedPort is an address that a test may not have.
var fixedPort = regexp.MustCompile(`^(?:(?i:addr|receiver_addr)=|-(?:receiver-)?addr=|https?://)?([\w.-]*|\[[0-9a-f:]*\]):([1-9]\d*)\b`)

// opens are the functions whose first addresses listen or are dialled.
var opens = regexp.MustCompile(`^(Listen\w*|Dial\w*|Get|Post|Head|PostForm|startProcess|startBuilt|startCommand|Start)$`)

// TestNoFixedPorts (faults 1, another instance): no test listens at a port of its choice, starts a server there, or dials
// one, so that tests pass whatever else listens on this machine; nor does one dial another machine.
func TestNoFixedPorts(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() == "node_modules" || entry.Name() == ".git" {
			return fs.SkipDir
		}
		forTests := strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".go") && strings.HasSuffix(filepath.Dir(path), "test")
		if !forTests {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		found++
		for _, address := range fixed(file) {
			t.Errorf("%s opens %s: take port 0, and ask which it got", path, address)
		}
		return nil
	})
	if err != nil || found < 100 {
		t.Errorf("%d files, %v", found, err)
	}
}

// fixed returns the addresses of a file that are opened there.
func fixed(file *ast.File) (addresses []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || !opens.MatchString(nameOf(call.Fun)) {
			return true
		}
		for _, argument := range call.Args {
			literal, ok := argument.(*ast.BasicLit)
			if !ok {
				continue
			}
			if text, err := strconv.Unquote(literal.Value); err == nil && (fixedPort.MatchString(text) || isForeign(text)) {
				addresses = append(addresses, text)
			}
		}
		return true
	})
	return addresses
}

// isForeign reports whether a URL is of another machine.
func isForeign(text string) bool {
	address, err := url.Parse(text)
	return err == nil && strings.HasPrefix(address.Scheme, "http") && address.Hostname() != "localhost" && !net.ParseIP(address.Hostname()).IsLoopback()
}

func nameOf(function ast.Expr) string {
	switch f := function.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
