package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"petstore/models"
)

const mediaJSON = "application/json; charset=utf-8"

// respond writes v as JSON. It changes what v points to, if that names paths of this server.
func respond(c *gin.Context, status int, v any) error {
	locate(c, v)
	body, err := encode(v)
	if err != nil {
		return err
	}
	return answer(c, status, mediaJSON, body)
}

// respondTagged is respond under an ETag, or 304 to a client that has just that already. The ETag is that of the
// resource, below whatever prefix it is asked for.
func respondTagged(c *gin.Context, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	tag := etag(v, body)
	c.Header("Cache-Control", "no-cache") // ask before each use
	c.Header("ETag", tag)
	if read := c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead; read {
		notModified, err := precondition(c, tag)
		if err != nil {
			return err
		}
		if notModified {
			c.Status(http.StatusNotModified)
			c.Writer.WriteHeaderNow()
			return nil
		}
	}
	if locate(c, v) {
		if body, err = encode(v); err != nil {
			return err
		}
	}
	return answer(c, http.StatusOK, mediaJSON, body)
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
	return respondTagged(c, new(show(found)))
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
	return servePageOf(c, q, q.page(), list, filter, show)
}

// servePageOf is servePage for a page whose limits are its own.
func servePageOf[F, M, V any](
	c *gin.Context, q *query, page models.Page, list func(context.Context, F, models.Page) (models.List[M], error), filter F, show func(M) V,
) error {
	if err := q.done(); err != nil {
		return err
	}
	body, err := makeLarge(c, func() ([]byte, error) {
		found, err := list(c.Request.Context(), filter, page)
		if err != nil {
			return nil, err
		}
		return encodePage(c, `{"items":`, found, show)
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, mediaJSON, body)
}

// encodePage writes a page of a list after what its object begins with, and where the next
// one is, in the body and as a Link (RFC 8288). A page of large items is shorter than was
// asked for.
func encodePage[M, V any](c *gin.Context, begin string, list models.List[M], show func(M) V) ([]byte, error) {
	body, shown, err := appendItems(c, []byte(begin), list.Items, show)
	if err != nil {
		return nil, err
	}
	next := list.Next
	if shown < len(list.Items) {
		next = list.After(shown - 1)
	}
	if next != "" {
		u := *c.Request.URL
		q := u.Query()
		q.Set("cursor", next)
		u.RawQuery = q.Encode()
		c.Header("Link", fmt.Sprintf(`<%s>; rel="next"`, withPrefix(c, u.RequestURI())))
	}
	cursor, err := encode(nullable(next))
	return append(append(append(body, `,"next_cursor":`...), bytes.TrimSpace(cursor)...), "}\n"...), err
}

// page is a page of a list, as encodePage writes it.
type page[V any] struct { //nolint:unused // read by the contract's generator
	// The items of this page.
	Items []V `json:"items"`
	// The cursor of the next page, null at the end.
	NextCursor *string `json:"next_cursor" extensions:"x-nullable"`
}

// appendItems writes a JSON array of items, up to the one that exceeds maxPage bytes,
// and returns how many that were.
func appendItems[M, V any](c *gin.Context, body []byte, items []M, show func(M) V) (_ []byte, shown int, err error) {
	before := len(body)
	body = append(body, '[')
	for shown < len(items) && len(body)-before < maxPage {
		v := show(items[shown])
		locate(c, &v)
		item, err := encode(&v)
		if err != nil {
			return nil, 0, err
		}
		if shown > 0 {
			body = append(body, ',')
		}
		body = append(body, bytes.TrimSpace(item)...)
		shown++
	}
	return append(body, ']'), shown, nil
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
