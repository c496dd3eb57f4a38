package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/swaggo/swag"
)

// readAnnotations returns the Swagger 2.0 document of the annotations in cmd/petstore (general
// information) and handlers (operations), indented JSON.
func readAnnotations(root string) ([]byte, error) {
	parser := swag.New(swag.SetStrict(true), swag.SetDebugger(log.New(io.Discard, "", 0)))
	parser.RequiredByDefault = true // what a Go type always sends is `required`; `omitempty` is not
	dirs := []string{
		filepath.Join(root, "cmd", "petstore"), // general information, in main.go
		filepath.Join(root, "handlers"),
		filepath.Join(root, "callbacks"), // types only
		filepath.Join(root, "models"),    // types only
	}
	if err := parser.ParseAPIMultiSearchDir(dirs, "main.go", 0); err != nil {
		return nil, err
	}
	content, err := indent(parser.GetSwagger())
	if err != nil {
		return nil, err
	}
	return shortenNames(content)
}

// shortenNames turns the definition `handlers.orderPage` into `OrderPage`: which package a type
// lives in is no business of a client. Two types of one name are an error.
func shortenNames(swagger []byte) ([]byte, error) {
	var document map[string]any
	if err := json.Unmarshal(swagger, &document); err != nil {
		return nil, err
	}
	definitions, _ := document["definitions"].(map[string]any)
	short := make(map[string]any, len(definitions))
	for _, name := range slices.Sorted(maps.Keys(definitions)) {
		if _, taken := short[shorten(name)]; taken {
			return nil, fmt.Errorf("%s: another type is called %s too", name, shorten(name))
		}
		short[shorten(name)] = definitions[name]
	}
	document["definitions"] = short
	content, err := indent(document)
	return reference.ReplaceAllFunc(content, func(ref []byte) []byte {
		name := strings.TrimPrefix(string(ref), definitionsPrefix)
		return []byte(definitionsPrefix + shorten(name))
	}), err
}

const definitionsPrefix = "#/definitions/"

var reference = regexp.MustCompile(definitionsPrefix + `[^"]+`)

func shorten(name string) string {
	if _, item, generic := strings.Cut(name, "page-"); generic {
		name = item[strings.LastIndex(item, "_")+1:] + "Page"
	}
	short := name[strings.LastIndex(name, ".")+1:]
	return strings.ToUpper(short[:1]) + short[1:]
}

func indent(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return out.Bytes(), err
}
