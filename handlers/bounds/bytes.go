package bounds

import (
	"bytes"
	"errors"
	"io"
	"sync/atomic"
)

// Free is how many bytes of a request, a message or an answer are let in whatever the
// budget says: what is small is served while what is large has to wait.
const Free = 4 << 10

// ErrFull says that the budget has no room for more bytes.
var ErrFull = errors.New("too many bytes are in flight")

// Bytes is a budget of bytes that are in memory because clients send or receive them:
// bodies, messages and answers, until they are dealt with. Safe for concurrent use; nil
// bounds nothing.
type Bytes struct {
	limit int64
	used  atomic.Int64
}

// NewBytes returns a budget of limit bytes.
func NewBytes(limit int64) *Bytes { return &Bytes{limit: limit} }

// Take takes n bytes, and reports false if there are not that many; then none are taken.
func (b *Bytes) Take(n int) bool {
	if b == nil {
		return true
	}
	if b.used.Add(int64(n)) <= b.limit || n <= 0 {
		return true
	}
	b.used.Add(int64(-n))
	return false
}

// Give gives back what was taken.
func (b *Bytes) Give(n int) {
	if b != nil {
		b.used.Add(int64(-n))
	}
}

// Used is how many bytes are taken.
func (b *Bytes) Used() int64 { return b.used.Load() }

// Load is what one request, or one message, has taken of a budget. It is not safe for
// concurrent use.
type Load struct {
	Budget *Bytes
	bytes  int // of which the first Free are free
}

// Add takes n bytes more, or returns ErrFull.
func (l *Load) Add(n int) error {
	if more := charged(l.bytes+n) - charged(l.bytes); more > 0 && !l.Budget.Take(more) {
		return ErrFull
	}
	l.bytes += n
	return nil
}

// Remove gives n bytes back, or what is left of the load.
func (l *Load) Remove(n int) {
	left := max(0, l.bytes-n)
	l.Budget.Give(charged(l.bytes) - charged(left))
	l.bytes = left
}

// Release gives everything back.
func (l *Load) Release() { l.Remove(l.bytes) }

func charged(n int) int { return max(0, n-Free) }

// ReadAll reads r to its end, and takes what it reads of the budget until release is called.
// The error is r's, or ErrFull.
func (b *Bytes) ReadAll(r io.Reader) (data []byte, release func(), err error) {
	load := Load{Budget: b}
	var text bytes.Buffer // grows by doubling, which leaves less behind than io.ReadAll
	if _, err = text.ReadFrom(reader{r, &load}); err != nil {
		load.Release()
		return nil, nil, err
	}
	return text.Bytes(), load.Release, nil
}

// reader adds what is read to a load.
type reader struct {
	from io.Reader
	load *Load
}

func (r reader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if full := r.load.Add(n); full != nil {
		return 0, full
	}
	return n, err
}
