package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/pb33f/go-yaml"
	"github.com/pb33f/jsonschema/v6"
	"github.com/pb33f/libopenapi/arazzo/expression"
)

// Exchange is an API call, such as the one that gave the sender its callback URL, and its answer.
type Exchange struct {
	Method          string            `json:"method"`
	URL             string            `json:"url"`
	Headers         map[string]string `json:"headers,omitempty"`
	Body            json.RawMessage   `json:"body,omitempty"`
	Status          int               `json:"status,omitempty"`
	ResponseHeaders map[string]string `json:"response_headers,omitempty"`
	ResponseBody    json.RawMessage   `json:"response_body,omitempty"`
}

// Target says that a callback goes to a path.
type Target struct {
	Path    string // without the query
	Pointer string // see Announced.Pointer
}

// Embedded finds the runtime expressions in a text, such as the key of a callback (OpenAPI 3.1, section 4.8.20.4).
// The first group has the expression itself.
var Embedded = regexp.MustCompile(`\{(\$[^}]*)\}`)

// Resolve returns where the callbacks go that this call asked for: those of its operation whose runtime expressions
// all have a value.
func (c *Contract) Resolve(e Exchange) []Target {
	var all []Target
	for _, op := range c.operations {
		parameters, matches := matchTemplate(op.Path, e.path())
		if op.Method != e.Method || !matches {
			continue
		}
		v := newValues(e, parameters)
		for _, a := range c.sent {
			if a.Owner != op.String() {
				continue
			}
			if path, ok := v.target(a.Expression); ok {
				all = append(all, Target{path, a.Pointer})
			}
		}
	}
	return all
}

func (e Exchange) path() string {
	u, err := url.Parse(e.URL)
	if err != nil {
		return ""
	}
	return u.Path
}

// matchTemplate matches a path against a template such as /orders/{order_id}, which may stand below the base path of
// a server.
func matchTemplate(template, path string) (parameters map[string]string, matches bool) {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(have) < len(want) {
		return nil, false
	}
	have = have[len(have)-len(want)+1:]
	parameters = map[string]string{}
	for i, segment := range want[1:] {
		name, isParameter := strings.CutPrefix(segment, "{")
		switch {
		case isParameter:
			parameters[strings.TrimSuffix(name, "}")] = have[i]
		case segment != have[i]:
			return nil, false
		}
	}
	return parameters, true
}

// values are what runtime expressions mean in an exchange.
type values struct{ expression.Context }

func newValues(e Exchange, path map[string]string) values {
	v := values{expression.Context{
		URL: e.URL, Method: e.Method, StatusCode: e.Status, RequestPath: path, RequestQuery: map[string]string{},
		RequestHeaders: lower(e.Headers), ResponseHeaders: lower(e.ResponseHeaders), RequestBody: parsed(e.Body), ResponseBody: parsed(e.ResponseBody),
	}}
	if u, err := url.Parse(e.URL); err == nil {
		for name, values := range u.Query() {
			v.RequestQuery[name] = values[0]
		}
	}
	return v
}

// lower has the names of headers in lower case: they have none.
func lower(headers map[string]string) map[string]string {
	all := map[string]string{}
	for name, value := range headers {
		all[strings.ToLower(name)] = value
	}
	return all
}

// parsed is a body in JSON, nil if it is none.
func parsed(body json.RawMessage) *yaml.Node {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	var node yaml.Node
	if err != nil || node.Encode(value) != nil {
		return nil
	}
	return &node
}

// target resolves the key of a callback to the path of a URL.
func (v *values) target(key string) (string, bool) {
	complete := true
	resolved := Embedded.ReplaceAllStringFunc(key, func(braced string) string {
		value, ok := v.value(braced[1 : len(braced)-1])
		complete = complete && ok
		return value
	})
	u, err := url.Parse(resolved)
	if !complete || err != nil {
		return "", false
	}
	return "/" + strings.TrimPrefix(u.EscapedPath(), "/"), true
}

// value evaluates one expression (OpenAPI Specification, "Runtime Expressions") to a string, number or boolean.
func (v *values) value(text string) (string, bool) {
	e, err := expression.Parse(text)
	if err != nil {
		return "", false
	}
	if e.Type == expression.RequestHeader || e.Type == expression.ResponseHeader {
		e.Property = strings.ToLower(e.Property)
	}
	value, err := expression.Evaluate(e, &v.Context)
	if err != nil {
		return "", false
	}
	switch value.(type) {
	case string, bool, int, int64, float64:
		return fmt.Sprint(value), true
	default:
		return "", false
	}
}
