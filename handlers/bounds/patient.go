package bounds

import (
	"bufio"
	"net"
	"net/http"
	"time"
)

const (
	// Patience is how long a client may take to accept a piece of an answer. One that
	// takes longer is cut off, and what it has been given of memory is free again.
	Patience = 10 * time.Second
	// piece is how many bytes of an answer are written at a time: a client has Patience
	// for each.
	piece = 64 << 10
)

// Patient serves next, and cuts off clients that do not read their answers. An
// http.Server's WriteTimeout could not do that: it counts from the request, and some
// answers take their time to come.
func Patient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&patientWriter{w, http.NewResponseController(w)}, r)
	})
}

type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

// extend gives the client another Patience. A writer without a connection, in tests, has no deadline.
func (w *patientWriter) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(Patience)) }

// WriteHeader extends the deadline, too: of an answer without a body nothing else is written.
func (w *patientWriter) WriteHeader(status int) {
	w.extend()
	w.ResponseWriter.WriteHeader(status)
}

func (w *patientWriter) Write(p []byte) (written int, err error) {
	for {
		w.extend()
		n, err := w.ResponseWriter.Write(p[:min(piece, len(p))])
		written, p = written+n, p[n:]
		if err != nil || len(p) == 0 {
			return written, err
		}
	}
}

// Flush sends what is buffered (http.Flusher).
func (w *patientWriter) Flush() {
	w.extend()
	_ = w.control.Flush()
}

// Hijack hands the connection over (http.Hijacker), without a deadline.
func (w *patientWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.control.Hijack() }

// Unwrap is for http.ResponseController.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
