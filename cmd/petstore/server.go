package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"petstore/handlers/bounds"
)

const (
	// maxConnections bounds the connections of clients, as far as descriptors do not.
	maxConnections = 20_000
	// minOwn is how many descriptors are kept at least for the database, blobs, and what the
	// server dials itself; otherwise that is a quarter.
	minOwn = 48
)

// connectionsFor is how many connections of clients a process may have that may have so
// many descriptors open, 0 for unknown: a shortage must not come from clients alone, or
// nothing could be delivered either.
func connectionsFor(descriptors int) int {
	if descriptors == 0 {
		return maxConnections
	}
	return min(maxConnections, max(8, descriptors-max(minOwn, descriptors/4)))
}

// server is an http.Server and where it listens.
type server struct {
	*http.Server
	listener net.Listener
}

// listen takes the address that a setting names. Connections take places.
func listen(setting, addr string, places *bounds.Places, handler http.Handler) (*server, error) {
	listener, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("something listens on %s already: stop that, or set %s to another address", addr, setting)
	case err != nil:
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	refused := func(client net.Addr) {
		slog.Warn("Connections are refused: too many are open, or too many from one address.", "setting", setting, "client", client)
	}
	return &server{listener: bounds.Listen(listener, places, refused), Server: &http.Server{
		Handler:           bounds.Patient(handler),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}}, nil
}

func stopServer(ctx context.Context, s *server) error {
	if s == nil {
		return nil
	}
	err := s.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.Close()
	}
	if closed := s.listener.Close(); err == nil && !errors.Is(closed, net.ErrClosed) {
		err = closed
	}
	return err
}
