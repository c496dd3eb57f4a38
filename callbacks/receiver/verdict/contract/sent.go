package contract

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pb33f/jsonschema/v6"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	"github.com/pb33f/libopenapi/datamodel/high/base"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// sent is a request that is announced, with one method.
type sent struct {
	Announced
	path      *pathPattern // nil for a webhook
	method    string       // POST
	operation *v3.Operation
	place     string // of the operation in the document
	rules     string // the same for all that have the same rules

	compile func() // fills in the rest, once
	headers []headerRule
	bodies  map[*v3.MediaType]bodyRule
	// unusable says why a schema of the contract cannot be compiled.
	unusable string
}

// headerRule is a header that a request may or must have.
type headerRule struct {
	name     string
	required bool
	shape    *shape
	schema   *jsonschema.Schema // nil if any value will do
}

// bodyRule is what a body of one media type has to be.
type bodyRule struct {
	form   *shape             // of its fields, if it is a form
	schema *jsonschema.Schema // nil if any value will do
}

func newSent(a Announced, method string, op *v3.Operation, c *compiler) *sent {
	s := &sent{
		Announced: a, path: newPathPattern(a.Expression), method: strings.ToUpper(method), operation: op,
		place: a.Pointer + "/" + method, rules: rulesOf(a, op), bodies: map[*v3.MediaType]bodyRule{},
	}
	s.compile = sync.OnceFunc(func() {
		if err := c.fill(s); err != nil {
			s.unusable = err.Error()
		}
	})
	return s
}

// compiler compiles the schemas of a document, one at a time: its model is built while it is read.
type compiler struct {
	mu      sync.Mutex
	options *config.ValidationOptions
	version float32
}

func newCompiler(version string) *compiler {
	c := &compiler{options: config.NewValidationOptions(config.WithFormatAssertions()), version: 3.1}
	if strings.HasPrefix(version, "3.0") {
		c.version = 3.0
	}
	return c
}

func (c *compiler) fill(s *sent) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range slices.Concat(s.Item.Parameters, s.operation.Parameters) {
		if p.In != "header" || ignoredHeader(p.Name) {
			continue
		}
		rule := headerRule{name: p.Name, required: p.Required != nil && *p.Required}
		if rule.schema, err = c.schema(p.Schema); err != nil {
			return err
		}
		rule.shape = shapeOf(p.Schema, &v3.Encoding{Explode: new(bool)})
		s.headers = append(s.headers, rule)
	}
	if s.operation.RequestBody == nil {
		return nil
	}
	for media := range s.operation.RequestBody.Content.ValuesFromOldest() {
		rule := bodyRule{form: formOf(media.Schema, media.Encoding)}
		if rule.schema, err = c.schema(media.Schema); err != nil {
			return err
		}
		s.bodies[media] = rule
	}
	return nil
}

// ignoredHeader is what the specification tells us to ignore ("Parameter Object", name).
func ignoredHeader(name string) bool {
	return slices.Contains([]string{"accept", "content-type", "authorization"}, strings.ToLower(name))
}

// schema returns nil if there is none.
func (c *compiler) schema(proxy *base.SchemaProxy) (*jsonschema.Schema, error) {
	if proxy == nil {
		return nil, nil
	}
	schema, err := proxy.BuildSchema()
	if err != nil {
		return nil, err
	}
	compiled, err := schema_validation.CompileSchemaForValidation(schema, schema_validation.SchemaValidationPurposeRequestBody, c.options, c.version)
	if err != nil {
		return nil, err
	}
	return compiled.CompiledSchema, nil
}

// rulesOf digests what an operation asks of a request. Documents often have one schema for all their callbacks.
func rulesOf(a Announced, op *v3.Operation) string {
	var all strings.Builder
	for _, p := range slices.Concat(a.Item.Parameters, op.Parameters) {
		fmt.Fprint(&all, p.In, " ", p.Name, " ", p.Required != nil && *p.Required, " ", hash(p.Schema), "\n")
	}
	if op.RequestBody != nil {
		fmt.Fprint(&all, op.RequestBody.Required != nil && *op.RequestBody.Required, "\n")
		for name, media := range op.RequestBody.Content.FromOldest() {
			fmt.Fprint(&all, name, " ", hash(media.Schema), "\n")
			for field, how := range media.Encoding.FromOldest() {
				fmt.Fprint(&all, field, " ", how.GoLow().Hash(), "\n")
			}
		}
	}
	return all.String()
}

func hash(proxy *base.SchemaProxy) uint64 {
	if proxy == nil {
		return 0
	}
	return proxy.GoLow().Hash()
}
