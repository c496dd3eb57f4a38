// Package contract reads OpenAPI documents for what they announce that a server will send: the callbacks of its
// operations, and webhooks. It holds captured requests against them.
package contract

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/pb33f/libopenapi"
	"github.com/pb33f/libopenapi/datamodel"
)

// MaxDocument is the longest document that is read, in bytes: 4 MiB.
const MaxDocument = 4 << 20

// Contract is an OpenAPI document of version 3.0 or 3.1. It is safe for concurrent use.
type Contract struct {
	operations []Operation
	sent       []*sent
}

// Read reads a document in YAML or JSON. It follows no reference to other documents. The error is for whoever wrote
// the document.
func Read(document []byte) (c *Contract, err error) {
	if len(document) > MaxDocument {
		return nil, fmt.Errorf("the document is longer than %d bytes", MaxDocument)
	}
	// The parser is made for documents that were written to be read. This one may have been made to break it.
	defer func() {
		if broken := recover(); broken != nil {
			c, err = nil, errors.New("the document cannot be read")
		}
	}()
	doc, err := libopenapi.NewDocumentWithConfiguration(document, &datamodel.DocumentConfiguration{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("not an OpenAPI document: %w", err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		return nil, fmt.Errorf("not an OpenAPI document of version 3: %w", err)
	}
	c = &Contract{operations: Operations(&model.Model)}
	compiler := newCompiler(model.Model.Version)
	for _, a := range Announcements(&model.Model) {
		for method, op := range a.Item.GetOperations().FromOldest() {
			c.sent = append(c.sent, newSent(a, method, op, compiler))
		}
	}
	if len(c.sent) == 0 {
		return nil, errors.New("the document announces no callbacks and no webhooks")
	}
	return c, nil
}
