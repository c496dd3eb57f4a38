package handlers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"petstore/models"
)

const mediaJSON = "application/json; charset=utf-8"

// respond writes v as JSON.
func respond(c *gin.Context, status int, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	c.Data(status, mediaJSON, body)
	return nil
}

// respondTagged writes v as JSON under an ETag of its own, or 304 to a client
// that has just that already.
func respondTagged(c *gin.Context, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	hash := sha256.Sum256(body)
	c.Header("Cache-Control", "no-cache") // ask before each use
	if !notModified(c, fmt.Sprintf(`"%x"`, hash[:8])) {
		c.Data(http.StatusOK, mediaJSON, body)
	}
	return nil
}

// encode writes v as JSON. Strings come out as they went in: no HTML escapes.
func encode(v any) ([]byte, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	return body.Bytes(), nil
}

// serveOne answers with one resource, which the path names.
func serveOne[M, V any](c *gin.Context, param string, get func(context.Context, string) (M, error), show func(M) V) error {
	id, err := pathID(c, param)
	if err != nil {
		return err
	}
	found, err := get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, show(found))
}

// serveDelete removes a resource, which the path names.
func serveDelete(c *gin.Context, param string, remove func(context.Context, string) error) error {
	id, err := pathID(c, param)
	if err != nil {
		return err
	}
	if err := remove(c.Request.Context(), id); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

// servePage answers with a page of a list, whose filter has been read from q.
func servePage[F, M, V any](
	c *gin.Context, q *query, list func(context.Context, F, models.Page) (models.List[M], error), filter F, show func(M) V,
) error {
	page := q.page()
	if err := q.done(); err != nil {
		return err
	}
	found, err := list(c.Request.Context(), filter, page)
	if err != nil {
		return err
	}
	return respondPage(c, found.Next, mapItems(found.Items, show))
}

// respondPage writes a page of a list, and where the next one is, in the body and as a
// Link (RFC 8288).
func respondPage[V any](c *gin.Context, next string, items []V) error {
	if next != "" {
		u := *c.Request.URL
		q := u.Query()
		q.Set("cursor", next)
		u.RawQuery = q.Encode()
		c.Header("Link", fmt.Sprintf(`<%s>; rel="next"`, u.RequestURI()))
	}
	return respond(c, http.StatusOK, page[V]{items, nullable(next)})
}

// page is a page of a list.
type page[V any] struct {
	Items []V `json:"items"`
	// The cursor of the next page, null at the end.
	NextCursor *string `json:"next_cursor" extensions:"x-nullable"`
}

// mapItems turns what is stored into what is shown. It is never nil: an empty
// list is [] in JSON.
func mapItems[M, V any](items []M, show func(M) V) []V {
	shown := make([]V, len(items))
	for i, item := range items {
		shown[i] = show(item)
	}
	return shown
}

// nullable is nil for the zero value: null in JSON.
func nullable[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// etag is the ETag of a version (RFC 9110, section 8.8.3).
func etag(version int64) string { return fmt.Sprintf(`"%d"`, version) }

// notModified answers 304 if the client has what this ETag names already.
func notModified(c *gin.Context, current string) bool {
	c.Header("ETag", current)
	for tag := range strings.SplitSeq(c.GetHeader("If-None-Match"), ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == "*" || tag == current {
			c.Status(http.StatusNotModified)
			c.Writer.WriteHeaderNow()
			return true
		}
	}
	return false
}

// ifMatch reads the version that a change is meant for, 0 for any. Several tags
// are allowed by RFC 9110 (section 13.1.1), but one resource has one version.
func ifMatch(c *gin.Context) (int64, error) {
	header := strings.TrimSpace(c.GetHeader("If-Match"))
	if header == "" || header == "*" {
		return 0, nil
	}
	var version int64
	if _, err := fmt.Sscanf(header, `"%d"`, &version); err != nil || version < 1 || etag(version) != header {
		return 0, &models.Error{Code: models.CodePrecondition, Message: "If-Match names no version of this resource: send the ETag that a GET answered.",
			Fields: []models.FieldError{{Field: "If-Match", Message: "is not an ETag of this resource"}}}
	}
	return version, nil
}
