package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// comparePatience bounds one measurement.
const comparePatience = 3 * time.Minute

// lab measures a way to hear of work.
type lab struct {
	url      string
	orders   int
	work     time.Duration // that an order takes
	interval time.Duration // of polling

	client      *http.Client
	requests    atomic.Int64 // HTTP requests, of either side
	connections atomic.Int64
	bytes       atomic.Int64 // both ways, headers and all

	mu        sync.Mutex
	latencies []time.Duration
	busy      map[net.Conn]struct{} // on the server, held by a request that waits
}

// figure is what a way costs.
type figure struct {
	name                         string
	requests, connections, bytes int64
	held                         int           // connections that wait, half-way through the work
	median, worst                time.Duration // from done to known
}

// known notes that the client knows now what was done then. The server writes
// times with milliseconds, so a latency is up to one of them too long.
func (l *lab) known(done time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latencies = append(l.latencies, time.Since(done))
}

// watch is told what becomes of the server's connections. Those that are taken
// over by a WebSocket are not heard of again.
func (l *lab) watch(conn net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch state {
	case http.StateActive, http.StateHijacked:
		l.busy[conn] = struct{}{}
	default:
		delete(l.busy, conn)
	}
}

// measure lets w hear of all orders, over connections of its own.
func (l *lab) measure(ctx context.Context, w way) (figure, error) {
	ctx, cancel := context.WithTimeout(ctx, comparePatience)
	defer cancel()
	transport := &http.Transport{DialContext: l.dial, MaxIdleConnsPerHost: l.orders, DisableCompression: true}
	defer transport.CloseIdleConnections()
	l.client = &http.Client{Transport: counted{transport, l}}
	l.reset()
	held := make(chan int, 1)
	halfway := time.AfterFunc(l.work/2, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		held <- len(l.busy)
	})
	defer halfway.Stop()
	if err := w.hear(ctx, l); err != nil {
		return figure{}, err
	}
	waiting := <-held
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.latencies) != l.orders {
		return figure{}, fmt.Errorf("heard of %d orders, want %d", len(l.latencies), l.orders)
	}
	slices.Sort(l.latencies)
	return figure{
		name: w.name, held: waiting, requests: l.requests.Load(), connections: l.connections.Load(), bytes: l.bytes.Load(),
		median: l.latencies[len(l.latencies)/2], worst: l.latencies[len(l.latencies)-1],
	}, nil
}

// reset forgets the measurement before, whose connections may still be closing.
func (l *lab) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests.Store(0)
	l.connections.Store(0)
	l.bytes.Store(0)
	l.latencies, l.busy = nil, map[net.Conn]struct{}{}
}

// counted counts requests.
type counted struct {
	*http.Transport
	lab *lab
}

func (c counted) RoundTrip(req *http.Request) (*http.Response, error) {
	c.lab.requests.Add(1)
	return c.Transport.RoundTrip(req)
}

func (l *lab) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return l.meter(conn), nil
}

func (l *lab) meter(conn net.Conn) net.Conn {
	l.connections.Add(1)
	return &metered{conn, l}
}

// metered counts the bytes of a connection.
type metered struct {
	net.Conn
	lab *lab
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.lab.bytes.Add(int64(n))
	return n, err
}

func (m *metered) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	m.lab.bytes.Add(int64(n))
	return n, err
}

// meteredListener counts the bytes of all its connections.
type meteredListener struct {
	net.Listener
	lab *lab
}

func (m *meteredListener) Accept() (net.Conn, error) {
	conn, err := m.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return m.lab.meter(conn), nil
}
