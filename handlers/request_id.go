package handlers

import (
	"context"
	"log/slog"

	"github.com/gin-gonic/gin"

	"petstore/models"
)

const (
	// requestIDHeader names a request, in its answer and in every log line that it causes. (A session of
	// Socket.IO is made of many requests, and its lines have none.)
	requestIDHeader = "X-Request-Id"
	// maxRequestID bounds the name that a client gives, in bytes.
	maxRequestID = 128
)

type requestIDKey struct{}

// nameRequest gives each request an id: the one that it was sent with, by a client or a
// proxy, if that is fit to be repeated, or else a new one.
func nameRequest(c *gin.Context) {
	id := c.GetHeader(requestIDHeader)
	if !isRequestID(id) {
		id = models.NewID("req_")
	}
	c.Header(requestIDHeader, id)
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), requestIDKey{}, id))
}

// isRequestID takes visible ASCII only: the id is written to logs and headers.
func isRequestID(id string) bool {
	for _, b := range []byte(id) {
		if b <= ' ' || b > '~' {
			return false
		}
	}
	return id != "" && len(id) <= maxRequestID
}

// LogRequestIDs returns a handler that adds the request_id to each log line whose context
// is that of a request.
func LogRequestIDs(h slog.Handler) slog.Handler { return requestLog{h} }

type requestLog struct{ slog.Handler }

func (l requestLog) Handle(ctx context.Context, line slog.Record) error {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok {
		line.AddAttrs(slog.String("request_id", id))
	}
	return l.Handler.Handle(ctx, line)
}

func (l requestLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestLog{l.Handler.WithAttrs(attrs)}
}

func (l requestLog) WithGroup(name string) slog.Handler {
	return requestLog{l.Handler.WithGroup(name)}
}
