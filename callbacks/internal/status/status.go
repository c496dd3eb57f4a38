// Package status tells what a handler has answered.
package status

import (
	"bufio"
	"net"
	"net/http"
)

// Writer is a ResponseWriter that notes the status of the answer.
type Writer struct {
	http.ResponseWriter
	Status   int // 0 as long as there is none
	hijacked bool
}

// WriteHeader implements [http.ResponseWriter].
func (w *Writer) WriteHeader(status int) {
	if w.Status == 0 && status >= 200 { // 1xx go before the answer.
		w.Status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *Writer) Write(data []byte) (int, error) {
	if w.Status == 0 {
		w.Status = http.StatusOK
	}
	return w.ResponseWriter.Write(data)
}

// Hijack lets a handler take the connection over, which is no answer.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.hijacked = err == nil
	return conn, buffered, err
}

// Unwrap gives [http.ResponseController] the rest.
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Accepted reports whether the answer is 2xx. A handler that writes nothing answers 200.
func (w *Writer) Accepted() bool {
	return !w.hijacked && (w.Status == 0 || w.Status >= 200 && w.Status <= 299)
}
