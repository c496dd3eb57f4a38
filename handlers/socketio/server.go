package socketio

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"petstore/handlers/bounds"
)

// A Server is an http.Handler that serves Socket.IO clients, as a rule at
// /socket.io/. Its methods may be called concurrently.
type Server struct {
	opts   Options
	places *bounds.Places // of sessions

	// wg counts the sessions, until their last handler has returned, and the
	// goroutines that serve them.
	wg sync.WaitGroup

	onConnect func(*Socket)

	mu       sync.Mutex
	closed   bool
	sessions map[string]*session
}

// New returns a server that calls onConnect with each new socket. It registers the
// socket's handlers, and may emit already.
func New(opts Options, onConnect func(s *Socket)) *Server {
	opts = opts.withDefaults()
	return &Server{opts: opts, onConnect: onConnect, places: bounds.NewPlaces(opts.MaxSessions), sessions: make(map[string]*session)}
}

// Sessions returns the number of sessions that are open.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Close ends all sessions, answers new ones 503, and waits until the handlers of
// every session have returned. Clients see their transport close, and try to
// reconnect. When ctx ends first, connections are cut, and ctx's error is
// returned; handlers that still run find their Socket's context cancelled.
// A handler must not call Close: it would wait for itself.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	open := make([]*session, 0, len(s.sessions))
	for _, session := range s.sessions {
		open = append(open, session)
	}
	s.mu.Unlock()

	for _, session := range open {
		session.close(ReasonServerShutdown)
	}
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		for _, session := range open {
			session.abort()
		}
		return fmt.Errorf("socketio: waiting for sessions to end: %w", ctx.Err())
	}
}

// ServeHTTP serves a request of the Engine.IO protocol, whatever its path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	allowed := origin == "" || s.opts.CheckOrigin != nil && s.opts.CheckOrigin(r)
	if origin != "" {
		w.Header().Add("Vary", "Origin")
		if allowed {
			w.Header().Set("Access-Control-Allow-Origin", origin)
		}
	}
	switch transport := r.URL.Query().Get("transport"); {
	case !allowed:
		writeError(w, errForbidden)
	case r.Method == http.MethodOptions:
		servePreflight(w, r)
	case transport == "polling":
		s.servePolling(w, r)
	case transport == "websocket":
		s.serveWebSocket(w, r)
	default:
		writeError(w, errTransportUnknown)
	}
}

func servePreflight(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
	if headers := r.Header.Get("Access-Control-Request-Headers"); headers != "" {
		w.Header().Set("Access-Control-Allow-Headers", headers)
	}
	w.WriteHeader(http.StatusNoContent)
}

// find returns the session that a request names, nil if it names none.
func (s *Server) find(r *http.Request) (*session, error) {
	query := r.URL.Query()
	sid := query.Get("sid")
	if sid == "" && r.Method != http.MethodGet {
		return nil, errHandshakeMethod
	}
	s.mu.Lock()
	found := s.sessions[sid]
	s.mu.Unlock()
	if sid != "" && found == nil {
		return nil, errSessionUnknown
	}
	if query.Get("EIO") != "4" {
		return nil, errUnsupportedVersion
	}
	return found, nil
}

// admit takes a place for a session of a client, which release gives back unless the
// session does (see open).
func (s *Server) admit(r *http.Request) (release func(), err error) {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if !closed {
		release = s.places.Take(r.RemoteAddr)
	}
	if release == nil {
		return nil, errTooManySessions
	}
	return release, nil
}

// open begins a session, over ws or, if that is nil, over polling. The session calls
// release when it ends, and open does if it does not begin.
func (s *Server) open(ws *wsConn, release func()) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		release()
		return nil, errTooManySessions
	}
	session := newSession(s, rand.Text(), ws)
	session.release = release
	s.sessions[session.id] = session
	s.wg.Add(1) // until session.finish
	return session, nil
}

func (s *Server) forget(sid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, sid)
}

// start runs f on a goroutine that Close waits for, unless Close has begun.
func (s *Server) start(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Go(f)
	return true
}

// A requestError is the answer to a request that can't be served. The codes and
// messages are those of the reference server.
type requestError struct {
	status  int
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *requestError) Error() string { return e.Message }

var (
	errTransportUnknown   = &requestError{http.StatusBadRequest, 0, "Transport unknown"}
	errSessionUnknown     = &requestError{http.StatusBadRequest, 1, "Session ID unknown"}
	errHandshakeMethod    = &requestError{http.StatusBadRequest, 2, "Bad handshake method"}
	errBadRequest         = &requestError{http.StatusBadRequest, 3, "Bad request"}
	errForbidden          = &requestError{http.StatusForbidden, 4, "Forbidden"}
	errUnsupportedVersion = &requestError{http.StatusBadRequest, 5, "Unsupported protocol version"}

	// The reference server has no answers for these.
	errTooManySessions = &requestError{http.StatusServiceUnavailable, 4, "Too many sessions"}
	errOverloaded      = &requestError{http.StatusServiceUnavailable, 4, "Overloaded"}
	errTooLarge        = &requestError{http.StatusRequestEntityTooLarge, 3, "Payload too large"}
)

func writeError(w http.ResponseWriter, err error) {
	answer := errBadRequest
	errors.As(err, &answer)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(answer.status)
	_ = json.NewEncoder(w).Encode(answer) // the client may have gone
}
