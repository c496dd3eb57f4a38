package socketio

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// A Namespace is one of the channels that a session may be connected to. Its
// methods may be called concurrently.
type Namespace struct {
	name string

	mu        sync.RWMutex
	onConnect func(*Socket, json.RawMessage) error
	sockets   map[*Socket]struct{}
	rooms     map[string]map[*Socket]struct{}
}

// A ConnectError that an OnConnect function returns tells the client why it was
// refused: its connect_error handler gets an Error with this message and data.
type ConnectError struct {
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

func (e *ConnectError) Error() string { return e.Message }

func newNamespace(name string) *Namespace {
	return &Namespace{
		name:    name,
		sockets: make(map[*Socket]struct{}),
		rooms:   make(map[string]map[*Socket]struct{}),
	}
}

func mustBeNamespace(name string) {
	if !strings.HasPrefix(name, "/") || strings.Contains(name, ",") || len(name) > maxNamespace {
		panic("socketio: bad namespace name " + name)
	}
}

// OnConnect sets the function that is called with each new socket and the auth
// payload of its client, a JSON object ({} if the client gave none). It registers
// the socket's handlers and may already emit and join rooms; the client sees what
// was emitted after it has seen that it is connected. An error refuses the
// client: a *ConnectError is told to it, any other is logged and the client only
// told "Connection refused". Without OnConnect, everyone is let in.
func (n *Namespace) OnConnect(f func(s *Socket, auth json.RawMessage) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.onConnect = f
}

func (n *Namespace) connect(s *Socket, auth json.RawMessage) error {
	n.mu.RLock()
	f := n.onConnect
	n.mu.RUnlock()
	if f == nil {
		return nil
	}
	return f(s, auth)
}

// Emit sends an event to every socket of the namespace; see Room.Emit.
func (n *Namespace) Emit(event string, args ...any) error {
	p, err := encodeEvent(n.name, noID, event, args)
	if err != nil {
		return err
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	broadcast(n.sockets, p)
	return nil
}

// A Room is a set of sockets of one namespace, which Socket.Join fills.
type Room struct {
	namespace *Namespace
	name      string
}

// To returns the room of that name. It may be empty: rooms come and go with
// their members.
func (n *Namespace) To(room string) Room { return Room{n, room} }

// Emit sends an event to every socket in the room. It encodes the event once and
// doesn't wait for any client. Each argument is encoded as encoding/json does it,
// without HTML escaping; a json.RawMessage is sent as it is. The error says that
// an argument can't be encoded, or that the event's name is reserved.
func (r Room) Emit(event string, args ...any) error {
	p, err := encodeEvent(r.namespace.name, noID, event, args)
	if err != nil {
		return err
	}
	r.namespace.mu.RLock()
	defer r.namespace.mu.RUnlock()
	broadcast(r.namespace.rooms[r.name], p)
	return nil
}

// Len returns the number of sockets in the room.
func (r Room) Len() int {
	r.namespace.mu.RLock()
	defer r.namespace.mu.RUnlock()
	return len(r.namespace.rooms[r.name])
}

func broadcast(sockets map[*Socket]struct{}, p []byte) {
	for s := range sockets {
		s.send(p)
	}
}

func (n *Namespace) add(s *Socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !s.left {
		n.sockets[s] = struct{}{}
	}
}

func (n *Namespace) join(s *Socket, room string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.left {
		return ErrDisconnected
	}
	if n.rooms[room] == nil {
		n.rooms[room] = make(map[*Socket]struct{}, 1)
	}
	if _, in := n.rooms[room][s]; !in {
		n.rooms[room][s] = struct{}{}
		s.rooms = append(s.rooms, room)
	}
	return nil
}

func (n *Namespace) leave(s *Socket, room string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leaveLocked(s, room)
	s.rooms = slices.DeleteFunc(s.rooms, func(name string) bool { return name == room })
}

func (n *Namespace) leaveLocked(s *Socket, room string) {
	delete(n.rooms[room], s)
	if len(n.rooms[room]) == 0 {
		delete(n.rooms, room)
	}
}

// remove takes a socket out of the namespace and all its rooms, for good.
func (n *Namespace) remove(s *Socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.left = true
	delete(n.sockets, s)
	for _, room := range s.rooms {
		n.leaveLocked(s, room)
	}
	s.rooms = nil
}
