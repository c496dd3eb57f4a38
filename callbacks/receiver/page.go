package receiver

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// pagePolicy is the Content-Security-Policy of the page: all of it is the receiver's own, and none of it is inline.
const pagePolicy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

// showPage answers browsers with the page, and others with a summary in plain text.
func (rc *Receiver) showPage(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Vary", "Accept")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return index(w, r)
	}
	return rc.showAsset(w, r)
}

// showAsset answers with one of the files that the page consists of.
func (rc *Receiver) showAsset(w http.ResponseWriter, r *http.Request) error {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	http.FileServerFS(files).ServeHTTP(w, r)
	return nil
}
