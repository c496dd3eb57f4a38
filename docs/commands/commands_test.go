// Package commands_test does what the documents tell their readers to do, and looks whether they see what is promised.
package commands_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"petstore/docs/nodetest"
)

const root = "../.."

var verbose = flag.Bool("show", false, "show the commands and what they print")

// serves are the commands that stay in the foreground: a reader has a terminal for each.
var serves = regexp.MustCompile(`^(\S+=(?:\S*\$\([^)]*\))?\S* )*(go run \./cmd/(petstore|receiver)( -ready-json)?|go run \./cmd/mine|go run \./docs/tutorial/naive|` +
	`(npm install express && )?(\S+=\S* )*node app\.js|python3 docs/receivers/\S+ \d+|php -S .*|curl -N .*)$`)

// tested are the commands that are not run here, and what runs them.
var tested = []struct{ command, by string }{
	{`^go test -run '\^\$' -bench`, "the benchmarks"},
	{`^go test `, "the gate itself; TestTestsAreThere looks whether there are such tests"},
	{`^go generate `, "the gate itself"},
	{`^\.ci/run`, "the gate itself"},
	{`^git clone `, "whoever reads this"},
	{`postgres://`, "TestPostgres of cmd/petstore"},
	{`^go run \./cmd/receiver grade .*-restart`, "TestFullMarks of cmd/petstore"},
}

func elsewhere(command string) string {
	for _, t := range tested {
		if regexp.MustCompile(t.command).MatchString(command) {
			return t.by
		}
	}
	return ""
}

// TestDocuments runs the commands of all documents, each against a server of its own, and expects that they say what
// stands beneath them. In a command ord_…, whsec_… and the like are the last of these that was seen; in an output … is
// whatever comes there.
func TestDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds three servers")
	}
	need(t, "sh", "curl", "grep")
	var documents []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/tutorial/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		documents = append(documents, found...)
	}
	for _, path := range documents {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		steps := read(string(text))
		if len(steps) == 0 {
			continue
		}
		name, _ := filepath.Rel(root, path)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			follow(t, steps)
		})
	}
}

func follow(t *testing.T, steps []step) {
	t.Helper()
	for _, tool := range []string{"node", "php", "python3", "openssl"} {
		for _, s := range steps {
			if strings.Contains(s.command, tool+" ") {
				need(t, tool)
			}
		}
	}
	if !nodetest.Installed(filepath.Dir(express(t))) && os.Getenv("CI") == "" && slices.ContainsFunc(steps, func(s step) bool { return s.name == "app.js" }) {
		t.Skip("needs Express: .ci/run install")
	}
	if slices.ContainsFunc(steps, func(s step) bool { return strings.Contains(s.command, naive) }) {
		need(t, "cc")
		if err := buildNaive(); err != nil {
			t.Fatal(err)
		}
	}
	r := newReader(t)
	ran := false
	for _, s := range steps {
		switch {
		case s.program != "":
			r.save(t, s.name, s.program)
		case s.command != "" && elsewhere(s.command) != "":
			ran = false
		case s.command != "":
			r.run(t, s.command)
			ran = true
		case ran:
			for _, line := range s.expect {
				r.expect(t, line)
			}
		}
	}
}

// goTest is a command that runs some tests of a package.
var goTest = regexp.MustCompile(`go test (?:-\S+ )*(\./\S+) (?:.* )?-run '?(\w+)`)

// TestTestsAreThere: what the documents tell to test is there.
func TestTestsAreThere(t *testing.T) {
	documents, err := filepath.Glob(root + "/docs/tutorial/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, path := range documents {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range goTest.FindAllStringSubmatch(string(text), -1) {
			found++
			if !declares(t, filepath.Join(root, m[1]), m[2]) {
				t.Errorf("%s: %s has no test %s", path, m[1], m[2])
			}
		}
	}
	if found < 12 {
		t.Errorf("the tutorial runs only %d tests", found)
	}
}

func declares(t *testing.T, folder, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "func Test"+test+"(") {
			return true
		}
	}
	return false
}
