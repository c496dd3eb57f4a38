package bounds

import (
	"errors"
	"net"
	"sync"
)

// Listen bounds the connections of a listener by places, which several listeners can share.
// A connection beyond is closed at once, after refused was called.
func Listen(l net.Listener, places *Places, refused func(client net.Addr)) net.Listener {
	return &listener{Listener: l, places: places, refused: refused}
}

type listener struct {
	net.Listener
	places  *Places
	refused func(client net.Addr)
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := conn.RemoteAddr()
		if release := l.places.Take(client.String()); release != nil {
			return &placed{Conn: conn, release: sync.OnceFunc(release)}, nil
		}
		_ = conn.Close()
		l.refused(client)
	}
}

// placed is a connection that has a place.
type placed struct {
	net.Conn
	release func()
}

// SetLinger is that of a *net.TCPConn.
func (c *placed) SetLinger(seconds int) error {
	tcp, ok := c.Conn.(*net.TCPConn)
	if !ok {
		return errors.ErrUnsupported
	}
	return tcp.SetLinger(seconds)
}

// Close closes the connection, and gives its place back.
func (c *placed) Close() error {
	defer c.release()
	return c.Conn.Close()
}
