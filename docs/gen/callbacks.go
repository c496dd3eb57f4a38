package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"petstore/callbacks"
)

const (
	// stubs is the path beneath which annotations describe what the server sends: Swagger 2.0 has no callbacks.
	stubs = "/callbacks-sent/"
	// callbackStub describes the callback of every kind of slow work, which stands in it as {kind}.
	callbackStub = stubs + "update"
	// webhookStubs are those of the contract's webhooks.
	webhookStubs = stubs + "webhook-"
	// causes is the extension by which an operation names the callback that it causes: orderUpdate.
	causes = "x-callback"
	// callbackURL is where they go (OpenAPI 3.1, runtime expressions).
	callbackURL = "{$request.body#/callback_url}"
)

// moveCallbacks moves callbacks from their stub to the operations that cause them, and webhooks to the contract's, and
// says which kinds of slow work there are.
func moveCallbacks(document []byte) ([]byte, error) {
	var contract map[string]any
	if err := json.Unmarshal(document, &contract); err != nil {
		return nil, err
	}
	paths, webhooks := object(contract, "paths"), map[string]any{}
	stub := object(paths, callbackStub)
	delete(paths, callbackStub)
	for path := range paths {
		post := object(object(paths, path), "post")
		if name, isWebhook := strings.CutPrefix(path, webhookStubs); isWebhook {
			post["parameters"] = signatures("CallbackSignature", "WebhookID", "WebhookTimestamp", "WebhookSignature")
			webhooks[name] = paths[path]
			delete(paths, path)
			continue
		}
		if name, _ := post[causes].(string); name != "" {
			item, err := callbackOf(stub, name, post["tags"])
			if err != nil {
				return nil, fmt.Errorf("POST %s causes the callback %s: %w", path, name, err)
			}
			post["callbacks"] = map[string]any{name: map[string]any{callbackURL: item}}
			delete(post, causes)
		}
	}
	contract["webhooks"] = webhooks
	nameKinds(object(object(paths, "/api/tasks/stream"), "get"))
	return json.Marshal(contract)
}

// callbackOf is the stub, made the callback of one kind: orderUpdate.
func callbackOf(stub map[string]any, name string, tags any) (item map[string]any, err error) {
	kind := strings.TrimSuffix(name, "Update")
	if !slices.Contains(callbacks.KindNames(), kind) {
		return nil, fmt.Errorf("there is no kind %q of slow work", kind)
	}
	text, err := json.Marshal(stub)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(bytes.ReplaceAll(text, []byte("{kind}"), []byte(kind)), &item)
	post := object(item, "post")
	post["operationId"], post["tags"] = name, tags
	post["parameters"] = signatures("CallbackSignature", "WebhookID", "WebhookTimestamp", "WebhookSignature")
	return item, err
}

// signatures are headers of what is sent, which docs/overlay.yaml describes.
func signatures(names ...string) (parameters []any) {
	for _, name := range names {
		parameters = append(parameters, map[string]any{"$ref": "#/components/parameters/" + name})
	}
	return parameters
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
