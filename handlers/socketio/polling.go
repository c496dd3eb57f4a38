package socketio

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"petstore/handlers/bounds"
)

var (
	closePacket = []byte{byte(packetClose)}
	noopPacket  = []byte{byte(packetNoop)}
)

// servePolling serves a request of the polling transport.
// Source: engine.io-protocol, "HTTP long-polling".
func (s *Server) servePolling(w http.ResponseWriter, r *http.Request) {
	session, err := s.find(r)
	if err != nil {
		writeError(w, err)
		return
	}
	switch {
	case session == nil:
		s.openPolling(w, r)
	case r.Method == http.MethodGet:
		session.servePoll(w, r)
	case r.Method == http.MethodPost:
		session.servePost(w, r)
	default:
		writeError(w, errBadRequest)
	}
}

func (s *Server) openPolling(w http.ResponseWriter, r *http.Request) {
	release, err := s.admit(r)
	if err != nil {
		writeError(w, err)
		return
	}
	session, err := s.open(nil, release)
	if err != nil {
		writeError(w, err)
		return
	}
	if err := writeText(w, openPacket(session.id, []string{"websocket"}, s.opts)); err != nil {
		session.drop(ReasonTransportError)
	}
}

// servePoll answers a GET with the packets that wait for the client, as soon as
// there are any.
func (s *session) servePoll(w http.ResponseWriter, r *http.Request) {
	// A poll lasts up to PingInterval, which the server's own timeouts may not allow.
	// Where they can't be lifted (a wrapped ResponseWriter), they hold.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{})
	_ = control.SetWriteDeadline(time.Time{})

	packets, err := s.awaitPackets(r.Context())
	if err != nil {
		writeError(w, err)
		return
	}
	_ = control.SetWriteDeadline(time.Now().Add(s.srv.opts.PingTimeout))
	payload := joinPayload(packets)
	load := bounds.Load{Budget: s.srv.opts.Budget}
	defer load.Release()
	if load.Add(len(payload)) != nil {
		s.drop(ReasonOverloaded) // the packets are lost
		writeError(w, errOverloaded)
		return
	}
	if err := writeText(w, payload); err != nil {
		s.drop(ReasonTransportError) // the packets are lost
	}
}

func (s *session) awaitPackets(ctx context.Context) ([][]byte, error) {
	wake, noop, err := s.beginPoll()
	if err != nil {
		return nil, err
	}
	select {
	case <-wake:
	case <-noop:
	case <-ctx.Done():
	}
	return s.endPoll(ctx)
}

// beginPoll registers the GET that is to receive the next packets. During an
// upgrade noop ends it, since the client waits for its polls to end.
func (s *session) beginPoll() (wake <-chan struct{}, noop <-chan time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, nil, errSessionUnknown
	case s.ws != nil:
		return nil, nil, errBadRequest
	case s.poll != nil: // packets could overtake each other
		s.endLocked(ReasonTransportError)
		return nil, nil, errBadRequest
	}
	s.poll = make(chan struct{}, 1)
	if len(s.out) > 0 {
		s.wakeLocked()
	}
	if s.probed {
		noop = time.After(noopDelay)
	}
	return s.poll, noop, nil
}

func (s *session) endPoll(ctx context.Context) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.poll = nil
	switch {
	case s.ws != nil: // the client should not have polled after its upgrade packet
		return nil, errBadRequest
	case ctx.Err() != nil: // it is gone, and may have missed packets already
		s.dropLocked(ReasonTransportError)
		return nil, errBadRequest
	}
	packets := s.takeLocked()
	for _, p := range packets {
		s.writtenLocked(p)
	}
	switch {
	case s.closed && s.reason != ReasonTransportClose:
		packets = append(packets, closePacket)
	case len(packets) == 0:
		packets = append(packets, noopPacket)
	}
	return packets, nil
}

// servePost takes packets from the client.
func (s *session) servePost(w http.ResponseWriter, r *http.Request) {
	if err := s.beginPost(); err != nil {
		writeError(w, err)
		return
	}
	err := s.readPost(w, r)
	s.mu.Lock()
	s.posting = false
	s.mu.Unlock()
	if err != nil {
		writeError(w, err)
		return
	}
	_ = writeText(w, []byte("ok")) // the packets are handled in any case
}

func (s *session) beginPost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errSessionUnknown
	case s.ws != nil:
		return errBadRequest
	case s.posting: // packets could overtake each other
		s.endLocked(ReasonTransportError)
		return errBadRequest
	}
	s.posting = true
	return nil
}

func (s *session) readPost(w http.ResponseWriter, r *http.Request) error {
	opts := s.srv.opts
	if r.Header.Get("Content-Type") == "application/octet-stream" {
		s.drop(ReasonTransportError) // binary bodies ended with protocol 3
		return errBadRequest
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(opts.PingTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(opts.MaxPayload)))
	if err != nil {
		s.drop(ReasonTransportError)
		if errors.Is(err, bounds.ErrFull) {
			return errOverloaded
		}
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return errTooLarge
		}
		return errBadRequest
	}
	count := 0
	for text := range splitPayload(body) {
		if count++; count > opts.MaxPackets {
			s.close(ReasonParseError)
			return errTooLarge
		}
		if !s.receive(text) {
			break
		}
	}
	return s.postError()
}

// postError says what to answer to a POST during which the session has ended.
func (s *session) postError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && (s.reason == ReasonParseError || s.reason == ReasonTransportError) {
		return errBadRequest
	}
	return nil
}

func writeText(w http.ResponseWriter, body []byte) error {
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=UTF-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	_, err := w.Write(body)
	return err
}
