package contracttest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pb33f/libopenapi/arazzo/expression"
	"github.com/pb33f/libopenapi/datamodel/high/base"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/pb33f/libopenapi/orderedmap"

	"petstore/callbacks/receiver/verdict/contract"
)

// checkRuntimeExpressions resolves every runtime expression (OpenAPI 3.1, section 4.8.20.4) in the
// keys of callbacks and the parameters of links, and joins an error for each that names something
// which the contract does not declare. Linters let these pass: `{$request.body#/nope}` is well formed.
func (c *Contract) checkRuntimeExpressions() error {
	var errs []error
	for _, op := range contract.Operations(c.model) {
		for name, callback := range op.Callbacks.FromOldest() {
			for key := range callback.Expression.KeysFromOldest() {
				if err := resolveAll(key, op, successes(op.Operation)); err != nil {
					errs = append(errs, fmt.Errorf("%s: callback %s: %w", op, name, err))
				}
			}
		}
		for status, response := range responses(op.Operation).FromOldest() {
			for name, link := range response.Links.FromOldest() {
				if err := c.checkLink(link, op, response); err != nil {
					errs = append(errs, fmt.Errorf("%s: %s: link %s: %w", op, status, name, err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// checkLink also holds the link against the operation that it leads to.
func (c *Contract) checkLink(link *v3.Link, from contract.Operation, response *v3.Response) error {
	i := slices.IndexFunc(contract.Operations(c.model), func(op contract.Operation) bool { return op.OperationId == link.OperationId })
	if i < 0 {
		return fmt.Errorf("no operation is called %q", link.OperationId)
	}
	to := contract.Operations(c.model)[i]
	var errs []error
	for name, expression := range link.Parameters.FromOldest() {
		if !slices.ContainsFunc(to.Parameters, func(p *v3.Parameter) bool { return p.Name == name }) {
			errs = append(errs, fmt.Errorf("%s has no parameter %q", to, name))
		}
		errs = append(errs, resolveAll(expression, from, []*v3.Response{response}))
	}
	return errors.Join(errs...)
}

// resolveAll checks a bare expression, or those embedded in braces in a URL.
func resolveAll(text string, op contract.Operation, responses []*v3.Response) error {
	if strings.HasPrefix(text, "$") {
		return resolve(text, op, responses)
	}
	var errs []error
	for _, match := range contract.Embedded.FindAllStringSubmatch(text, -1) {
		errs = append(errs, resolve(match[1], op, responses))
	}
	return errors.Join(errs...)
}

func resolve(expression string, op contract.Operation, responses []*v3.Response) error {
	unknown := fmt.Errorf("the runtime expression %s names nothing that the contract declares", expression)
	message, source, _ := strings.Cut(expression, ".")
	where, name, _ := strings.Cut(source, ".")
	pointer, isBody := strings.CutPrefix(source, "body")
	var found bool
	switch {
	case slices.Contains([]string{"$url", "$method", "$statusCode"}, expression):
		found = true
	case message == "$request" && isBody:
		found = op.RequestBody != nil && declares(op.RequestBody.Content, pointer)
	case message == "$request":
		found = slices.ContainsFunc(op.Parameters, func(p *v3.Parameter) bool { return p.In == where && sameName(p, name) })
	case message == "$response" && isBody:
		found = slices.ContainsFunc(responses, func(r *v3.Response) bool { return declares(r.Content, pointer) })
	case message == "$response" && where == "header":
		found = slices.ContainsFunc(responses, func(r *v3.Response) bool { return hasHeader(r, name) })
	}
	if !found {
		return unknown
	}
	return nil
}

// successes are the responses after which a callback may come.
func successes(op *v3.Operation) []*v3.Response {
	var all []*v3.Response
	for status, response := range responses(op).FromOldest() {
		if strings.HasPrefix(status, "2") {
			all = append(all, response)
		}
	}
	return all
}

func sameName(p *v3.Parameter, name string) bool {
	return p.Name == name || p.In == "header" && strings.EqualFold(p.Name, name)
}

func hasHeader(r *v3.Response, name string) bool {
	for declared := range r.Headers.KeysFromOldest() {
		if strings.EqualFold(declared, name) {
			return true
		}
	}
	return false
}

// declares says whether the pointer (`#/a/b`, or nothing for the whole body) leads to a declared
// value in every media type.
func declares(content *orderedmap.Map[string, *v3.MediaType], pointer string) bool {
	if orderedmap.Len(content) == 0 {
		return false
	}
	var tokens []string
	for token := range strings.FieldsFuncSeq(strings.TrimPrefix(pointer, "#"), func(r rune) bool { return r == '/' }) {
		tokens = append(tokens, expression.UnescapeJSONPointer(token))
	}
	for media := range content.ValuesFromOldest() {
		if media.Schema == nil || !leads(media.Schema, tokens) {
			return false
		}
	}
	return true
}

// leads follows a JSON pointer (RFC 6901) through a schema: into one of its alternatives at least.
func leads(proxy *base.SchemaProxy, tokens []string) bool {
	if len(tokens) == 0 {
		return true
	}
	schema := proxy.Schema()
	token := tokens[0]
	if next := get(schema.Properties, token); next != nil {
		return leads(next, tokens[1:])
	}
	if next := get(schema.PatternProperties, anyName); next != nil { // see spellOutOpenObjects
		return leads(next, tokens[1:])
	}
	if _, err := strconv.ParseUint(token, 10, 31); err == nil && schema.Items != nil && schema.Items.IsA() {
		return leads(schema.Items.A, tokens[1:])
	}
	alternatives := slices.Concat(schema.AllOf, schema.OneOf, schema.AnyOf)
	return slices.ContainsFunc(alternatives, func(p *base.SchemaProxy) bool { return leads(p, tokens) })
}
