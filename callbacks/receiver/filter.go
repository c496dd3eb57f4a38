package receiver

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"petstore/callbacks/receiver/verdict"
)

// Match says whether a request is one that is looked for. A nil Match takes any.
type Match func(r *Request) bool

// lookup is what a list of requests was asked for.
type lookup struct {
	match   []Match
	wait    time.Duration
	count   int
	limit   int
	newest  bool // first, instead of last
	summary bool
}

// parseLookup reads the parameters of a list, or of those of a stream. Unknown ones are refused: a filter with a
// typing error would match everything.
func parseLookup(values url.Values, list bool) (lookup, error) {
	l := lookup{count: 1, limit: limits.Requests, summary: !list}
	var wrong []FieldError
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			if message := l.read(name, value, list); message != "" {
				wrong = append(wrong, FieldError{clip(name), message})
				break
			}
		}
	}
	if wrong != nil {
		return lookup{}, invalid(wrong...)
	}
	return l, nil
}

// read reads a parameter, and returns what it must be if it is not that.
func (l *lookup) read(name, value string, list bool) (wrong string) {
	if name == "view" {
		l.summary = value == "summary"
		if !oneOf(value, "full", "summary") || value == "" {
			return "must be full or summary"
		}
		return ""
	}
	if known := l.readList(name, value, &wrong); known && list {
		return wrong
	}
	match, wrong := parseFilter(name, value)
	if match == nil && wrong == "" {
		wrong = "is not a parameter of this request; it takes " + strings.Join(parameters(list), ", ")
	}
	l.match = append(l.match, match)
	return wrong
}

// parameters are those of a list, or of a stream.
func parameters(list bool) []string {
	filters := []string{"method", "path", "header", "body.…", "text", "type", "delivery_id", "verdict", "status", "after", "before", "view"}
	if list {
		return append(filters, "order", "limit", "wait", "count")
	}
	return append(filters, "history")
}

// readList reads what only a list knows, and reports whether it was that.
func (l *lookup) readList(name, value string, wrong *string) bool {
	switch name {
	case "wait":
		l.wait, *wrong = parseDuration(value)
	case "count":
		l.count = boundedNumber(value, wrong)
	case "limit":
		l.limit = boundedNumber(value, wrong)
	case "order":
		l.newest = value == "newest"
		if value != "newest" && value != "arrival" {
			*wrong = "must be arrival or newest"
		}
	default:
		return false
	}
	return true
}

func boundedNumber(value string, wrong *string) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > limits.Requests {
		*wrong = "must be a number from 1 to " + strconv.Itoa(limits.Requests)
	}
	return n
}

// matches reports whether all filters let r pass.
func (l *lookup) matches(r *Request) bool {
	for _, match := range l.match {
		if !match(r) {
			return false
		}
	}
	return true
}

// parseFilter reads one filter: what it must be if it is not that, and neither if it is none.
func parseFilter(name, value string) (match Match, wrong string) {
	if path, found := strings.CutPrefix(name, "body."); found {
		return func(r *Request) bool {
			got, found := r.Field(path)
			return found && got == value
		}, ""
	}
	switch name {
	case "header":
		return headerFilter(value), ""
	case "method":
		return func(r *Request) bool { return r.Method == value }, ""
	case "path":
		return pathFilter(value), ""
	case "text":
		return textFilter(value), ""
	case "verdict":
		return verdictFilter(value), ""
	case "type":
		return func(r *Request) bool { return r.Type == value }, ""
	case "delivery_id":
		return func(r *Request) bool { return r.DeliveryID == value }, ""
	case "status", "after", "before":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return nil, "must be a number"
		}
		switch name {
		case "after":
			return func(r *Request) bool { return r.Number > n }, ""
		case "before":
			return func(r *Request) bool { return r.Number < n }, ""
		}
		return func(r *Request) bool { return r.Answer != nil && int64(r.Answer.Status) == n }, ""
	}
	return nil, ""
}

// headerFilter takes "Name" for a header that is there, "Name: value" for one that has that value.
func headerFilter(value string) Match {
	name, want, hasValue := strings.Cut(value, ":")
	return func(r *Request) bool {
		for _, h := range r.Headers {
			if strings.EqualFold(h.Name, name) && (!hasValue || h.Value == strings.TrimSpace(want)) {
				return true
			}
		}
		return false
	}
}

// pathFilter takes an asterisk at the end for any rest.
func pathFilter(value string) Match {
	if prefix, found := strings.CutSuffix(value, "*"); found {
		return func(r *Request) bool { return strings.HasPrefix(r.Path, prefix) }
	}
	return func(r *Request) bool { return r.Path == value }
}

// textFilter looks everywhere, in any case.
func textFilter(value string) Match {
	value = strings.ToLower(value)
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), value) }
	return func(r *Request) bool {
		if has(r.Target) || has(string(r.Body)) {
			return true
		}
		inField := func(h Header) bool { return has(h.Name) || has(h.Value) }
		return slices.ContainsFunc(r.Headers, inField) || slices.ContainsFunc(r.Trailers, inField)
	}
}

// verdictFilter takes what all verdicts say together, or the code of one.
func verdictFilter(value string) Match {
	if value == verdictOK || value == verdictNotOK {
		return func(r *Request) bool { return r.Verdict() == value }
	}
	return func(r *Request) bool {
		return slices.ContainsFunc(r.Verdicts, func(v verdict.Verdict) bool { return v.Code == value })
	}
}
