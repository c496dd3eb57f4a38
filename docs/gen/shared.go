package main

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi3"
)

// receiverAnswers are those of callbacks.Receive, which any receiver can give. 410 is not among them: what ends by it
// differs.
var receiverAnswers = map[int]string{
	http.StatusOK:                    "Received. Any other 2xx says so, too",
	http.StatusBadRequest:            "Invalid body: it is sent again",
	http.StatusUnauthorized:          "Invalid signature: it is sent again",
	http.StatusRequestEntityTooLarge: "Body too long: it is sent again",
	http.StatusTooManyRequests:       "Too many requests: it is sent again, after Retry-After",
	http.StatusInternalServerError:   "Not processed: it is sent again",
	http.StatusServiceUnavailable:    "Still being processed, or unavailable: it is sent again, after Retry-After",
}

// addShared adds what operations have by rule, so that no annotation repeats it. The rules are in handlers/doc.go.
func addShared(doc *openapi2.T) {
	for path, item := range doc.Paths {
		for method, op := range item.Operations() {
			if len(op.Produces) == 0 {
				op.Produces = doc.Produces
			}
			if strings.HasPrefix(path, stubs) {
				addReceiverAnswers(op)
				continue
			}
			addErrors(op, method, path)
			describeSuccess(op)
			if tagged(doc, path) {
				addPreconditions(op, method, path)
			}
			if page := op.Responses.Value("200"); page != nil && page.Schema != nil && strings.HasSuffix(page.Schema.Ref, "Page") {
				addPaging(op, page)
			}
			if op.Extensions[causes] != nil {
				addWait(op)
			}
		}
	}
}

func addReceiverAnswers(op *openapi2.Operation) {
	for status, means := range receiverAnswers {
		response := &openapi2.Response{Description: means}
		if strings.Contains(means, "Retry-After") {
			response.Headers = headers("Retry-After", "string", "Seconds, or an HTTP date; up to a day")
		}
		op.Responses.Set(strconv.Itoa(status), response)
	}
}

func addErrors(op *openapi2.Operation, method, path string) {
	addError(op, http.StatusMisdirectedRequest, "The Host is none of this server's names")
	addError(op, http.StatusUnprocessableEntity, "A field or a parameter cannot be accepted: errors says which")
	if method != http.MethodGet {
		addError(op, http.StatusForbidden, "The page's origin is not allowed")
	}
	if strings.Contains(path, "{") {
		addError(op, http.StatusNotFound, "There is no such resource")
	}
	if slices.ContainsFunc(op.Parameters, func(p *openapi2.Parameter) bool { return p.In == "body" }) {
		addError(op, http.StatusBadRequest, "The body cannot be read: it is no JSON, or ends too soon")
		addError(op, http.StatusRequestEntityTooLarge, "The body is too long")
		addError(op, http.StatusUnsupportedMediaType, "The body is of a type that this operation does not take")
	}
}

// describeSuccess says what is in an answer of which an annotation says nothing: swag describes that by its status.
func describeSuccess(op *openapi2.Operation) {
	if ok := op.Responses.Value("200"); ok != nil && ok.Description == http.StatusText(http.StatusOK) && ok.Schema != nil {
		ok.Description = "The " + nameOf(ok.Schema)
		if strings.HasSuffix(ok.Schema.Ref, "Page") {
			ok.Description = "A page of the list"
		}
	}
	if removed := op.Responses.Value("204"); removed != nil {
		removed.Description = "Removed"
	}
}

// nameOf is what a schema is called, in lower case: order.
func nameOf(schema *openapi2.SchemaRef) string {
	return strings.ToLower(strings.TrimPrefix(schema.Ref, definitionsPrefix))
}

// addError adds a problem, and says when it is answered.
func addError(op *openapi2.Operation, status int, description string) {
	op.Responses.Set(strconv.Itoa(status), &openapi2.Response{
		Description: description, Schema: &openapi2.SchemaRef{Ref: definitionsPrefix + "Problem"},
	})
}

// tagged reports whether a path names a resource that has an ETag, which is one that can be read and removed, or
// something that is done to it.
func tagged(doc *openapi2.T, path string) bool {
	item, rest, _ := strings.Cut(path, "}")
	resource := doc.Paths[item+"}"]
	return resource != nil && resource.Get != nil && resource.Delete != nil && (rest == "" || doc.Paths[path].Get == nil)
}

func addPreconditions(op *openapi2.Operation, method, path string) {
	if method == http.MethodGet {
		addParameter(op, "If-None-Match", "ETags that you have: if one of them is current, the answer is 304")
		op.Responses.Set("304", &openapi2.Response{Description: "You have the current one", Headers: headers("ETag", "string", "The current one")})
	} else {
		addParameter(op, "If-None-Match", "Do it only if none of these ETags is current")
	}
	addParameter(op, "If-Match", "Do it only if one of these ETags is current")
	addError(op, http.StatusPreconditionFailed, "The resource has another ETag now")
	if ok := op.Responses.Value("200"); ok != nil && ok.Schema != nil && strings.HasSuffix(path, "}") {
		if ok.Headers == nil {
			ok.Headers = map[string]*openapi2.Header{}
		}
		maps.Copy(ok.Headers, headers("ETag", "string", "The current one, for If-Match and If-None-Match"))
	}
}

func addParameter(op *openapi2.Operation, name, description string) {
	op.Parameters = append(op.Parameters, &openapi2.Parameter{Name: name, In: "header", Type: &openapi3.Types{"string"}, Description: description})
}

func addPaging(op *openapi2.Operation, page *openapi2.Response) {
	least, most, longest := 1.0, 100.0, uint64(200)
	op.Parameters = append(op.Parameters,
		&openapi2.Parameter{Name: "limit", In: "query", Type: &openapi3.Types{"integer"}, Minimum: &least, Maximum: &most, Default: 20, Description: "How many, at the most"},
		&openapi2.Parameter{Name: "cursor", In: "query", Type: &openapi3.Types{"string"}, MaxLength: &longest,
			Description: "Where the page before this one ended: its next_cursor"})
	page.Headers = headers("Link", "string", "The next page (RFC 8288)")
}

// addWait adds that a request for slow work can prefer to wait for the outcome.
func addWait(op *openapi2.Operation) {
	op.Parameters = append(op.Parameters, &openapi2.Parameter{Name: "Prefer", In: "header", Type: &openapi3.Types{"string"},
		Description: "How many seconds the answer may wait for the outcome, up to 60 (RFC 7240): wait=10"})
	accepted := op.Responses.Value("202")
	where := "Where the " + nameOf(accepted.Schema) + " is"
	accepted.Headers = headers(
		"Location", "string", where,
		"Retry-After", "integer", "After how many seconds to ask for it, if you ask",
		"Preference-Applied", "string", "The wait of Prefer, if it was heeded")
	op.Responses.Set("201", &openapi2.Response{
		Description: "Completed, failed or cancelled already: the client preferred to wait", Schema: accepted.Schema,
		Headers: headers("Location", "string", where, "Preference-Applied", "string", "The wait of Prefer"),
	})
}

// headers makes headers of triples of name, type and description.
func headers(of ...string) map[string]*openapi2.Header {
	all := map[string]*openapi2.Header{}
	for h := range slices.Chunk(of, 3) {
		all[h[0]] = &openapi2.Header{Parameter: openapi2.Parameter{Type: &openapi3.Types{h[1]}, Description: h[2]}}
	}
	return all
}
