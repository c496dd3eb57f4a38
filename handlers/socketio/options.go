package socketio

import (
	"cmp"
	"net/http"
	"time"

	"petstore/handlers/bounds"
)

// Options configure a Server. The zero value of each field means its default.
type Options struct {
	// PingInterval is how often the server asks whether a client is there
	// (default 25 s), and PingTimeout how long the answer may take (default 20 s).
	// Both are told to the client, which uses them the other way round.
	PingInterval, PingTimeout time.Duration

	// ConnectTimeout is how long a session may have no namespace: after its
	// beginning, and after it has left its last one. Default 20 s.
	ConnectTimeout time.Duration

	// UpgradeTimeout is how long an upgrade to WebSocket may take. Default 10 s.
	UpgradeTimeout time.Duration

	// MaxPayload bounds, in bytes, a WebSocket message and a polling body from a
	// client; it is told to the client. Reading from a client pauses when so much
	// (or 64 events) waits for its handlers. Default 1,000,000, as in the reference
	// server.
	MaxPayload int

	// MaxPackets bounds the packets in one polling body. Default 20,000: the
	// client sends everything that it has queued in one body, up to MaxPayload.
	MaxPackets int

	// MaxSessions bounds the sessions open at a time, of which one address can have
	// four in five; further ones are answered 503. Default 12,500.
	MaxSessions int

	// Budget, if set, bounds what all sessions have in memory of messages, in both
	// directions; others may share it. A session that needs more than there is is dropped.
	Budget *bounds.Bytes

	// MaxBuffer bounds, in bytes, what waits to be read by one client (each packet
	// counts 32 bytes more than its length). A session that exceeds it is dropped.
	// Default 1 MiB.
	MaxBuffer int

	// CheckOrigin decides whether the page of a request's Origin may use the server;
	// it is asked only if there is one, which no program but a browser sends. A
	// refused request is answered 403, others get the CORS headers they need, without
	// credentials. Without CheckOrigin, all pages are refused.
	CheckOrigin func(r *http.Request) bool
}

func (o Options) withDefaults() Options {
	o.PingInterval = cmp.Or(o.PingInterval, 25*time.Second)
	o.PingTimeout = cmp.Or(o.PingTimeout, 20*time.Second)
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, 20*time.Second)
	o.UpgradeTimeout = cmp.Or(o.UpgradeTimeout, 10*time.Second)
	o.MaxPayload = cmp.Or(o.MaxPayload, 1_000_000)
	o.MaxPackets = cmp.Or(o.MaxPackets, 20_000)
	o.MaxSessions = cmp.Or(o.MaxSessions, 12_500)
	o.MaxBuffer = cmp.Or(o.MaxBuffer, 1<<20)
	return o
}
