package receiver

import (
	"slices"

	"petstore/callbacks/receiver/verdict"

	"net/url"
	"strconv"
	"strings"
	"time"
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
	for name, given := range values {
		for _, value := range given {
			if err := l.read(name, value, list); err != nil {
				return lookup{}, err
			}
		}
	}
	return l, nil
}

func (l *lookup) read(name, value string, list bool) (err error) {
	if name == "view" {
		l.summary = value == "summary"
		if !oneOf(value, "full", "summary") || value == "" {
			return badQuery(name, "must be full or summary")
		}
		return nil
	}
	if known := l.readList(name, value, &err); known && list {
		return err
	}
	match, err := parseFilter(name, value)
	if err != nil {
		return err
	}
	l.match = append(l.match, match)
	return nil
}

// readList reads what only a list knows, and reports whether it was that.
func (l *lookup) readList(name, value string, failed *error) bool {
	switch name {
	case "wait":
		d, err := parseDuration(name, value)
		if l.wait = d; err != nil {
			*failed = badQuery(name, "must be a time such as 3s, from 0 to 60s")
		}
	case "count":
		l.count = boundedNumber(name, value, failed)
	case "limit":
		l.limit = boundedNumber(name, value, failed)
	case "order":
		l.newest = value == "newest"
		if value != "newest" && value != "arrival" {
			*failed = badQuery(name, "must be arrival or newest")
		}
	default:
		return false
	}
	return true
}

func boundedNumber(name, value string, failed *error) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > limits.Requests {
		*failed = badQuery(name, "must be a number from 1 to "+strconv.Itoa(limits.Requests))
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

// parseFilter reads one filter.
func parseFilter(name, value string) (Match, error) {
	if path, found := strings.CutPrefix(name, "body."); found {
		return func(r *Request) bool {
			got, found := r.Field(path)
			return found && got == value
		}, nil
	}
	switch name {
	case "header":
		return headerFilter(value), nil
	case "method":
		return func(r *Request) bool { return r.Method == value }, nil
	case "path":
		return pathFilter(value), nil
	case "text":
		return textFilter(value), nil
	case "verdict":
		return verdictFilter(value), nil
	case "type":
		return func(r *Request) bool { return r.Type == value }, nil
	case "delivery_id":
		return func(r *Request) bool { return r.DeliveryID == value }, nil
	case "status", "after", "before":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return nil, badQuery(name, "must be a number")
		}
		switch name {
		case "after":
			return func(r *Request) bool { return r.Number > n }, nil
		case "before":
			return func(r *Request) bool { return r.Number < n }, nil
		}
		return func(r *Request) bool { return r.Answer != nil && int64(r.Answer.Status) == n }, nil
	}
	return nil, badQuery(clip(name), "is not a parameter of this request")
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
