package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	const swagger = `{"swagger":"2.0","info":{"title":"x","version":"1"},"definitions":{"Problem":{"type":"object"}},"paths":{"/a":{"get":{
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

// TestCallbacks holds that the operation that causes a callback names it by its kind.
func TestCallbacks(t *testing.T) {
	t.Parallel()
	const contract = `{"paths":{"/a":{"post":{"tags":["a"],"x-callback":"%s"}},"/callbacks-sent/update":{"post":{"summary":"The {kind}"}},"/callbacks-sent/webhook-ping":{"post":{}}}}`
	moved, err := moveCallbacks(fmt.Appendf(nil, contract, "orderUpdate"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"orderUpdate":{"{$request.body#/callback_url}":{"post":{"operationId":"orderUpdate"`, `"The order"`, `"webhooks":{"ping":{"post"`} {
		if !bytes.Contains(moved, []byte(want)) {
			t.Errorf("no %s in %s", want, moved)
		}
	}
	if bytes.Contains(moved, []byte(stubs)) {
		t.Errorf("a stub is left in %s", moved)
	}
	if _, err := moveCallbacks(fmt.Appendf(nil, contract, "burglaryUpdate")); err == nil || !strings.Contains(err.Error(), `"burglary"`) {
		t.Errorf("the error is %v, want one that names the kind", err)
	}
}

// TestShared holds that the rules of handlers/doc.go are kept.
func TestShared(t *testing.T) {
	t.Parallel()
	const swagger = `{"swagger":"2.0","info":{"title":"x","version":"1"},"definitions":{"Problem":{"type":"object"},"APage":{"type":"object"}},"paths":{
		"/a":{"get":{"responses":{"200":{"description":"ok","schema":{"$ref":"#/definitions/APage"}}}}},
		"/a/{id}":{"get":{"responses":{"200":{"description":"ok"}}},"delete":{"responses":{"204":{"description":"ok"}}},"put":{"parameters":[{"in":"body","name":"a","schema":{"type":"object"}}],"responses":{"200":{"description":"ok"}}}},
		"/callbacks-sent/update":{"post":{"responses":{"410":{"description":"gone"}}}}}}`
	lifted, err := liftToV3([]byte(swagger))
	if err != nil {
		t.Fatal(err)
	}
	var contract struct {
		Paths map[string]map[string]struct {
			Parameters []any          `json:"parameters"`
			Responses  map[string]any `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(lifted, &contract); err != nil {
		t.Fatal(err)
	}
	for operation, want := range map[[2]string]string{
		{"/a", "get"}:                      "200 421 422",
		{"/a/{id}", "put"}:                 "200 400 403 404 412 413 415 421 422",
		{"/a/{id}", "get"}:                 "200 304 404 412 421 422",
		{"/callbacks-sent/update", "post"}: "200 400 401 410 413 429 500 503",
	} {
		got := strings.Join(slices.Sorted(maps.Keys(contract.Paths[operation[0]][operation[1]].Responses)), " ")
		if got != want {
			t.Errorf("%v answers %s, want %s", operation, got, want)
		}
	}
	if got := contract.Paths["/a"]["get"].Parameters; len(got) != 2 {
		t.Errorf("a list has the parameters %v, want limit and cursor", got)
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	asYAML, err := render(contractNote, []byte(`{"paths":{"/b":{},"/a":{"get":{"responses":{"200":{"description":"<ok>"}}}}},"openapi":"3.1.1","info":{"version":"1","title":"x"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := contractNote + `openapi: 3.1.1
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
	content, err := shortenNames([]byte(`{"definitions":{"handlers.order":{},"handlers.page-handlers_order":{},"callbacks.Update":{"$ref":"#/definitions/handlers.page-handlers_order"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(string(content)), "")
	if want := `{"definitions":{"Order":{},"OrderPage":{},"Update":{"$ref":"#/definitions/OrderPage"}}}`; got != want {
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
