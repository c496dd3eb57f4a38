package socketio

import (
	"errors"
	"runtime/debug"
	"time"
)

// receiveMessage reads a Socket.IO packet. All but acknowledgements wait for
// their turn; those may be what a running handler waits for.
func (s *session) receiveMessage(data []byte) {
	m, err := decodeMessage(data)
	if err != nil || s.skip > 0 {
		s.close(ReasonParseError)
		return
	}
	s.skip = m.attachments
	switch m.typ {
	case messageAck, messageBinaryAck:
		if socket := s.socket(m.namespace); socket != nil {
			socket.acknowledged(m)
		}
	case messageConnect:
		s.queue(len(data), func() { s.connect(m) })
	case messageDisconnect:
		s.queue(len(data), func() { s.withSocket(m, func(socket *Socket) { socket.finish(ReasonClientDisconnect) }) })
	case messageBinaryEvent:
		s.queue(len(data), func() { s.withSocket(m, (*Socket).refuseBinary) })
	case messageEvent:
		s.queue(len(data), func() { s.withSocket(m, func(socket *Socket) { socket.handle(m) }) })
	default: // decodeMessage has refused it
	}
}

// receiveBinary skips an attachment of a packet that has been refused.
func (s *session) receiveBinary() {
	if s.skip == 0 {
		s.close(ReasonParseError)
		return
	}
	s.skip--
}

// A task is one piece of the work of a session, which handles size bytes of input.
type task struct {
	run  func()
	size int
}

// queue appends f to the work of the session, and waits while there is too much
// of it: so a client that sends faster than we handle is slowed down by its transport.
func (s *session) queue(size int, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastEvent = time.Now()
	for s.pausedLocked() && !s.closed {
		s.space.Wait()
	}
	if !s.closed {
		s.postLocked(task{f, size})
	}
}

// pausedLocked reports whether the client has to wait for the handlers.
func (s *session) pausedLocked() bool {
	return len(s.in) >= maxInbound || s.inBytes >= s.srv.opts.MaxPayload
}

// post is queue for the server's own work, which may come from a handler.
func (s *session) post(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.postLocked(task{run: f})
}

func (s *session) postLocked(t task) {
	if s.ended {
		return
	}
	s.in = append(s.in, t)
	s.inBytes += t.size
	s.workLocked()
}

func (s *session) workLocked() {
	if !s.working && !s.ended {
		s.working = true
		s.srv.wg.Go(s.work)
	}
}

// work runs what is queued, in order, and goes away when nothing is left.
func (s *session) work() {
	for f := s.next(); f != nil; f = s.next() {
		f()
	}
}

func (s *session) next() func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.in) > 0 {
		s.heard = s.heard || s.pausedLocked()
		t := s.in[0]
		s.in[0] = task{}
		s.inBytes -= t.size
		s.in = s.in[1:]
		if len(s.in) == 0 {
			s.in = nil // an idle session keeps no buffer
		}
		s.space.Signal()
		return t.run
	}
	if s.closed && !s.ended {
		s.ended = true
		return s.finish
	}
	s.working = false
	return nil
}

// finish is the last work of a session: its sockets learn that it has ended.
func (s *session) finish() {
	defer s.srv.wg.Done() // of Server.open
	s.mu.Lock()
	sockets := append([]*Socket(nil), s.sockets...)
	s.mu.Unlock()
	for _, socket := range sockets {
		socket.finish(s.reason)
	}
}

func (s *session) socket(namespace string) *Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, socket := range s.sockets {
		if socket.namespace.name == namespace {
			return socket
		}
	}
	return nil
}

// withSocket calls f with the socket that m is for. A packet for a namespace that
// has been left may have been on its way, but the first packet must be a connect.
func (s *session) withSocket(m message, f func(*Socket)) {
	if socket := s.socket(m.namespace); socket != nil {
		f(socket)
		return
	}
	s.mu.Lock()
	joined := s.joined
	s.mu.Unlock()
	if !joined {
		s.close(ReasonParseError)
	}
}

// connect lets the client into a namespace, or tells it why not.
func (s *session) connect(m message) {
	ns := s.srv.lookup(m.namespace)
	if ns == nil {
		s.refuse(m.namespace, &ConnectError{Message: "Invalid namespace"})
		return
	}
	if s.socket(m.namespace) != nil {
		s.close(ReasonParseError)
		return
	}
	socket := newSocket(s, ns)
	if !s.addSocket(socket) {
		return
	}
	if err := s.callOnConnect(socket, m); err != nil {
		socket.leave()
		s.removeSocket(socket)
		s.refuse(m.namespace, err)
		return
	}
	ns.add(socket)
	socket.accept()
}

func (s *session) callOnConnect(socket *Socket, m message) *ConnectError {
	var err error
	if panicked := s.protect(func() { err = socket.namespace.connect(socket, m.auth) }); panicked {
		return &ConnectError{Message: "Internal error"}
	}
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*ConnectError](err); ok {
		return refusal
	}
	s.srv.opts.Logger.Warn("socketio: connection refused", "namespace", m.namespace, "error", err)
	return &ConnectError{Message: "Connection refused"}
}

func (s *session) refuse(namespace string, refusal *ConnectError) {
	p, err := encodeConnectError(namespace, refusal)
	if err != nil {
		s.srv.opts.Logger.Error("socketio: encoding a connect error", "namespace", namespace, "error", err)
		p, _ = encodeConnectError(namespace, &ConnectError{Message: refusal.Message})
	}
	s.send(p)
}

func (s *session) addSocket(socket *Socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.sockets = append(s.sockets, socket)
	s.joined = true
	s.lonely.Stop()
	return true
}

func (s *session) removeSocket(socket *Socket) {
	socket.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.sockets {
		if s.sockets[i] == socket {
			s.sockets = append(s.sockets[:i:i], s.sockets[i+1:]...)
			break
		}
	}
	if len(s.sockets) == 0 && !s.closed {
		s.lonely.Reset(s.srv.opts.ConnectTimeout)
	}
}

// protect calls f and reports whether it panicked.
func (s *session) protect(f func()) (panicked bool) {
	defer func() {
		if v := recover(); v != nil {
			panicked = true
			s.srv.opts.Logger.Error("socketio: panic in a handler", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	f()
	return false
}
