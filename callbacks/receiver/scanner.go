package receiver

import (
	"bytes"
	"strconv"
	"strings"
)

// What is noted of one connection at most. A head is no longer than a server allows; of a client that sends further
// requests before it has the answer (pipelining), net/http has read 4 KiB ahead at most.
const (
	maxHead  = 128 << 10
	maxHeads = 1000
)

// scanner finds the heads and the trailers in the bytes of a connection (RFC 9112).
type scanner struct {
	state  scanState
	line   []byte // the line that has begun, where one is read
	fields []byte // the head that has begun, or the trailers
	left   int64  // bytes of the body or the chunk that are still to come
	heads  []head
	taken  bool // the head of the message that is read is no longer in heads
}

// head is what a message consists of beside its body.
type head struct {
	text    string // with the empty line at its end
	trailer string // the lines after a chunked body (RFC 9112, 7.1.2), without the empty one
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
		if len(s.line)+len(s.fields) > maxHead || len(s.heads) > maxHeads {
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
		if empty && len(s.fields) == 0 {
			return // Some clients put an empty line after a body, which net/http skips.
		}
		s.fields = append(s.fields, line...)
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
			s.endTrailer()
			return
		}
		s.fields = append(s.fields, line...)
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
	text := string(s.fields)
	s.fields = s.fields[:0]
	s.heads, s.taken = append(s.heads, head{text: text}), false
	for _, h := range parseHead(text) {
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

// endTrailer keeps the trailers, if anybody is still to be told of them.
func (s *scanner) endTrailer() {
	if !s.taken {
		s.heads[len(s.heads)-1].trailer = string(s.fields)
	}
	s.state, s.fields = inHead, s.fields[:0]
}

// take returns the first head that begins with this request line, and forgets it and those before it, which net/http
// has answered by itself.
func (s *scanner) take(requestLine string) head {
	for i, head := range s.heads {
		line, _, _ := strings.Cut(head.text, "\n")
		if strings.TrimRight(line, "\r") == requestLine {
			s.taken = i == len(s.heads)-1
			s.heads = append(s.heads[:0], s.heads[i+1:]...)
			return head
		}
	}
	return head{}
}
