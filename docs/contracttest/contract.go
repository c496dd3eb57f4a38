// Package contracttest holds what the server answers, and what it sends to callback URLs, against
// the contract in openapi.yaml. It is for tests.
//
// Validation is strict: a field, status, media type, parameter or header that the contract does not
// declare is an error, as is a value whose `format` is not kept.
package contracttest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"petstore/callbacks/receiver/verdict/contract"
	"petstore/docs"
)

// Contract is an OpenAPI 3.1 document to test against. It is safe for concurrent use.
type Contract struct {
	model     *v3.Document
	validator validator.Validator
	sent      map[string]*v3.PathItem // callbacks and webhooks by name
}

var load = sync.OnceValues(func() (*Contract, error) { return New(docs.YAML) })

// Load returns the server's own contract, read once in a process.
func Load(t testing.TB) *Contract {
	t.Helper()
	c, err := load()
	if err != nil {
		t.Fatalf("load the contract: %v", err)
	}
	return c
}

// New reads an OpenAPI 3.1 document in YAML or JSON. The error says where it breaks the
// specification, or that two different callbacks share a name.
func New(document []byte) (*Contract, error) {
	document, err := spellOutOpenObjects(document)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	doc, err := libopenapi.NewDocument(document)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		return nil, fmt.Errorf("build the model: %w", err)
	}
	v, errs := validator.NewValidator(doc,
		config.WithFormatAssertions(),
		config.WithStrictMode(),
		config.WithStrictIgnoredHeadersExtra("X-Content-Type-Options", "Content-Security-Policy", "Idempotency-Key",
			"Access-Control-Allow-Origin", "Access-Control-Expose-Headers"))
	if len(errs) > 0 {
		return nil, fmt.Errorf("build the validator: %w", errors.Join(errs...))
	}
	if valid, errs := v.ValidateDocument(); !valid {
		return nil, fmt.Errorf("not OpenAPI 3.1:%s", describe(errs))
	}
	sent, err := sentItems(&model.Model)
	if err != nil {
		return nil, err
	}
	return &Contract{model: &model.Model, validator: v, sent: sent}, nil
}

// sentItems finds the requests that the server sends: callbacks of any operation, and webhooks.
func sentItems(model *v3.Document) (map[string]*v3.PathItem, error) {
	sent := map[string]*v3.PathItem{}
	for _, a := range contract.Announcements(model) {
		if sent[a.Name] != nil {
			return nil, fmt.Errorf("two callbacks or webhooks are called %s", a.Name)
		}
		sent[a.Name] = a.Item
	}
	return sent, nil
}

// Operations lists the contract's operations, sorted, as `GET /api/orders/{order_id}`.
func (c *Contract) Operations() []string {
	var names []string
	for _, op := range contract.Operations(c.model) {
		names = append(names, op.String())
	}
	slices.Sort(names)
	return names
}

// Callbacks lists the names of the contract's callbacks and webhooks, sorted.
func (c *Contract) Callbacks() []string {
	var names []string
	for name := range c.sent {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
