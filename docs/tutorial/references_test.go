package tutorial_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// reference is a file of the module in the text, and the symbols of it in parentheses after it.
var reference = regexp.MustCompile("`([a-z][\\w/.-]*/[\\w.-]+\\.(?:go|py|php|md|sql))`(?: \\(((?:`[\\w.]+`(?:, )?)+)\\))?")

var (
	symbol = regexp.MustCompile("`([\\w.]+)`")
	link   = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
)

// TestReferences: what the tutorial tells to read is there, and what README does.
func TestReferences(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) != 13 {
		t.Fatalf("there are %d pages, %v", len(pages), err)
	}
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		found := reference.FindAllStringSubmatch(string(text), -1)
		if len(found) < 3 {
			t.Errorf("%s names only %d files to read", page, len(found))
		}
		for _, m := range found {
			if m[1] == "cmd/mine/main.go" {
				continue // the reader's
			}
			checkFile(t, page, m[1], symbol.FindAllStringSubmatch(m[2], -1))
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
		if filepath.Base(page) != "README.md" {
			checkExercise(t, page, string(text))
		}
	}
}

// checkExercise: a page has an exercise, and that an acceptance test.
func checkExercise(t *testing.T, page, text string) {
	t.Helper()
	m := regexp.MustCompile(`go test ./docs/tutorial/exercises -mine -run (\w+)`).FindStringSubmatch(text)
	if m == nil {
		t.Errorf("%s has no exercise", page)
		return
	}
	checkFile(t, page, "docs/tutorial/exercises/exercises.go", [][]string{{"", m[1]}})
	checkFile(t, page, "docs/tutorial/exercises/exercises_test.go", [][]string{{"", "Test" + m[1]}})
}

func checkFile(t *testing.T, page, path string, symbols [][]string) {
	t.Helper()
	path = filepath.Join("..", "..", path)
	if _, err := os.Stat(path); err != nil {
		t.Errorf("%s: %v", page, err)
		return
	}
	if len(symbols) == 0 {
		return
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	has := declared(file)
	for _, s := range symbols {
		if !has[s[1]] {
			t.Errorf("%s: there is no %s in %s", page, s[1], path)
		}
	}
}

// declared are the names that a file declares, methods as Type.Method.
func declared(file *ast.File) map[string]bool {
	names := map[string]bool{}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			names[receiverType(d)+d.Name.Name] = true
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names[spec.Name.Name] = true
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						names[name.Name] = true
					}
				}
			}
		}
	}
	return names
}

// receiverType is "Type." of a method, "" of a function.
func receiverType(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	if pointer, ok := of.(*ast.StarExpr); ok {
		of = pointer.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}
