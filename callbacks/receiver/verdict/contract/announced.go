package contract

import (
	"strings"

	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// Operation is a request that a client may make.
type Operation struct {
	*v3.Operation
	Method, Path string // POST, /api/orders/{order_id}
}

func (o Operation) String() string { return o.Method + " " + o.Path }

// Operations lists the operations of a document, in its order.
func Operations(model *v3.Document) []Operation {
	if model.Paths == nil {
		return nil
	}
	var all []Operation
	for path, item := range model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			all = append(all, Operation{op, strings.ToUpper(method), path})
		}
	}
	return all
}

// Announced is a request that the server says it will send: a callback of an operation, or a webhook.
type Announced struct {
	// Name is the callback's or the webhook's: orderUpdate. Callbacks of several operations can share one.
	Name string
	// Owner is the operation that a callback belongs to, "POST /api/orders"; "" for a webhook.
	Owner string
	// Expression is the key of a callback, which says where it goes: {$request.body#/callback_url}.
	Expression string
	// Pointer is the place of Item in the document: a URI fragment with a JSON Pointer (RFC 6901).
	Pointer string
	// Item has an operation for each method with which it may be sent.
	Item *v3.PathItem
}

// Announcements lists what a document announces, in its order, callbacks first.
func Announcements(model *v3.Document) []Announced {
	var all []Announced
	for _, op := range Operations(model) {
		for name, callback := range op.Callbacks.FromOldest() {
			for expression, item := range callback.Expression.FromOldest() {
				all = append(all, Announced{
					Name: name, Owner: op.String(), Expression: expression, Item: item,
					Pointer: pointer("paths", op.Path, strings.ToLower(op.Method), "callbacks", name, expression),
				})
			}
		}
	}
	for name, item := range model.Webhooks.FromOldest() {
		all = append(all, Announced{Name: name, Item: item, Pointer: pointer("webhooks", name)})
	}
	return all
}

var escaper = strings.NewReplacer("~", "~0", "/", "~1")

// pointer is the URI fragment of a JSON Pointer. Characters that a URI would escape are left readable.
func pointer(tokens ...string) string { return "#" + field(tokens) }

// field is the JSON Pointer to a value of a body.
func field(tokens []string) string {
	var all strings.Builder
	for _, token := range tokens {
		all.WriteString("/" + escaper.Replace(token))
	}
	return all.String()
}
