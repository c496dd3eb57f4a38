package handlers

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/semaphore"

	"petstore/docs"
	"petstore/handlers/bounds"
	"petstore/models"
	"petstore/models/db"
)

const (
	// maxInFlight bounds the bodies, messages and answers that are in memory, in bytes.
	// What is made of them is some times as large, so this is small beside it.
	maxInFlight = 48 << 20
	// maxMaking is how many large answers are made side by side: of each, all that it is
	// made of is in memory until it is encoded.
	maxMaking = 4
	// makingPatience is how long a request may wait for its turn to make one.
	makingPatience = 5 * time.Second
	// maxPage bounds the items of a page of a list, in bytes: the page ends with the item
	// that exceeds it.
	maxPage = 1 << 20
)

// loads bounds what all requests together have in memory.
type loads struct {
	bytes  *bounds.Bytes
	making *semaphore.Weighted
}

func newLoads() *loads {
	return &loads{bytes: bounds.NewBytes(maxInFlight), making: semaphore.NewWeighted(maxMaking)}
}

// requestLoad is what one request has in memory. It is the request's body, too, to which it
// listens.
type requestLoad struct {
	bounds.Load
	all *loads

	body   io.ReadCloser
	atMost int // bytes of the body are in memory at a time
}

const loadKey = "petstore.load"

// count adds the body of a request to its load while it is read.
func (l *loads) count(c *gin.Context) {
	load := &requestLoad{Load: bounds.Load{Budget: l.bytes}, all: l, body: c.Request.Body, atMost: math.MaxInt}
	defer load.Release()
	c.Set(loadKey, load)
	c.Request.Body = load
	c.Next()
}

func loadOf(c *gin.Context) *requestLoad { return c.MustGet(loadKey).(*requestLoad) }

// Read reads the body (io.Reader).
func (l *requestLoad) Read(p []byte) (int, error) {
	n, err := l.body.Read(p)
	kept := min(n, l.atMost)
	l.atMost -= kept
	if full := l.Add(kept); full != nil {
		return 0, full
	}
	return n, err
}

// Close closes the body (io.Closer).
func (l *requestLoad) Close() error { return l.body.Close() }

// errInFlight says that the budget has no room for a body or an answer.
func errInFlight(ctx context.Context) error {
	slog.WarnContext(ctx, "Requests and messages are refused: too many bytes are in flight.", "limit", maxInFlight)
	return &models.Error{Code: db.CodeOverloaded, Message: "Too much is in memory for other clients. Nothing of this was stored; try again in a moment."}
}

// answer writes a body that is in memory. What has been done is not undone for want of room,
// so only answers to reads are refused.
func answer(c *gin.Context, status int, mediaType string, body []byte) error {
	if err := loadOf(c).Add(len(body)); err != nil && isRead(c.Request.Method) {
		return errInFlight(c.Request.Context())
	}
	c.Data(status, mediaType, body)
	return nil
}

// countContract counts an answer that may be a copy of the contract.
func countContract(c *gin.Context) error {
	if loadOf(c).Add(len(docs.YAML)) != nil {
		return errInFlight(c.Request.Context())
	}
	return nil
}

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// makeLarge makes an answer that may be large, when it is its turn.
func makeLarge[T any](c *gin.Context, produce func() (T, error)) (made T, err error) {
	ctx := c.Request.Context()
	waiting, cancel := context.WithTimeout(ctx, makingPatience)
	defer cancel()
	making := loadOf(c).all.making
	if err := making.Acquire(waiting, 1); err != nil {
		if ctx.Err() != nil {
			return made, ctx.Err()
		}
		return made, &models.Error{Code: db.CodeOverloaded, Message: "Too many ask for large answers at the moment. Try again later.", Err: err}
	}
	defer making.Release(1)
	return produce()
}

// isFull reports whether reading a body failed for want of room.
func isFull(err error) bool { return errors.Is(err, bounds.ErrFull) }
