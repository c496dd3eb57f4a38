package contracttest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/pb33f/go-yaml"

	"petstore/docs"
)

// TestDescriptions: who reads the contract learns what each property, parameter, answer and header is: its unit, its
// range, or what it means. The name of a status says nothing that the status does not.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	for _, place := range undescribed(t, docs.YAML) {
		t.Errorf("%s has no description: add it to the annotations in handlers, to docs/gen/shared.go or to docs/overlay.yaml", place)
	}
}

// TestUndescribed: each kind of thing that has no description is found.
func TestUndescribed(t *testing.T) {
	t.Parallel()
	const document = `
paths:
  /a:
    get:
      parameters: [{name: limit, in: query}, {$ref: '#/components/parameters/P'}, {name: q, description: Text}]
      responses:
        '200': {description: OK, headers: {Link: {schema: {type: string}}}}
        '404': {description: There is none}
        '500': {$ref: '#/components/responses/R'}
components:
  parameters: {P: {name: p}}
  examples: {E: {value: {properties: {x: {}}}}}
  schemas:
    A: {properties: {headers: {description: Of the answer, items: {properties: {x: {type: string}}}}, b: {$ref: '#/components/schemas/A'}}}
`
	want := []string{
		"components.parameters.P", "components.schemas.A.properties.b", "components.schemas.A.properties.headers.items.properties.x",
		"paths./a.get.parameters.limit", "paths./a.get.responses.200", "paths./a.get.responses.200.headers.Link",
	}
	if got := undescribed(t, []byte(document)); !slices.Equal(got, want) {
		t.Errorf("undescribed are\n%q, want\n%q", got, want)
	}
}

// undescribed are the places in a contract where a description is missing. What refers to a component is described
// there; but a property has a meaning of its own.
func undescribed(t *testing.T, document []byte) (places []string) {
	t.Helper()
	var contract map[string]any
	if err := yaml.Unmarshal(document, &contract); err != nil {
		t.Fatal(err)
	}
	look(contract, "", &places)
	return places
}

func look(node any, at string, places *[]string) {
	members, _ := node.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(members)) {
		switch below := join(at, key); key {
		case "example", "examples", "default", "links":
		case "properties", "parameters", "responses", "headers":
			for name, member := range named(members[key]) {
				described(key, name, member, join(below, name), places)
			}
		default:
			look(members[key], below, places)
		}
	}
	if list, isList := node.([]any); isList {
		for i, item := range list {
			look(item, join(at, strconv.Itoa(i)), places)
		}
	}
	slices.Sort(*places)
}

// described looks whether a member of a contract has a description, and into it.
func described(key, name string, member any, at string, places *[]string) {
	object, _ := member.(map[string]any)
	status, _ := strconv.Atoi(name)
	said, _ := object["description"].(string)
	elsewhere := object["$ref"] != nil && key != "properties"
	if !elsewhere && (said == "" || key == "responses" && said == http.StatusText(status)) {
		*places = append(*places, at)
	}
	look(object, at, places)
}

// named are the members of an object, or of a list whose items have names.
func named(members any) map[string]any {
	if object, isObject := members.(map[string]any); isObject {
		return object
	}
	byName := map[string]any{}
	list, _ := members.([]any)
	for _, item := range list {
		object, _ := item.(map[string]any)
		byName[fmt.Sprint(object["name"])] = item
	}
	return byName
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}
