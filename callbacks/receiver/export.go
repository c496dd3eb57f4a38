package receiver

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Raw is the whole message: the head as it came, or as it may have looked where that was lost, and the body. Chunks are
// not kept: a body that came in several is in one.
func (r *Request) Raw() []byte {
	var b bytes.Buffer
	if r.head.text == "" {
		fmt.Fprintf(&b, "%s %s %s\r\n", r.Method, r.Target, r.Protocol)
		writeMessage(&b, r.Headers, r.Body, r.trailer())
		return b.Bytes()
	}
	b.WriteString(r.head.text)
	writeBody(&b, r.Headers, r.Body, r.trailer())
	return b.Bytes()
}

// trailer are the lines of the trailers.
func (r *Request) trailer() string {
	if r.head.text == "" {
		return fieldLines(r.Trailers)
	}
	return r.head.trailer
}

func showRaw(w http.ResponseWriter, _ *http.Request, found *Request) error {
	return download(w, found, "http", found.Raw())
}

func showBytes(w http.ResponseWriter, _ *http.Request, found *Request) error {
	return download(w, found, "body", found.Body)
}

// download sends bytes that a browser stores and never shows: they came from anybody.
func download(w http.ResponseWriter, found *Request, extension string, data []byte) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="request-%d.%s"`, found.Number, extension))
	w.Write(data)
	return nil
}

func showCurl(w http.ResponseWriter, r *http.Request, found *Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte(found.Curl("http://"+r.Host+found.Target) + "\n"))
	return nil
}

// Curl is a command for a POSIX shell that sends the same request to a URL, but for trailers, which curl cannot send.
func (r *Request) Curl(url string) string {
	words := []string{"curl", "-X", quote(r.Method)}
	if r.Method == http.MethodHead {
		words = []string{"curl", "--head"}
	}
	if strings.ContainsAny(url, "[]{}") {
		words = append(words, "--globoff")
	}
	words = append(words, "--path-as-is", quote(url))
	for _, h := range r.Headers {
		switch {
		case isOneOf(h.Name, "Host", "Content-Length", "Transfer-Encoding", "Trailer", "Connection"):
		case h.Value == "":
			words = append(words, "-H", quote(h.Name+";"))
		default:
			words = append(words, "-H", quote(h.Name+": "+h.Value))
		}
	}
	for _, name := range []string{"Accept", "User-Agent", "Content-Type"} {
		if own := name != "Content-Type" || len(r.Body) > 0; own && !r.has(name) {
			words = append(words, "-H", quote(name+":")) // curl would add it.
		}
	}
	if len(r.Body) == 0 {
		return strings.Join(words, " ")
	}
	if isPlain(string(r.Body)) {
		return strings.Join(append(words, "--data-raw", quote(string(r.Body))), " ")
	}
	return "printf " + quote(octal(r.Body)) + " | " + strings.Join(append(words, "--data-binary", "@-"), " ")
}

func (r *Request) has(name string) bool {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}

func isOneOf(name string, names ...string) bool {
	for _, known := range names {
		if strings.EqualFold(name, known) {
			return true
		}
	}
	return false
}

// isPlain reports whether s stays what it is when it is copied from a page and pasted into a terminal: what is not UTF-8,
// line ends other than \n, and other control characters do not. No argument can have a NUL at all.
func isPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' })
}

// quote makes one word of s for a POSIX shell.
func quote(s string) string {
	if !isPlain(s) {
		return `"$(printf '` + octal([]byte(s)) + `')"`
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// octal writes bytes as printf reads them, within single quotes.
func octal(data []byte) string {
	var b strings.Builder
	for _, c := range data {
		if c < ' ' || c > '~' || c == '\'' || c == '\\' || c == '%' {
			fmt.Fprintf(&b, `\%03o`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
