package docs

import (
	"bytes"
	"cmp"
	"embed"
	"html"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	swaggerfiles "github.com/swaggo/files/v2"
)

//go:embed ui
var ui embed.FS

// policy is the Content-Security-Policy of the page. Swagger UI's style sheet has pictures in
// data: URLs, and its editor writes style attributes.
const policy = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// UI returns a handler for Swagger UI with the contract beside it: openapi.yaml (application/yaml, RFC 9512), openapi.json, and
// asyncapi.yaml for streams and sockets. Every link in it is relative, so it can be served under any path that ends in a
// slash; above that it links the [Lab]. The contract's examples call back the receiver, a URL without a path, or a client's
// if that is "", and name the server as it was asked for: by its Host, below the path in X-Forwarded-Prefix.
//
//	mux.Handle("GET /docs/", http.StripPrefix("/docs", docs.UI("")))
func UI(receiver string) http.Handler {
	files := map[string]http.HandlerFunc{
		"openapi.yaml":  serve("application/yaml", func() []byte { return YAML }, receiver),
		"openapi.json":  serve("application/json", JSON, receiver),
		"asyncapi.yaml": serve("application/yaml", func() []byte { return AsyncAPI }, receiver),
	}
	add := func(from fs.FS, name string) {
		files[name] = func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, from, name) }
	}
	own, err := fs.Sub(ui, "ui")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	names, err := fs.Glob(own, "*")
	if err != nil {
		panic(err) // the pattern is well-formed
	}
	for _, name := range names {
		add(own, name)
	}
	for _, name := range []string{"swagger-ui.css", "swagger-ui-bundle.js"} {
		add(swaggerfiles.FS, name)
	}
	files[""] = servePage(own, receiver)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve := files[strings.TrimPrefix(r.URL.Path, "/")]
		if serve == nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		serve(w, r)
	})
}

// servePage serves the page, with a link to the receiver's if there is one.
func servePage(own fs.FS, receiver string) http.HandlerFunc {
	page, err := fs.ReadFile(own, "index.html")
	if err != nil {
		panic(err) // the page is part of the binary
	}
	link := ""
	if receiver != "" {
		link = `<a href="` + html.EscapeString(receiver) + `/">Receiver</a>`
	}
	page = bytes.Replace(page, []byte("<!-- receiver -->"), []byte(link), 1)
	return func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "index.html", time.Time{}, bytes.NewReader(page))
	}
}

// The addresses in the contract: where petstore and its receiver listen unless they are told otherwise.
const (
	defaultHost     = "127.0.0.1:8080"
	defaultServer   = "http://" + defaultHost
	defaultReceiver = "http://127.0.0.1:9090"
)

var (
	// address is a host and port, and a path, that can stand in a URL in JSON and YAML as it is.
	address = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~-]+)*$`)
	// relativeServer is the server's URL in the contract, or its path in AsyncAPI, which has its host beside that.
	relativeServer = regexp.MustCompile(`(\b(?:url|pathname)"?: ?"?)/("?\s*[\n}])`)
	serverHost     = regexp.MustCompile(`(\bhost: )127\.0\.0\.1:8080\n`)
)

// Where the contract as it is served has addresses that depend on the request. It has no such bytes otherwise.
const (
	serverMark = "\x00s"
	hostMark   = "\x00h"
	prefixMark = "\x00p"
)

// serve lets pages of other origins read the contract: it is public, and tools fetch it from a browser.
func serve(mediaType string, content func() []byte, receiver string) http.HandlerFunc {
	contract := sync.OnceValue(func() string { // half a megabyte, which is searched once
		text := bytes.ReplaceAll(content(), []byte(defaultReceiver), []byte(cmp.Or(receiver, "https://client.example")))
		text = bytes.ReplaceAll(text, []byte(defaultServer), []byte(serverMark))
		text = serverHost.ReplaceAll(text, []byte("${1}"+hostMark+"\n"))
		return string(relativeServer.ReplaceAll(text, []byte("${1}"+prefixMark+"/${2}")))
	})
	return func(w http.ResponseWriter, r *http.Request) {
		host, prefix := r.Host, r.Header.Get("X-Forwarded-Prefix")
		if !address.MatchString(host + prefix) {
			host, prefix = defaultHost, ""
		}
		here := strings.ReplaceAll(contract(), serverMark, "http://"+host+prefix)
		here = strings.ReplaceAll(here, hostMark, host)
		here = strings.ReplaceAll(here, prefixMark, prefix)
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(here))
	}
}
