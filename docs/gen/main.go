// Command gen writes the contract: openapi.yaml at the top of the module, the copies that
// package docs serves, and asyncapi.yaml, which has what streams and sockets tell. Run it with `go generate ./docs`.
//
// The source is the annotations beside the handlers. swag reads them, but knows Swagger 2.0 only;
// so its output is lifted to OpenAPI 3.1, and docs/overlay.yaml adds what Swagger 2.0 has no words
// for: callbacks, links, closed objects.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	const root = ".." // go generate runs in docs
	files, err := generate(root)
	if err != nil {
		log.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(root, name), content, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// generate returns the content of every generated file by its path below root, the module's folder.
func generate(root string) (map[string][]byte, error) {
	swagger, err := readAnnotations(root)
	if err != nil {
		return nil, fmt.Errorf("read annotations: %w", err)
	}
	lifted, err := liftToV3(swagger)
	if err != nil {
		return nil, fmt.Errorf("lift Swagger 2.0 to OpenAPI %s: %w", openAPIVersion, err)
	}
	if lifted, err = moveCallbacks(lifted); err != nil {
		return nil, fmt.Errorf("move the callbacks: %w", err)
	}
	overlay, err := os.ReadFile(filepath.Join(root, "docs", "overlay.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read the overlay: %w", err)
	}
	contract, err := applyOverlay(lifted, overlay)
	if err != nil {
		return nil, fmt.Errorf("apply docs/overlay.yaml: %w", err)
	}
	asYAML, err := render(contractNote, contract)
	if err != nil {
		return nil, fmt.Errorf("render the contract: %w", err)
	}
	streams, err := os.ReadFile(filepath.Join(root, "docs", "streams.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read what streams tell: %w", err)
	}
	if streams, err = describeStreams(streams, asYAML); err != nil {
		return nil, fmt.Errorf("describe streams: %w", err)
	}
	return map[string][]byte{
		"docs/asyncapi.yaml": streams,
		"docs/openapi.yaml":  asYAML, // for docs to embed: it cannot reach the file above
		"openapi.yaml":       asYAML,
	}, nil
}
