package docs

import (
	"bytes"
	"embed"
	"io/fs"
	"net/http"
	"time"

	swaggerfiles "github.com/swaggo/files/v2"
)

//go:embed ui
var ui embed.FS

// policy is the Content-Security-Policy of the page. Swagger UI's style sheet has pictures in
// data: URLs, and its editor writes style attributes.
const policy = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// UI returns a handler for Swagger UI with the contract beside it. Every link in it is relative, so
// it can be served under any path that ends in a slash:
//
//	mux.Handle("GET /docs/", http.StripPrefix("/docs", docs.UI()))
func UI() http.Handler {
	mux := http.NewServeMux()
	own, err := fs.Sub(ui, "ui")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	mux.Handle("GET /", http.FileServerFS(own))
	for _, name := range []string{"swagger-ui.css", "swagger-ui-bundle.js"} {
		mux.Handle("GET /"+name, http.FileServerFS(swaggerfiles.FS))
	}
	mux.HandleFunc("GET /openapi.yaml", ServeYAML)
	mux.HandleFunc("GET /openapi.json", ServeJSON)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

// ServeYAML answers with the contract as application/yaml (RFC 9512).
func ServeYAML(w http.ResponseWriter, r *http.Request) {
	serve(w, r, "application/yaml", YAML)
}

// ServeJSON answers with the contract as application/json.
func ServeJSON(w http.ResponseWriter, r *http.Request) {
	serve(w, r, "application/json", JSON)
}

// serve lets pages of other origins read the contract: it is public, and tools fetch it from a browser.
func serve(w http.ResponseWriter, r *http.Request, mediaType string, content []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
