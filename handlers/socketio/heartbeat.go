package socketio

import "time"

var pingPacket = []byte{byte(packetPing)}

// beat is what the heartbeat timer does: it sends a ping or, if the last one
// was not answered, ends the session. Source: engine.io-protocol, "Heartbeat".
func (s *session) beat() {
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
	case s.idleLocked():
		for _, socket := range s.sockets {
			s.postLocked(task{run: func() { socket.disconnect(ReasonIdle) }})
		}
		s.heartbeat.Reset(opts.PingInterval)
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

func (s *session) idleLocked() bool {
	limit := s.srv.opts.IdleTimeout
	return limit > 0 && len(s.sockets) > 0 && time.Since(s.lastEvent) > limit
}

// closeIfLonely ends a session that has been in no namespace for ConnectTimeout.
func (s *session) closeIfLonely() {
	s.mu.Lock()
	lonely := len(s.sockets) == 0
	s.mu.Unlock()
	if lonely {
		s.close(reasonNoNamespace)
	}
}
