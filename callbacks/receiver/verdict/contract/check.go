package contract

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/pb33f/jsonschema/v6"
	"github.com/pb33f/libopenapi-validator/helpers"
)

// Fit is how a request fits what the contract announces.
type Fit struct {
	// Announced is the callback or webhook that fits best. Without a name, there is none of this method and path.
	Announced
	// Alike are the names of others that have the same rules, and may be meant.
	Alike []string
	// Failures are what does not fit, 20 at most; none if it fits.
	Failures []Failure
	// Unchecked says why nothing was checked: a schema of the contract cannot be used, or the body is too deep.
	Unchecked string
}

// Failure is one thing that does not fit.
type Failure struct {
	Field  string // a JSON Pointer into the body, "" for all of it; or "header X-Name"
	Reason string // "got string, want integer"
	Rule   string // the place in the contract, a pointer like Announced.Pointer

	foreign bool // it may be a message of another kind: a member is missing, or is none of some constants
}

const (
	maxFailures = 20  // bounds what is said of one request
	maxDepth    = 500 // of a body's arrays and objects: what is said of a field grows with its depth
)

// Request is what is held against a contract.
type Request struct {
	Method string
	Path   string // without the query
	Header http.Header
	Body   []byte
	Type   string // of event, if it is known, as a hint at what is meant
}

// Check holds a request against what is announced for its method and path, and returns the best fit. If pointers are
// given, only those of them are candidates that the contract has: the request is known to be one of these.
func (c *Contract) Check(r Request, pointers []string) Fit {
	body := newBody(r)
	deep := body.isJSON() && deeper(r.Body, maxDepth)
	var best Fit
	for _, alike := range c.candidates(r, pointers) {
		fit := Fit{Announced: alike[0].Announced, Unchecked: "the body is nested too deep"}
		if !deep {
			fit = alike[0].check(r.Header, body)
		}
		for _, s := range alike[1:] {
			fit.Alike = append(fit.Alike, s.Name)
		}
		if best.Name == "" || fit.better(best) {
			best = fit
		}
		if len(best.Failures) == 0 && best.Unchecked == "" {
			break
		}
	}
	return best
}

// better prefers what was checked, then what fails less.
func (f Fit) better(other Fit) bool {
	if (f.Unchecked == "") != (other.Unchecked == "") {
		return f.Unchecked == ""
	}
	return f.distance() < other.distance()
}

func (f Fit) distance() int {
	distance := len(f.Failures)
	for _, failure := range f.Failures {
		if failure.foreign {
			distance += 2
		}
	}
	return distance
}

func (s *sent) check(header http.Header, body *body) Fit {
	s.compile()
	fit := Fit{Announced: s.Announced, Unchecked: s.unusable}
	if s.unusable != "" {
		return fit
	}
	for _, rule := range s.headers {
		if reason := rule.check(header.Values(rule.name)); reason != "" {
			fit.Failures = append(fit.Failures, Failure{Field: "header " + rule.name, Reason: reason, Rule: s.place + "/parameters"})
		}
	}
	fit.Failures = append(fit.Failures, s.checkBody(body)...)
	fit.Failures = fit.Failures[:min(len(fit.Failures), maxFailures)]
	return fit
}

// checkBody looks into bodies in JSON, and into forms. Of others it checks that their media type is declared.
func (s *sent) checkBody(body *body) []Failure {
	declared := s.operation.RequestBody
	if declared == nil {
		return nil
	}
	place := s.place + "/requestBody"
	if len(body.raw) == 0 {
		if declared.Required != nil && *declared.Required {
			return []Failure{{Reason: "missing", Rule: place + "/required"}}
		}
		return nil
	}
	media, found := helpers.FindMediaType(declared.Content, body.contentType)
	if !found {
		all := slices.Collect(declared.Content.KeysFromOldest())
		reason := fmt.Sprintf("%q is not declared, want %s", body.contentType, strings.Join(all, " or "))
		return []Failure{{Field: "header Content-Type", Reason: reason, Rule: place + "/content"}}
	}
	rule := s.bodies[media]
	if rule.schema == nil {
		return nil
	}
	value, readable, err := body.value(rule.form)
	switch {
	case err != nil:
		return []Failure{{Reason: err.Error(), Rule: place + "/content"}}
	case !readable:
		return nil
	}
	return invalid(rule.schema.Validate(value), place)
}

// invalid is what a schema has against a value.
func invalid(err error, place string) []Failure {
	if broken, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		all := leaves(broken, place)
		slices.SortStableFunc(all, func(a, b Failure) int { return strings.Compare(a.Field, b.Field) })
		return all
	}
	return nil
}

// check returns what is wrong with a header, "" if nothing is.
func (h headerRule) check(values []string) string {
	switch {
	case len(values) == 0 && h.required:
		return "missing"
	case len(values) == 0 || h.schema == nil:
		return ""
	}
	if failures := invalid(h.schema.Validate(h.shape.value(values)), ""); len(failures) > 0 {
		return failures[0].Reason
	}
	return ""
}

// deeper reports whether arrays and objects are nested deeper than most, in what may be JSON.
func deeper(body []byte, most int) bool {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '\\' && inString:
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			if depth++; depth > most {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}
