// Package docs holds the API's contract and shows it.
//
//	overlay.yaml    what annotations cannot say: callbacks, links, closed objects
//	gen/            the generator: annotations and overlay to openapi.yaml
//	streams.yaml    what streams and sockets tell
//	asyncapi.yaml   the same with the schemas of the contract, generated
//	openapi.yaml    the contract (a copy of the file at the top of the module)
//	lab/            the page at / on which a person sees the whole article happen
//	ui/             our part of Swagger UI (its README.md says what), and a picture to try image processing with
//	tutorial/       the article, page by page: what to read, to break and to write
//	contracttest/   holds answers and callbacks against the contract, in tests
package docs

import (
	_ "embed"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:generate go run ./gen

// YAML is the contract, OpenAPI 3.1.
//
//go:embed openapi.yaml
var YAML []byte

// AsyncAPI describes streams and sockets, AsyncAPI 3.0.
//
//go:embed asyncapi.yaml
var AsyncAPI []byte

// JSON is the contract as JSON. It is made when it is first asked for.
var JSON = sync.OnceValue(func() []byte {
	asJSON, err := yaml.YAMLToJSON(YAML)
	if err != nil {
		panic(err) // the contract is part of the binary
	}
	return asJSON
})
