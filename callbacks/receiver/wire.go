package receiver

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Listen returns a listener whose connections note the head of each HTTP/1 request as it came. net/http keeps neither
// the order of headers nor the spelling of their names. Only a server of [Receiver.Server] makes use of it.
func Listen(l net.Listener) net.Listener { return recordingListener{l} }

type recordingListener struct{ net.Listener }

func (l recordingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &recordedConn{Conn: conn}, nil
}

// recordedConn splits what is read from it into heads and bodies, beside net/http, which reads it.
type recordedConn struct {
	net.Conn

	mu   sync.Mutex
	scan scanner
}

func (c *recordedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.mu.Lock()
		c.scan.write(p[:n])
		c.mu.Unlock()
	}
	return n, err
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// headOf returns the head of r as it came, with its empty line; "" if it was not recorded.
func headOf(r *http.Request) string {
	conn, ok := r.Context().Value(connKey{}).(*recordedConn)
	if !ok {
		return ""
	}
	conn.mu.Lock()
	defer conn.mu.Unlock()
	return conn.scan.take(r.Method + " " + r.RequestURI + " " + r.Proto)
}

// What is noted of one connection at most. A head is no longer than a server allows; of a client that sends further
// requests before it has the answer (pipelining), net/http has read 4 KiB ahead at most.
const (
	maxHead  = 128 << 10
	maxHeads = 1000
)

// scanner finds the heads in the bytes of a connection (RFC 9112).
type scanner struct {
	state scanState
	line  []byte // the line that has begun, where one is read
	head  []byte // the head that has begun
	left  int64  // bytes of the body or the chunk that are still to come
	heads []string
}

type scanState int

const (
	inHead scanState = iota
	inBody
	inChunkSize
	inChunk
	inChunkEnd
	inTrailer
	lost // what came is not understood: nothing more is noted
)

func (s *scanner) write(p []byte) {
	for len(p) > 0 && s.state != lost {
		if s.state == inBody || s.state == inChunk {
			p = s.skip(p)
			continue
		}
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			s.line = append(s.line, p...)
			p = nil
		} else {
			s.line = append(s.line, p[:end+1]...)
			p = p[end+1:]
			s.endLine()
		}
		if len(s.line)+len(s.head) > maxHead || len(s.heads) > maxHeads {
			*s = scanner{state: lost}
		}
	}
}

// skip passes over what p has of the body.
func (s *scanner) skip(p []byte) []byte {
	n := min(int64(len(p)), s.left)
	s.left -= n
	if s.left == 0 {
		s.state = map[scanState]scanState{inBody: inHead, inChunk: inChunkEnd}[s.state]
	}
	return p[n:]
}

// endLine takes the line that is complete.
func (s *scanner) endLine() {
	line := s.line
	s.line = s.line[:0]
	empty := len(bytes.TrimRight(line, "\r\n")) == 0
	switch s.state {
	case inHead:
		if empty && len(s.head) == 0 {
			return // Some clients put an empty line after a body, which net/http skips.
		}
		s.head = append(s.head, line...)
		if empty {
			s.endHead()
		}
	case inChunkSize:
		size, _, _ := strings.Cut(strings.TrimSpace(string(line)), ";")
		s.startChunk(strconv.ParseInt(strings.TrimSpace(size), 16, 64))
	case inChunkEnd:
		s.state = inChunkSize
	case inTrailer:
		if empty {
			s.state = inHead
		}
	default: // No line is read of a body.
	}
}

func (s *scanner) startChunk(size int64, err error) {
	switch {
	case err != nil || size < 0:
		s.state = lost
	case size == 0:
		s.state = inTrailer
	default:
		s.state, s.left = inChunk, size
	}
}

// endHead keeps the head, and finds out from it how long the body is.
func (s *scanner) endHead() {
	head := string(s.head)
	s.head = s.head[:0]
	s.heads = append(s.heads, head)
	for _, h := range parseHead(head) {
		switch {
		case strings.EqualFold(h.Name, "Transfer-Encoding"):
			s.state = inChunkSize
			return
		case strings.EqualFold(h.Name, "Content-Length"):
			s.left, _ = strconv.ParseInt(h.Value, 10, 64) // net/http refuses what is no number.
		}
	}
	if s.left > 0 {
		s.state = inBody
	}
}

// take returns the first head that begins with this request line, and forgets it and those before it, which net/http
// has answered by itself.
func (s *scanner) take(requestLine string) string {
	for i, head := range s.heads {
		line, _, _ := strings.Cut(head, "\n")
		if strings.TrimRight(line, "\r") == requestLine {
			s.heads = append(s.heads[:0], s.heads[i+1:]...)
			return head
		}
	}
	return ""
}
