package receiver

import (
	"bytes"
	"net/http"
)

// maxSentHead bounds what is noted of the head of an answer, in bytes. A script may ask for more.
const maxSentHead = 64 << 10

// sent finds the head of an answer in what goes out on a connection. To what a handler has set, net/http adds headers of
// its own, such as Date and Content-Length, and that after the handler has returned.
type sent struct {
	awaited bool
	head    []byte            // what there is of it
	tell    func(head string) // to be called with the head; nil while nobody waits for it
}

// expectAnswer has the head of the next answer noted.
func (c *recordedConn) expectAnswer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = sent{awaited: true, head: c.sent.head[:0]}
}

// Write notes the head of an answer before it goes out: whoever has got the answer finds it listed.
func (c *recordedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	var tell func(string)
	var head string
	if c.sent.awaited && c.sent.write(p) {
		tell, head = c.sent.end(), string(c.sent.head)
	}
	c.mu.Unlock()
	if tell != nil {
		tell(head)
	}
	return c.Conn.Write(p)
}

// Close tells whoever waits for an answer's head that it has not gone out.
func (c *recordedConn) Close() error {
	c.mu.Lock()
	tell := c.sent.end()
	c.mu.Unlock()
	if tell != nil {
		tell("")
	}
	return c.Conn.Close()
}

// write adds to the head, and reports whether it is complete. What is not HTTP has none.
func (s *sent) write(p []byte) bool {
	s.head = append(s.head, p[:min(len(p), maxSentHead-len(s.head))]...)
	if len(s.head) >= len("HTTP/") && !bytes.HasPrefix(s.head, []byte("HTTP/")) {
		s.head = s.head[:0]
		return true
	}
	end := bytes.Index(s.head, []byte("\r\n\r\n"))
	if end < 0 && len(s.head) == maxSentHead {
		end = bytes.LastIndex(s.head, []byte("\r\n"))
	}
	if end < 0 {
		return false
	}
	s.head = s.head[:end]
	return true
}

func (s *sent) end() func(string) {
	tell := s.tell
	s.awaited, s.tell = false, nil
	return tell
}

// whenSent calls tell with the head of the answer: now if it has gone out, or if nothing more will; else when it goes out.
func (c *recordedConn) whenSent(nothingMore bool, tell func(head string)) {
	c.mu.Lock()
	if c.sent.awaited && !nothingMore {
		c.sent.tell = tell
		c.mu.Unlock()
		return
	}
	head := ""
	if !c.sent.awaited {
		head = string(c.sent.head)
	}
	c.sent.awaited = false
	c.mu.Unlock()
	tell(head)
}

func recordedConnOf(r *http.Request) *recordedConn {
	conn, _ := r.Context().Value(connKey{}).(*recordedConn)
	return conn
}
