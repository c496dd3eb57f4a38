package contract

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
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
		v := values{Exchange: e, path: parameters}
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
type values struct {
	Exchange
	path map[string]string
}

// target resolves the key of a callback to the path of a URL.
func (v values) target(key string) (string, bool) {
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

// value evaluates one expression, by the grammar of the OpenAPI Specification, section "Runtime Expressions".
func (v values) value(expression string) (string, bool) {
	switch expression {
	case "$url":
		return v.URL, true
	case "$method":
		return v.Method, true
	case "$statusCode":
		return strconv.Itoa(v.Status), true
	}
	headers, body := v.Headers, v.Body
	source, isRequest := strings.CutPrefix(expression, "$request.")
	if !isRequest {
		var isResponse bool
		if source, isResponse = strings.CutPrefix(expression, "$response."); !isResponse {
			return "", false
		}
		headers, body = v.ResponseHeaders, v.ResponseBody
	}
	if pointer, isBody := strings.CutPrefix(source, "body"); isBody {
		return Lookup(body, strings.TrimPrefix(pointer, "#"))
	}
	where, name, _ := strings.Cut(source, ".")
	switch {
	case where == "header":
		return headerIn(headers, name)
	case where == "query" && isRequest:
		return v.query(name)
	case where == "path" && isRequest:
		value, ok := v.path[name]
		return value, ok
	default:
		return "", false
	}
}

func headerIn(headers map[string]string, name string) (string, bool) {
	for have, value := range headers {
		if strings.EqualFold(have, name) {
			return value, true
		}
	}
	return "", false
}

func (v values) query(name string) (string, bool) {
	u, err := url.Parse(v.URL)
	if err != nil {
		return "", false
	}
	query := u.Query()
	return query.Get(name), query.Has(name)
}

// Lookup follows a JSON Pointer (RFC 6901) through a document, to a string, number or boolean.
func Lookup(document []byte, pointer string) (string, bool) {
	var value any
	if json.Unmarshal(document, &value) != nil {
		return "", false
	}
	for _, token := range Tokens(pointer) {
		switch holder := value.(type) {
		case map[string]any:
			value = holder[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(holder) {
				return "", false
			}
			value = holder[i]
		default:
			return "", false
		}
	}
	switch scalar := value.(type) {
	case string:
		return scalar, true
	case float64:
		return strconv.FormatFloat(scalar, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(scalar), true
	default:
		return "", false
	}
}

var unescaper = strings.NewReplacer("~1", "/", "~0", "~")

// Tokens splits a JSON Pointer into its unescaped tokens.
func Tokens(pointer string) []string {
	if pointer == "" {
		return nil
	}
	tokens := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, token := range tokens {
		tokens[i] = unescaper.Replace(token)
	}
	return tokens
}
