// Package socketio is a small Socket.IO server for today's clients
// (socket.io-client 3 and 4): Engine.IO protocol 4 below, Socket.IO protocol 5
// above. It speaks HTTP long-polling, WebSocket and the upgrade from the one to
// the other, and offers events and acknowledgements in the main namespace.
//
//	srv := socketio.New(socketio.Options{}, func(s *socketio.Socket) {
//		s.On("hello", func(args []json.RawMessage, ack socketio.Ack) { ack("welcome") })
//	})
//	http.Handle("/socket.io/", srv)
//
// # The protocol in one screen
//
// A session begins with GET ?EIO=4&transport=polling (or with a WebSocket to
// transport=websocket) and lives under the sid that the first packet names.
// Every Engine.IO packet is one digit and its data:
//
//	0 open     {"sid":…,"upgrades":["websocket"],"pingInterval":…,"pingTimeout":…,"maxPayload":…}
//	1 close    the session is over
//	2 ping     server to client, every pingInterval;    2probe opens an upgrade
//	3 pong     the answer, due within pingTimeout;      3probe grants the upgrade
//	4 message  a Socket.IO packet
//	5 upgrade  from here on the session lives on the WebSocket
//	6 noop     an empty answer to a poll
//
// A WebSocket carries one packet a text frame. Polling carries several in one
// body, separated by the byte 0x1e: the client POSTs its packets (answer: ok)
// and keeps one GET waiting for the server's. To upgrade, the client opens a
// WebSocket with the same sid and sends 2probe; the server answers 3probe and
// ends the waiting GET with 6; the client lets its last POST and GET finish, and
// only then sends 5. The server writes to the WebSocket only after 5, so no
// packet can overtake another.
//
// A Socket.IO packet is a digit, then [/namespace,] unless it is the main one,
// then [an acknowledgement id], then [JSON]:
//
//	0{"token":"…"}            connect, with the auth payload; the answer is 0{"sid":"…"}
//	0/admin,                  connect to another namespace; the answer is 4/admin,{"message":"Invalid namespace"}
//	2["process",{"data":1}]   event
//	212["process",{}]         event that wants an acknowledgement; the answer is 312[…]
//	1                         disconnect from the namespace; the session stays
//
// Sources: github.com/socketio/engine.io-protocol (version 4) and
// github.com/socketio/socket.io-protocol (version 5). Where they leave a case
// open, the answer of the reference server (github.com/socketio/socket.io) is given.
//
// # What it promises
//
// All handlers of one session run one at a time, in the order in which their
// packets came, on a goroutine that exists only while there is something to do. A
// handler that panics is logged, and its socket is disconnected.
//
// Emit never waits. Packets that a client is slow to read wait in a buffer of
// Options.MaxBuffer bytes; when it is full, that session is dropped.
//
// An idle WebSocket session costs one goroutine (the reader) and a few KiB: the
// HTTP handler has returned, writers and handlers start on demand, net/http's
// read and write buffers are replaced by smaller ones, and heartbeats are timers.
//
// # What it leaves out
//
// Binary arguments (packet types 5 and 6) are refused: the client gets the event
// "error" with {"code":"BINARY_UNSUPPORTED","message":…} and is disconnected from
// the namespace ("io server disconnect", so that it does not come back by
// itself). Other namespaces, the auth payload, acknowledgements by clients, rooms,
// JSONP, WebTransport, protocol version 3, compression, connection state recovery
// and adapters for several processes are not offered.
package socketio
