package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
)

// ErrDisconnected says that a socket is not connected (any more).
var ErrDisconnected = errors.New("socketio: socket is disconnected")

// ErrNoAck says that the client wants no acknowledgement of an event.
var ErrNoAck = errors.New("socketio: no acknowledgement is wanted")

// A Handler handles an event from a client. Its arguments are the JSON texts that
// the client sent after the event's name, 256 at most; they are valid JSON, but
// their number and types are the client's choice.
type Handler func(args []json.RawMessage, ack Ack)

// Ack answers an event. Only its first call counts; if the client wants no
// answer, no call does, and each returns ErrNoAck. It is never nil, and may be
// called after the handler has returned. Another error says that an argument can't
// be encoded, or is ErrDisconnected.
type Ack func(args ...any) error

// A Socket is a client's connection to the main namespace. Its methods may be called
// concurrently.
type Socket struct {
	session *session
	ctx     context.Context
	cancel  context.CancelFunc

	mu           sync.Mutex
	closed       bool // nothing is sent any more
	handlers     map[string]Handler
	other        Handler
	onDisconnect func(Reason)
}

func newSocket(s *session) *Socket {
	ctx, cancel := context.WithCancel(context.Background())
	return &Socket{session: s, ctx: ctx, cancel: cancel, handlers: make(map[string]Handler)}
}

// Context is cancelled when the socket is disconnected, for whatever reason.
func (s *Socket) Context() context.Context { return s.ctx }

// On sets the handler of an event, in place of an earlier one. Events without a
// handler go to that of OnOther, or are ignored.
func (s *Socket) On(event string, f Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers[event] = f
}

// OnOther sets the handler of the events that have none of their own.
func (s *Socket) OnOther(f Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.other = f
}

// OnDisconnect sets the function that is called once, after the last handler,
// when the socket has been disconnected.
func (s *Socket) OnDisconnect(f func(reason Reason)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onDisconnect = f
}

// Emit sends an event to the client. It doesn't wait. Each argument is encoded as
// encoding/json does it, without HTML escaping; a json.RawMessage is sent as it is.
// The error is ErrDisconnected, or says that an argument can't be encoded, or that
// the event's name is reserved.
func (s *Socket) Emit(event string, args ...any) error {
	p, err := encodeEvent(event, args)
	if err != nil {
		return err
	}
	return s.send(p)
}

// Disconnect takes the client out of the namespace, after everything that was
// emitted. The client sees "io server disconnect" and does not reconnect by itself.
func (s *Socket) Disconnect() { s.disconnect(ReasonServerDisconnect) }

func (s *Socket) disconnect(reason Reason) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.session.send(disconnectPacket)
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.session.post(func() { s.finish(reason) })
}

func (s *Socket) send(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.session.send(p) {
		return ErrDisconnected
	}
	return nil
}

// handle runs the handler of an event.
func (s *Socket) handle(m message) {
	s.mu.Lock()
	f, known := s.handlers[m.event]
	if !known {
		f = s.other
	}
	closed := s.closed
	s.mu.Unlock()
	if f == nil || closed {
		return
	}
	s.protect(func() { f(m.args, s.ack(m.id)) })
}

// protect calls f, which is not ours. If it panics, the client is disconnected.
func (s *Socket) protect(f func()) {
	defer func() {
		if v := recover(); v != nil {
			slog.Error("A handler of Socket.IO panicked.", "panic", v, "stack", string(debug.Stack()))
			s.disconnect(ReasonPanic)
		}
	}()
	f()
}

func (s *Socket) ack(id int64) Ack {
	if id == noID {
		return func(...any) error { return ErrNoAck }
	}
	var once sync.Once
	return func(args ...any) (err error) {
		once.Do(func() {
			var p []byte
			if p, err = encodeAck(id, args); err == nil {
				err = s.send(p)
			}
		})
		return err
	}
}

var binaryRefusal = json.RawMessage(
	`{"code":"BINARY_UNSUPPORTED","message":"Binary arguments are not supported; send JSON"}`)

// refuseBinary says why before it disconnects.
func (s *Socket) refuseBinary() {
	_ = s.Emit("error", binaryRefusal) // disconnected already, at worst
	s.disconnect(ReasonBinary)
}

// finish ends the socket, on the goroutine of its handlers.
func (s *Socket) finish(reason Reason) {
	s.mu.Lock()
	f := s.onDisconnect
	s.onDisconnect = nil
	s.closed = true
	s.mu.Unlock()
	s.session.removeSocket(s)
	if f != nil {
		s.protect(func() { f(reason) })
	}
}
