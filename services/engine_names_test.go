package services

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// engineFiles are those that every operation shares.
var engineFiles = []string{
	"tasks.go", "work.go", "outbox.go", "courier.go", "queue*.go", "hub.go", "tail.go", "follow.go", "handoff.go", "deliveries.go",
	"registry.go", "webhook*.go",
}

// operationName finds the operations' names, whatever they are part of.
var operationName = regexp.MustCompile(`(?i)images?|payments?|refunds?|reversals?|reports?|orders?`)

// general are words that mean something else: an operation reports its progress to
// the engine, and SQL puts rows in order.
var general = []string{"Report", "report", "reporter", "ORDER BY"}

// TestEngineNamesNoOperation: whoever adds an operation changes nothing in the engine.
func TestEngineNamesNoOperation(t *testing.T) {
	for _, pattern := range engineFiles {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no such file: %v", pattern, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, name := range operationsNamed(t, file, nil) {
				t.Errorf("the engine names an operation: %s", name)
			}
		}
	}
}

// TestOperationsAreFound: the test above can fail.
func TestOperationsAreFound(t *testing.T) {
	const source = `package services

type Report func() // of progress

func imageOf(u *Update) string {
	if u.Kind == "payment" {
		return u.OrderID
	}
	return "SELECT report_id FROM reports ORDER BY id"
}
`
	want := []string{"x.go:5:6: imageOf", `x.go:6:15: "payment"`, "x.go:7:12: OrderID", `x.go:9:9: "SELECT report_id FROM reports ORDER BY id"`}
	if got := operationsNamed(t, "x.go", source); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// operationsNamed lists the identifiers and strings of a file that name an
// operation. source is what is in it, nil to read it.
func operationsNamed(t *testing.T, file string, source any) []string {
	t.Helper()
	positions := token.NewFileSet()
	parsed, err := parser.ParseFile(positions, file, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		var text string
		switch n := n.(type) {
		case *ast.Ident:
			text = n.Name
		case *ast.BasicLit:
			text = n.Value
		}
		if namesOperation(text) {
			found = append(found, positions.Position(n.Pos()).String()+": "+text)
		}
		return true
	})
	return found
}

func namesOperation(text string) bool {
	if slices.Contains(general, text) {
		return false
	}
	return operationName.MatchString(strings.ReplaceAll(text, "ORDER BY", ""))
}
