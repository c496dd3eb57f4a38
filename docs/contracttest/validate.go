package contracttest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi-validator/config"
	validation "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/paths"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/pb33f/libopenapi/orderedmap"
)

// Request fails the test unless req with this body is a request that the contract allows.
func (c *Contract) Request(t testing.TB, req *http.Request, body []byte) {
	t.Helper()
	if valid, errs := c.validator.ValidateHttpRequestSync(withBody(req, body)); !valid {
		t.Errorf("request %s %s breaks the contract:%s", req.Method, req.URL, describe(errs))
	}
}

// Response fails the test unless resp with this body answers req as the contract says. The body of
// resp itself is not read.
func (c *Contract) Response(t testing.TB, req *http.Request, resp *http.Response, body []byte) {
	t.Helper()
	req = withBody(req, nil)
	answer := *resp
	answer.Body = io.NopCloser(bytes.NewReader(body))
	valid, errs := c.validator.ValidateHttpResponse(req, &answer)
	// The validator itself looks at a body only where one is declared and there is one.
	switch isJSON := strings.Contains(resp.Header.Get("Content-Type"), "json"); {
	case len(body) > 0 && !c.declaresBody(req, resp.StatusCode):
		valid, errs = false, append(errs, &validation.ValidationError{Message: "the contract declares no body"})
	case len(body) == 0 && isJSON && req.Method != http.MethodHead:
		valid, errs = false, append(errs, &validation.ValidationError{Message: "the body is empty, which is no JSON"})
	}
	if !valid {
		t.Errorf("response %d to %s %s breaks the contract:%s\nbody: %s",
			resp.StatusCode, req.Method, req.URL, describe(errs), body)
	}
}

// Callback fails the test unless req with this body is a request that the contract announces under
// this name among its callbacks and webhooks, as in `orderUpdate`.
func (c *Contract) Callback(t testing.TB, name string, req *http.Request, body []byte) {
	t.Helper()
	item, ok := c.sent[name]
	if !ok {
		t.Errorf("the contract has no callback or webhook called %s", name)
		return
	}
	if operationOf(item, req.Method) == nil {
		t.Errorf("callback %s is not sent with %s", name, req.Method)
		return
	}
	// The URL is the receiver's own: parameters in its query are no part of the contract.
	req = withBody(req, body)
	req.URL.RawQuery = ""
	valid, errs := c.validator.ValidateHttpRequestSyncWithPathItem(req, item, req.URL.Path)
	if !valid {
		t.Errorf("callback %s breaks the contract:%s\nbody: %s", name, describe(errs), body)
	}
}

// withBody returns a copy, because validation replaces a request's context and body.
func withBody(req *http.Request, body []byte) *http.Request {
	req = req.Clone(req.Context())
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return req
}

// declaresBody says whether a response of this status may have a body.
func (c *Contract) declaresBody(req *http.Request, status int) bool {
	item, _, _ := paths.FindPath(req, c.model, config.NewValidationOptions())
	if item == nil {
		return false
	}
	op := operationOf(item, req.Method)
	if op == nil {
		return false
	}
	response := get(responses(op), strconv.Itoa(status))
	if response == nil && op.Responses != nil {
		response = op.Responses.Default
	}
	return response != nil && orderedmap.Len(response.Content) > 0
}

func operationOf(item *v3.PathItem, method string) *v3.Operation {
	return get(item.GetOperations(), strings.ToLower(method))
}

func describe(errs []*validation.ValidationError) string {
	var text strings.Builder
	for _, err := range errs {
		fmt.Fprintf(&text, "\n  %s", err.Message)
		if err.Reason != "" && len(err.SchemaValidationErrors) == 0 {
			fmt.Fprintf(&text, ": %s", err.Reason)
		}
		for _, failure := range err.SchemaValidationErrors {
			fmt.Fprintf(&text, "\n    %s %s", failure.FieldPath, failure.Reason)
		}
	}
	return text.String()
}

// responses may be nil, which ranges over nothing.
func responses(op *v3.Operation) *orderedmap.Map[string, *v3.Response] {
	if op.Responses == nil {
		return nil
	}
	return op.Responses.Codes
}

// get is GetOrZero for a map that may be nil.
func get[V any](m *orderedmap.Map[string, V], key string) (value V) {
	if m == nil {
		return value
	}
	return m.GetOrZero(key)
}
