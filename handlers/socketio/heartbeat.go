package socketio

var pingPacket = []byte{byte(packetPing)}

// onHeartbeat is what the heartbeat timer does: it sends a ping or, if the last one
// was not answered, ends the session. Source: engine.io-protocol, "Heartbeat".
func (s *session) onHeartbeat() {
	opts := s.srv.opts
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case s.awaitingPong && (s.heard || s.pausedLocked()):
		// The pong may be waiting behind what we haven't read yet.
		s.heard = false
		s.heartbeat.Reset(opts.PingTimeout)
	case s.awaitingPong:
		s.dropLocked(ReasonPingTimeout)
	case s.sendLocked(pingPacket):
		s.awaitingPong, s.heard = true, false
		s.heartbeat.Reset(opts.PingTimeout)
	}
}

func (s *session) pong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.awaitingPong {
		return
	}
	s.awaitingPong = false
	s.heartbeat.Reset(s.srv.opts.PingInterval)
}

// closeWithoutNamespace ends a session that has been in no namespace for ConnectTimeout.
func (s *session) closeWithoutNamespace() {
	s.mu.Lock()
	connected := s.socket != nil
	s.mu.Unlock()
	if !connected {
		s.close(reasonNoNamespace)
	}
}
