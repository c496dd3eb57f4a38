package socketio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"petstore/handlers/bounds"
)

// serveWebSocket begins a session on a WebSocket, or the upgrade of one that polls.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	session, err := s.find(r)
	if err == nil && !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		err = errBadRequest
	}
	release := func() {}
	if err == nil && session == nil {
		release, err = s.admit(r)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	ws, err := acceptWebSocket(w, r, s.opts.MaxPayload)
	if err != nil {
		release()
		return // it has been answered
	}
	// From here on net/http's part is over. Returning frees all that it holds.
	if session == nil {
		s.openWebSocket(ws, release)
		return
	}
	if !session.beginUpgrade(ws) || !s.start(func() { session.upgrade(ws) }) {
		s.refuse(ws)
	}
}

func (s *Server) openWebSocket(ws *wsConn, release func()) {
	session, err := s.open(ws, release)
	if err != nil {
		s.refuse(ws)
		return
	}
	session.send(openPacket(session.id, []string{}, s.opts))
	if !s.start(func() { session.read(ws) }) {
		ws.abort()
	}
}

// read receives the session's packets from ws until the connection ends.
func (s *session) read(ws *wsConn) {
	defer func() { _ = ws.conn.CloseNow() }()
	for {
		typ, data, release, err := s.srv.opts.Budget.ReadMessage(context.Background(), ws.conn)
		switch {
		case err != nil:
			s.drop(lossReason(err))
			return
		case typ == websocket.MessageBinary:
			s.receiveBinary()
		default:
			// Once the session is closed, this changes nothing, but whoever closes
			// needs a reader that sees the client's answer.
			s.receive(data)
		}
		release()
	}
}

func lossReason(err error) Reason {
	if errors.Is(err, bounds.ErrFull) {
		return ReasonOverloaded
	}
	if websocket.CloseStatus(err) != -1 || errors.Is(err, io.EOF) {
		return ReasonTransportClose
	}
	return ReasonTransportError
}

// flush writes what is queued to the WebSocket, and goes away when nothing is
// left. If the session has closed by then, it closes the connection.
func (s *session) flush() {
	for {
		s.mu.Lock()
		packets := s.takeLocked()
		if len(packets) == 0 {
			s.flushing = s.closed // nobody else is to flush after the last one
			closed, reason := s.closed, s.reason
			s.mu.Unlock()
			if closed {
				_ = s.ws.conn.Close(closeStatus(reason), string(reason)) // it ends the connection in any case
			}
			return
		}
		s.mu.Unlock()
		for _, p := range packets {
			if err := s.ws.conn.Write(context.Background(), websocket.MessageText, p); err != nil {
				s.drop(ReasonTransportError)
				break
			}
			s.mu.Lock()
			s.writtenLocked(p)
			s.mu.Unlock()
		}
	}
}

func closeStatus(reason Reason) websocket.StatusCode {
	switch reason {
	case ReasonServerShutdown:
		return websocket.StatusGoingAway
	case ReasonParseError:
		return websocket.StatusProtocolError
	default:
		return websocket.StatusNormalClosure
	}
}

// A wsConn is a WebSocket and the connection below it, which alone can be given
// a deadline or be broken while the WebSocket is closing.
type wsConn struct {
	conn *websocket.Conn
	net  net.Conn
}

func acceptWebSocket(w http.ResponseWriter, r *http.Request, maxPayload int) (*wsConn, error) {
	hijacker := &hijacker{ResponseWriter: w}
	conn, err := websocket.Accept(hijacker, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // Options.CheckOrigin has verified it
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(int64(maxPayload))
	return &wsConn{conn, hijacker.net}, nil
}

// expire gives the connection closeTimeout to end.
func (ws *wsConn) expire() { _ = ws.net.SetDeadline(time.Now().Add(closeTimeout)) }

// abort ends the connection at once.
func (ws *wsConn) abort() { _ = ws.net.Close() }

// refuse closes a connection that no session wants.
func (s *Server) refuse(ws *wsConn) {
	s.mu.Lock()
	status, reason := websocket.StatusPolicyViolation, "session unavailable"
	if s.closed {
		status, reason = websocket.StatusGoingAway, string(ReasonServerShutdown)
	}
	s.mu.Unlock()
	_ = ws.net.SetDeadline(time.Now().Add(refuseTimeout))
	_ = ws.conn.Close(status, reason)
}

// A hijacker hands a connection over to the websocket package: it keeps hold of
// it, and replaces net/http's buffers of 4 KiB each, since a session lives long
// and seldom has much to say at once. Larger messages bypass the buffers.
type hijacker struct {
	http.ResponseWriter
	net net.Conn
}

const (
	refuseTimeout = time.Second

	readBuffer  = 512
	writeBuffer = 1024
)

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, brw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.net = conn
	early, _ := brw.Peek(brw.Reader.Buffered()) // what is buffered can be peeked at
	reader := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(early)), conn), max(readBuffer, len(early)))
	if _, err := reader.Peek(len(early)); err != nil {
		return nil, nil, err
	}
	return conn, bufio.NewReadWriter(reader, bufio.NewWriterSize(conn, writeBuffer)), nil
}

// WriteHeaderNow is what the websocket package calls to have Gin's writer send
// the header before it is hijacked.
func (h *hijacker) WriteHeaderNow() {
	if w, ok := h.ResponseWriter.(interface{ WriteHeaderNow() }); ok {
		w.WriteHeaderNow()
	}
}
