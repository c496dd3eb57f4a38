package socketio

import (
	"sync"
	"time"

	"petstore/handlers/bounds"
)

// A Reason says why a socket was disconnected. The first seven are spelled as
// the reference server spells them.
type Reason string

// Why a socket was disconnected.
const (
	ReasonClientDisconnect Reason = "client namespace disconnect" // the client left the namespace
	ReasonServerDisconnect Reason = "server namespace disconnect" // Socket.Disconnect was called
	ReasonServerShutdown   Reason = "server shutting down"        // Server.Close was called
	ReasonPingTimeout      Reason = "ping timeout"                // no pong within PingTimeout
	ReasonTransportClose   Reason = "transport close"             // the client closed the connection
	ReasonTransportError   Reason = "transport error"             // the connection broke, or was misused
	ReasonParseError       Reason = "parse error"                 // the client sent something malformed
	ReasonBinary           Reason = "binary unsupported"          // the client sent a binary event
	ReasonSlowReader       Reason = "slow reader"                 // MaxBuffer was exceeded
	ReasonOverloaded       Reason = "overloaded"                  // Budget was exceeded
	ReasonPanic            Reason = "handler panic"               // a handler of the socket panicked

	reasonNoNamespace Reason = "no namespace" // for ConnectTimeout; there is no socket to hear of it
)

const (
	packetOverhead = 32              // bytes that a waiting packet costs beside its own
	maxInbound     = 64              // events that wait for the handler before reading pauses
	closeTimeout   = 5 * time.Second // how long the last packets and a closing handshake may take
	noopDelay      = 100 * time.Millisecond
)

// A session is the connection of one client: an Engine.IO session and, while the
// client is connected to the main namespace, a socket on it.
//
// Locks are taken in the order Socket.mu, session.mu, Server.mu.
// Nothing is written to a connection, and no handler called, under any of them.
type session struct {
	srv     *Server
	id      string
	release func() // the place of the session

	mu     sync.Mutex
	closed bool
	reason Reason // once closed

	// The transport: polling while ws is nil.
	ws      *wsConn
	probe   *wsConn       // a WebSocket that is about to take over
	probed  bool          // it has sent 2probe: polls must not wait any more
	poll    chan struct{} // wakes the GET that is waiting, if any
	posting bool          // a POST is being read

	// Outgoing packets, oldest first. They are never changed, so sessions share them.
	out      [][]byte
	outBytes int         // of out and of what is being written, with packetOverhead each
	outLoad  bounds.Load // the same, of the budget
	flushing bool        // a goroutine is writing to ws

	// Incoming messages, as functions that handle them.
	in      []task
	inBytes int
	inLoad  bounds.Load // the same, of the budget
	space   sync.Cond   // in has become shorter, or the session closed
	working bool        // a goroutine is running them
	ended   bool        // its last run is over or has begun
	skip    int         // binary attachments still to come of a refused packet

	socket *Socket // nil while there is none
	joined bool    // there has been one

	heartbeat    *time.Timer // to the next ping or, awaitingPong, to giving up
	awaitingPong bool
	heard        bool // something has come since the last ping, or could not be read

	noNamespaceTimer *time.Timer // runs while socket is nil
}

func newSession(srv *Server, id string, ws *wsConn) *session {
	budget := bounds.Load{Budget: srv.opts.Budget}
	s := &session{srv: srv, id: id, ws: ws, outLoad: budget, inLoad: budget}
	s.space.L = &s.mu
	s.mu.Lock() // the timers may fire at once
	defer s.mu.Unlock()
	s.heartbeat = time.AfterFunc(srv.opts.PingInterval, s.onHeartbeat)
	s.noNamespaceTimer = time.AfterFunc(srv.opts.ConnectTimeout, s.closeWithoutNamespace)
	return s
}

// send queues an encoded packet and reports whether the session took it.
// It doesn't wait. A session whose buffer is full is dropped.
func (s *session) send(p []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sendLocked(p)
}

func (s *session) sendLocked(p []byte) bool {
	if s.closed {
		return false
	}
	if s.outBytes+len(p)+packetOverhead > s.srv.opts.MaxBuffer {
		s.dropLocked(ReasonSlowReader)
		return false
	}
	if s.outLoad.Add(len(p)+packetOverhead) != nil {
		s.dropLocked(ReasonOverloaded)
		return false
	}
	s.out = append(s.out, p)
	s.outBytes += len(p) + packetOverhead
	s.wakeLocked()
	return true
}

// wakeLocked sees to it that someone looks at the session's state and queue:
// the goroutine that writes to the WebSocket, or the GET that is waiting.
func (s *session) wakeLocked() {
	switch {
	case s.ws != nil && !s.flushing:
		s.flushing = true
		s.srv.wg.Go(s.flush)
	case s.poll != nil:
		select {
		case s.poll <- struct{}{}:
		default: // it has been woken already
		}
	}
}

// takeLocked empties the queue for a transport that will write it.
func (s *session) takeLocked() [][]byte {
	packets := s.out
	s.out = nil
	return packets
}

// writtenLocked gives back the room in the buffer that p has taken.
func (s *session) writtenLocked(p []byte) {
	s.outBytes -= len(p) + packetOverhead
	s.outLoad.Remove(len(p) + packetOverhead)
}

// receive handles a packet from the client and reports whether to read on.
func (s *session) receive(text []byte) bool {
	p, err := decodePacket(text)
	switch {
	case err != nil:
		s.close(ReasonParseError)
	case p.binary:
		s.receiveBinary()
	case p.typ == packetMessage:
		s.receiveMessage(p.data)
	case p.typ == packetPong:
		s.pong()
	case p.typ == packetClose:
		s.close(ReasonTransportClose)
	case p.typ == packetPing: // heartbeats go the other way since protocol 4
		s.close(ReasonTransportError)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = true
	return !s.closed
}

// close ends the session in an orderly way: what is queued is still sent.
func (s *session) close(reason Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.endLocked(reason) && s.ws != nil {
		s.ws.expire()
	}
}

// drop ends the session at once.
func (s *session) drop(reason Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(reason)
}

func (s *session) dropLocked(reason Reason) {
	if !s.endLocked(reason) {
		return
	}
	s.out = nil
	if s.ws != nil {
		s.srv.wg.Go(s.ws.abort) // closing a TLS connection may take a while
	}
}

// endLocked marks the session closed and wakes all who have to know.
func (s *session) endLocked(reason Reason) bool {
	if s.closed {
		return false
	}
	s.closed, s.reason = true, reason
	s.heartbeat.Stop()
	s.noNamespaceTimer.Stop()
	s.space.Broadcast()
	if s.socket != nil {
		s.socket.cancel()
	}
	switch {
	case s.probed: // the client has stopped polling: see switchTo
		s.probe.expire()
	case s.probe != nil:
		s.srv.wg.Go(s.probe.abort)
	}
	s.wakeLocked()
	s.workLocked() // to call OnDisconnect, after the handlers that are waiting
	s.srv.forget(s.id)
	s.release()
	return true
}

// abort breaks the connections of a session that is closing too slowly.
func (s *session) abort() {
	s.mu.Lock()
	conns := []*wsConn{s.ws, s.probe}
	s.mu.Unlock()
	for _, ws := range conns {
		if ws != nil {
			ws.abort()
		}
	}
}
