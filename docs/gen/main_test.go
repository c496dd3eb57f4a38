package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pb33f/go-yaml"
)

// TestCurrent fails when an annotation or the overlay was changed and `go generate ./docs` not run.
func TestCurrent(t *testing.T) {
	const root = "../.."
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
			continue
		}
		// A checkout on Windows may have other line ends.
		if !bytes.Equal(bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")), want) {
			t.Errorf("%s is out of date: run `go generate ./docs`", name)
		}
	}
}

func TestOverlayWithoutTargetIsAnError(t *testing.T) {
	t.Parallel()
	const document = `{"openapi":"3.1.1","info":{"title":"x","version":"1"},"paths":{}}`
	const overlay = `
overlay: 1.1.0
info: {title: x, version: '1'}
actions:
  - target: $.paths['/api/renamed'].post
    update: {deprecated: true}
`
	_, err := applyOverlay([]byte(document), []byte(overlay))
	if err == nil || !strings.Contains(err.Error(), "/api/renamed") {
		t.Errorf("error is %v, want one that names the target", err)
	}
}

func TestLift(t *testing.T) {
	t.Parallel()
	const swagger = `{"swagger":"2.0","info":{"title":"x","version":"1"},"paths":{"/a":{"get":{
		"produces":["application/json"],"responses":{
		"200":{"description":"ok","schema":{"type":"string","x-nullable":true}},
		"404":{"description":"no","schema":{"type":"object"}}}}}}}`
	lifted, err := liftToV3([]byte(swagger))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"openapi":"3.1.1"`,
		`"200":{"content":{"application/json":{"schema":{"type":["string","null"]}}}`,
		`"404":{"content":{"application/problem+json":`,
	} {
		if !strings.Contains(string(lifted), want) {
			t.Errorf("no %s in %s", want, lifted)
		}
	}
}

// TestCallbacks holds that a callback and the operation that causes it name each other.
func TestCallbacks(t *testing.T) {
	t.Parallel()
	for contract, want := range map[string]string{
		`{"paths":{"/a":{"post":{"x-callback":"orderUpdate"}},"/callbacks-sent/order-update":{"post":{}}}}`: "",
		`{"paths":{"/a":{"post":{"x-callback":"orderUpdate"}}}}`:                                            "/a causes the callback orderUpdate",
		`{"paths":{"/callbacks-sent/order-update":{"post":{}}}}`:                                            "/callbacks-sent/order-update",
	} {
		_, err := moveCallbacks([]byte(contract))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: the error is %v, want %q", contract, err, want)
		}
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	asYAML, err := render([]byte(`{"paths":{"/b":{},"/a":{"get":{"responses":{"200":{"description":"<ok>"}}}}},"openapi":"3.1.1","info":{"version":"1","title":"x"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := generatedNote + `openapi: 3.1.1
info:
  title: x
  version: "1"
paths:
  /a:
    get:
      responses:
        "200":
          description: <ok>
  /b: {}
`
	if string(asYAML) != want {
		t.Errorf("YAML is\n%s\nwant\n%s", asYAML, want)
	}
}

func TestShortenNames(t *testing.T) {
	t.Parallel()
	content, err := shortenNames([]byte(`{"definitions":{"handlers.order":{},"callbacks.Update":{"$ref":"#/definitions/handlers.order"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(string(content)), "")
	if want := `{"definitions":{"Order":{},"Update":{"$ref":"#/definitions/Order"}}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := shortenNames([]byte(`{"definitions":{"handlers.order":{},"models.Order":{}}}`)); err == nil {
		t.Error("two types of one name are no error")
	}
}

// TestEveryActionDoesSomething finds actions whose other half was lost: the
// overlay's specification lets them be, and so does the generator.
func TestEveryActionDoesSomething(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../overlay.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var overlay struct{ Actions []map[string]any }
	if err := yaml.Unmarshal(content, &overlay); err != nil {
		t.Fatal(err)
	}
	for _, action := range overlay.Actions {
		if action["update"] == nil && action["remove"] == nil && action["copy"] == nil {
			t.Errorf("the action on %s does nothing", action["target"])
		}
	}
}
