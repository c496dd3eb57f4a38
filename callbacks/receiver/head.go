package receiver

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"petstore/callbacks/receiver/verdict"
)

// Header is one header field of a message, in the spelling in which it came.
type Header = verdict.Header

// parseHead returns the headers of a head in their order. The strings are parts of the head, which takes no more memory.
func parseHead(head string) []Header {
	_, fields, _ := strings.Cut(head, "\n")
	return parseFields(fields)
}

// parseFields returns the headers in lines, up to the first that is empty.
func parseFields(fields string) []Header {
	headers := make([]Header, 0, strings.Count(fields, "\n"))
	for line := range strings.SplitSeq(fields, "\n") {
		line = strings.TrimRight(line, "\r")
		if line == "" {
			break
		}
		if folded := line[0] == ' ' || line[0] == '\t'; folded && len(headers) > 0 {
			last := &headers[len(headers)-1] // obsolete line folding (RFC 9112, 5.2)
			last.Value += " " + strings.Trim(line, " \t")
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		headers = append(headers, Header{Name: name, Value: strings.Trim(value, " \t")})
	}
	return headers
}

// fieldLines are the lines of headers or trailers.
func fieldLines(fields []Header) string {
	var b strings.Builder
	for _, h := range fields {
		b.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	return b.String()
}

// sortedHeaders is for a request whose head was not recorded.
func sortedHeaders(r *http.Request) []Header {
	headers := []Header{{Name: "Host", Value: r.Host}}
	return append(headers, headersOf(r.Header)...)
}

// headersOf lists h by name.
func headersOf(h http.Header) []Header {
	headers := []Header{}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			headers = append(headers, Header{Name: name, Value: value})
		}
	}
	return headers
}

// valueOf is the first value of a header, in any spelling; "" if there is none.
func valueOf(headers []Header, name string) string {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}
