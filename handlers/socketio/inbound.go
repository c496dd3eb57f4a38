package socketio

import "crypto/rand"

// receiveMessage reads a Socket.IO packet. What it asks for waits for its turn.
func (s *session) receiveMessage(data []byte) {
	m, err := decodeMessage(data)
	if err != nil || s.skip > 0 {
		s.close(ReasonParseError)
		return
	}
	s.skip = m.attachments
	switch m.typ {
	case messageConnect:
		s.queue(len(data), func() { s.connect(m) })
	case messageDisconnect:
		s.queue(len(data), func() { s.withSocket(m, func(socket *Socket) { socket.finish(ReasonClientDisconnect) }) })
	case messageBinaryEvent:
		s.queue(len(data), func() { s.withSocket(m, (*Socket).refuseBinary) })
	case messageEvent:
		s.queue(len(data), func() { s.withSocket(m, func(socket *Socket) { socket.handle(m) }) })
	default: // an acknowledgement, which nothing here asks for
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
	for s.pausedLocked() && !s.closed {
		s.space.Wait()
	}
	switch {
	case s.closed:
	case s.inLoad.Add(size) != nil:
		s.dropLocked(ReasonOverloaded)
	default:
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
		s.inLoad.Remove(t.size)
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

// finish is the last work of a session: its socket learns that it has ended.
func (s *session) finish() {
	defer s.srv.wg.Done() // of Server.open
	s.mu.Lock()
	s.inLoad.Release()
	s.outLoad.Release()
	s.mu.Unlock()
	if socket := s.current(); socket != nil {
		socket.finish(s.reason)
	}
}

func (s *session) current() *Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.socket
}

// withSocket calls f with the socket that m is for. A packet for a namespace that
// has been left may have been on its way, but the first packet must be a connect.
func (s *session) withSocket(m message, f func(*Socket)) {
	if socket := s.current(); socket != nil && m.namespace == mainNamespace {
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

// connect lets the client into the main namespace; there is no other.
func (s *session) connect(m message) {
	if m.namespace != mainNamespace {
		s.send(encodeConnectError(m.namespace))
		return
	}
	if s.current() != nil {
		s.close(ReasonParseError)
		return
	}
	if socket := newSocket(s); s.addSocket(socket) {
		s.send(encodeConnect(rand.Text()))
		socket.protect(func() { s.srv.onConnect(socket) })
	}
}

func (s *session) addSocket(socket *Socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.socket, s.joined = socket, true
	s.noNamespaceTimer.Stop()
	return true
}

// removeSocket does nothing to a socket that has taken the place of this one.
func (s *session) removeSocket(socket *Socket) {
	socket.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket != socket {
		return
	}
	s.socket = nil
	if !s.closed {
		s.noNamespaceTimer.Reset(s.srv.opts.ConnectTimeout)
	}
}
