package socketio

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"sync"
)

// ErrDisconnected says that a socket is not connected (any more).
var ErrDisconnected = errors.New("socketio: socket is disconnected")

// ErrBinary says that a client acknowledged an event with binary data.
var ErrBinary = errors.New("socketio: binary acknowledgement is not supported")

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

// A Socket is a client's connection to one namespace. Its methods may be called
// concurrently.
type Socket struct {
	id        string
	session   *session
	namespace *Namespace
	ctx       context.Context
	cancel    context.CancelFunc

	// Guarded by namespace.mu.
	rooms []string
	left  bool

	mu           sync.Mutex
	connected    bool     // the client has been told so
	closed       bool     // nothing is sent any more
	pending      [][]byte // emitted before the client was told
	pendingBytes int
	handlers     map[string]Handler
	other        Handler
	onDisconnect func(Reason)
	acks         map[int64]chan message
	lastAck      int64
}

func newSocket(s *session, ns *Namespace) *Socket {
	ctx, cancel := context.WithCancel(context.Background())
	return &Socket{id: rand.Text(), session: s, namespace: ns, ctx: ctx, cancel: cancel}
}

// ID is the name of this connection, which the client knows as socket.id.
func (s *Socket) ID() string { return s.id }

// Context is cancelled when the socket is disconnected, for whatever reason.
func (s *Socket) Context() context.Context { return s.ctx }

// On sets the handler of an event, in place of an earlier one. Events without a
// handler go to that of OnOther, or are ignored.
func (s *Socket) On(event string, f Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handlers == nil {
		s.handlers = make(map[string]Handler)
	}
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

// Emit sends an event to the client. It doesn't wait; see Room.Emit for the
// arguments. The error is ErrDisconnected, says that an argument can't be
// encoded, or that the event's name is reserved.
func (s *Socket) Emit(event string, args ...any) error {
	p, err := encodeEvent(s.namespace.name, noID, event, args)
	if err != nil {
		return err
	}
	if !s.send(p) {
		return ErrDisconnected
	}
	return nil
}

// EmitAck sends an event and waits for the client's acknowledgement, whose
// arguments it returns. Handlers may call it, but not an OnConnect function: the
// client answers only once it is connected. The errors are those of Emit, ctx's
// error, and ErrBinary.
func (s *Socket) EmitAck(ctx context.Context, event string, args ...any) ([]json.RawMessage, error) {
	id, answer := s.expectAck()
	defer s.forgetAck(id)
	p, err := encodeEvent(s.namespace.name, id, event, args)
	if err != nil {
		return nil, err
	}
	if !s.send(p) {
		return nil, ErrDisconnected
	}
	select {
	case m := <-answer:
		if m.typ == messageBinaryAck {
			return nil, ErrBinary
		}
		return m.args, nil
	case <-s.ctx.Done():
		return nil, ErrDisconnected
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Socket) expectAck() (int64, chan message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.acks == nil {
		s.acks = make(map[int64]chan message)
	}
	s.lastAck++
	answer := make(chan message, 1)
	s.acks[s.lastAck] = answer
	return s.lastAck, answer
}

func (s *Socket) forgetAck(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.acks, id)
}

func (s *Socket) acknowledged(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if answer := s.acks[m.id]; answer != nil {
		answer <- m
		delete(s.acks, m.id)
	}
}

// Join puts the socket into a room. It leaves all rooms when it is disconnected;
// from then on, Join returns ErrDisconnected.
func (s *Socket) Join(room string) error { return s.namespace.join(s, room) }

// Leave takes the socket out of a room.
func (s *Socket) Leave(room string) { s.namespace.leave(s, room) }

// Rooms returns the rooms that the socket has joined, in that order.
func (s *Socket) Rooms() []string {
	s.namespace.mu.RLock()
	defer s.namespace.mu.RUnlock()
	return slices.Clone(s.rooms)
}

// Disconnect takes the client out of the namespace, after everything that was
// emitted. The client sees "io server disconnect" and does not reconnect by itself.
func (s *Socket) Disconnect() { s.disconnect(ReasonServerDisconnect) }

func (s *Socket) disconnect(reason Reason) {
	p := encodeDisconnect(s.namespace.name)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.sendLocked(p)
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.session.post(func() { s.finish(reason) })
}

// accept tells the client that it is connected, and then what was emitted so far.
func (s *Socket) accept() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session.send(encodeConnect(s.namespace.name, s.id))
	for _, p := range s.pending {
		s.session.send(p)
	}
	s.connected, s.pending, s.pendingBytes = true, nil, 0
}

func (s *Socket) send(p []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sendLocked(p)
}

func (s *Socket) sendLocked(p []byte) bool {
	if s.closed {
		return false
	}
	if s.connected {
		return s.session.send(p)
	}
	s.pendingBytes += len(p) + packetOverhead
	if s.pendingBytes > s.session.srv.opts.MaxBuffer {
		s.session.drop(ReasonSlowReader)
		return false
	}
	s.pending = append(s.pending, p)
	return true
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
	if panicked := s.session.protect(func() { f(m.args, s.ack(m.id)) }); panicked {
		s.disconnect(ReasonPanic)
	}
}

func (s *Socket) ack(id int64) Ack {
	if id == noID {
		return func(...any) error { return ErrNoAck }
	}
	var once sync.Once
	return func(args ...any) (err error) {
		once.Do(func() {
			var p []byte
			if p, err = encodeAck(s.namespace.name, id, args); err == nil && !s.send(p) {
				err = ErrDisconnected
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
	s.leave()
	s.session.removeSocket(s)
	if f != nil {
		s.session.protect(func() { f(reason) })
	}
}

// leave takes the socket out of its namespace and rooms.
func (s *Socket) leave() { s.namespace.remove(s) }
