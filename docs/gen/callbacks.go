package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"petstore/callbacks"
)

const (
	// stubs is the path beneath which annotations describe callbacks: Swagger 2.0 has none.
	stubs = "/callbacks-sent/"
	// causes is the extension by which an operation names the callback that it causes.
	causes = "x-callback"
	// callbackURL is where they go (OpenAPI 3.1, runtime expressions).
	callbackURL = "{$request.body#/callback_url}"
)

// signatures are the headers of every callback, which docs/overlay.yaml describes.
var signatures = []string{"CallbackSignature", "WebhookID", "WebhookTimestamp", "WebhookSignature"}

// moveCallbacks moves each callback from its stub to the operation that causes it, and says which kinds of slow work
// there are. What webhooks are told stays for the overlay.
func moveCallbacks(document []byte) ([]byte, error) {
	var contract map[string]any
	if err := json.Unmarshal(document, &contract); err != nil {
		return nil, err
	}
	paths := object(contract, "paths")
	for path := range paths {
		post := object(object(paths, path), "post")
		name, _ := post[causes].(string)
		if name == "" {
			continue
		}
		stub := stubs + strings.TrimSuffix(name, "Update") + "-update"
		item := object(paths, stub)
		if len(item) == 0 {
			return nil, fmt.Errorf("POST %s causes the callback %s, which has no stub at %s", path, name, stub)
		}
		var parameters []any
		for _, signature := range signatures {
			parameters = append(parameters, map[string]any{"$ref": "#/components/parameters/" + signature})
		}
		object(item, "post")["parameters"] = parameters
		delete(object(object(item, "post"), "responses"), "500") // a receiver has its own
		post["callbacks"] = map[string]any{name: map[string]any{callbackURL: item}}
		delete(post, causes)
		delete(paths, stub)
	}
	for path := range paths {
		if strings.HasPrefix(path, stubs) && !strings.HasPrefix(path, stubs+"webhook-") {
			return nil, fmt.Errorf("no operation says that it causes %s", path)
		}
	}
	nameKinds(object(object(paths, "/api/tasks/stream"), "get"))
	return json.Marshal(contract)
}

// nameKinds lists the kinds of slow work where one can be asked for.
func nameKinds(operation map[string]any) {
	parameters, _ := operation["parameters"].([]any)
	for _, p := range parameters {
		if parameter, _ := p.(map[string]any); parameter["name"] == "kind" {
			object(parameter, "schema")["enum"] = callbacks.KindNames()
		}
	}
}

// object is a member that is an object, an empty one if there is none.
func object(parent map[string]any, name string) map[string]any {
	child, _ := parent[name].(map[string]any)
	if child == nil {
		child = map[string]any{}
	}
	return child
}
