package callbacks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"petstore/callbacks/internal/status"
)

// MaxBody is the longest body that [Middleware] reads, in bytes: 1 MiB.
const MaxBody = 1 << 20

// maxID bounds a callback_id, and with it what remembering it costs.
const maxID = 256

// Receive returns a handler for a callback URL: [Middleware] around handle. It answers "OK" when handle returns
// nil. When handle returns an error it answers 500, and the callback will come again; the error goes to failed, and
// without that to the log.
func Receive(secret string, handle func(ctx context.Context, u Update) error, failed ...func(ctx context.Context, u Update, err error)) http.Handler {
	if len(failed) == 0 {
		failed = append(failed, logFailure)
	}
	return Middleware(secret)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := FromContext(r.Context())
		if err := handle(r.Context(), u); err != nil {
			for _, tell := range failed {
				tell(r.Context(), u, err)
			}
			reply(w, http.StatusInternalServerError, "Not processed")
			return
		}
		reply(w, http.StatusOK, "OK")
	}))
}

func logFailure(ctx context.Context, u Update, err error) {
	slog.ErrorContext(ctx, "A callback could not be handled; it will come again.",
		"callback_id", u.CallbackID, "type", u.Type, "task_id", u.TaskID, "err", err)
}

// reply writes text as the article's receivers do, without a line end.
func reply(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, text)
}

type updateKey struct{}

// FromContext returns the update that [Middleware] has verified for this request.
func FromContext(ctx context.Context) (Update, bool) {
	u, ok := ctx.Value(updateKey{}).(Update)
	return u, ok
}

// Middleware returns net/http middleware that lets a callback through once, verified. It answers by itself:
//
//   - 405 to methods other than POST, and 413 to a body longer than [MaxBody]
//   - 401 "Invalid signature", unless [Verify] finds it good
//   - 400 "Invalid body", if what was signed isn't an [Update]
//   - 200 "Already processed" to a callback_id that next has answered with 2xx before
//
// A duplicate that comes while the first is still being handled waits for it: if the first fails, the duplicate is
// handled in its place. An update without a callback_id is never taken for a duplicate.
//
// The last 65,536 callback_ids are remembered, in memory. A receiver that must not act twice across a restart, or
// runs as several processes, also stores the callback_id in the transaction that does its work.
//
// next finds the update with [FromContext], and the body unread.
//
// verify replaces [Verify]: with [VerifyEither] the article's signature will do, for senders that have no other.
//
// Middleware panics if secret can't verify anything, such as one that is empty: see [CheckSecret].
func Middleware(secret string, verify ...Verifier) func(next http.Handler) http.Handler {
	if err := CheckSecret(secret); err != nil {
		panic(err)
	}
	genuine := Verifier(Verify)
	if len(verify) > 0 {
		genuine = verify[0]
	}
	return func(next http.Handler) http.Handler {
		return &receiver{secret: secret, verify: genuine, next: next, processed: newDeduplicator(1 << 16)}
	}
}

// Verifier returns nil if body was signed with secret, as [Verify] and [VerifyEither] do.
type Verifier func(h http.Header, body []byte, secret string, now time.Time) error

type receiver struct {
	secret    string
	verify    Verifier
	next      http.Handler
	processed *deduplicator
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		reply(w, http.StatusMethodNotAllowed, "Method not allowed")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		refuseBody(w, err)
		return
	}
	if rc.verify(r.Header, body, rc.secret, time.Now()) != nil {
		reply(w, http.StatusUnauthorized, "Invalid signature")
		return
	}
	var u Update
	if json.Unmarshal(body, &u) != nil || len(u.CallbackID) > maxID {
		reply(w, http.StatusBadRequest, "Invalid body")
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), updateKey{}, u))
	r.Body = io.NopCloser(bytes.NewReader(body))
	rc.processOnce(w, r, u.CallbackID)
}

func refuseBody(w http.ResponseWriter, err error) {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		reply(w, http.StatusRequestEntityTooLarge, "Body too long")
		return
	}
	reply(w, http.StatusBadRequest, "Invalid body")
}

func (rc *receiver) processOnce(w http.ResponseWriter, r *http.Request, id string) {
	if id == "" {
		rc.next.ServeHTTP(w, r)
		return
	}
	first, err := rc.processed.acquire(r.Context(), id)
	if err != nil {
		w.Header().Set("Retry-After", "1")
		reply(w, http.StatusServiceUnavailable, "Still being processed")
		return
	}
	if !first {
		reply(w, http.StatusOK, "Already processed")
		return
	}
	// Deferred, so that a handler that panics leaves the id open.
	watched := &status.Writer{ResponseWriter: w}
	finished := false
	defer func() { rc.processed.release(id, finished && watched.Accepted()) }()
	rc.next.ServeHTTP(watched, r)
	finished = true
}
