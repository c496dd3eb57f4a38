package docs

import (
	"embed"
	"encoding/json"
	"net/http"
	"path"
	"reflect"
	"runtime"
	"strings"
)

//go:embed lab
var lab embed.FS

// labPolicy is the Content-Security-Policy of the lab: all of it is the server's own, and none of it is inline.
const labPolicy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; object-src 'none'"

// Source is a statement of this module.
type Source struct {
	File      string `json:"file"` // from the top of the module
	Line      int    `json:"line"`
	Statement string `json:"statement"` // it, or what matters of it
}

// SourceOf is the statement that is so many lines below the first of a function, which finds itself: so what is written above
// it in the file changes nothing. A method is given as an expression, T.method; of a method value only Go knows the place.
// Lines within a function are counted by hand, because a program has a table of its functions, but not its source, in which
// a marker could be looked up. So a test looks the statement up, and says by how much a count is off.
func SourceOf(function any, below int, statement string) Source {
	f := runtime.FuncForPC(reflect.ValueOf(function).Pointer())
	file, line := f.FileLine(f.Entry())
	folder, rest := path.Split(strings.TrimPrefix(f.Name(), "petstore/"))
	pkg, _, _ := strings.Cut(rest, ".")
	return Source{File: path.Join(folder, pkg, path.Base(file)), Line: line + below, Statement: statement}
}

// Lab returns a handler for the lab: a page on which a person asks for slow work, hears of it in every way there is, and sees
// each message. It is for "/" and "/lab/", beside the API and [UI] at "/docs/"; every link in it is relative. It calls back
// the receiver, a URL without a path, or nobody if that is "". Senders are what it says of each kind of message: which statements send it.
func Lab(receiver string, senders map[string][]Source) http.Handler {
	settings, _ := json.Marshal(struct { // Strings and numbers always marshal.
		Receiver string              `json:"receiver"`
		Senders  map[string][]Source `json:"senders"`
	}{receiver, senders})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, lab, "lab/lab.html") })
	mux.Handle("GET /lab/{file}", http.FileServerFS(lab))
	mux.HandleFunc("GET /lab/settings.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(settings)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", labPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		mux.ServeHTTP(w, r)
	})
}
