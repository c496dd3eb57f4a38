package receiver

import (
	"net"
	"net/http"
	"sync"
)

// Listen returns a listener whose connections note the head and the trailers of each HTTP/1 request as they came. net/http keeps
// neither the order of headers nor the spelling of their names. Only a server of [Receiver.Server] makes use of it.
func Listen(l net.Listener) net.Listener { return recordingListener{l} }

type recordingListener struct{ net.Listener }

func (l recordingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &recordedConn{Conn: conn}, nil
}

// recordedConn splits what is read from it into heads and bodies, beside net/http, which reads it, and finds the heads of answers in
// what is written.
type recordedConn struct {
	net.Conn

	mu   sync.Mutex
	scan scanner
	sent sent
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

// headOf returns the head of r as it came, and its trailers if its body has been read; none if it was not recorded.
func headOf(r *http.Request) head {
	conn := recordedConnOf(r)
	if conn == nil {
		return head{}
	}
	conn.mu.Lock()
	defer conn.mu.Unlock()
	return conn.scan.take(r.Method + " " + r.RequestURI + " " + r.Proto)
}
