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

// compareTimeout bounds one measurement.
const compareTimeout = 3 * time.Minute

// benchmark measures the transports by which a client follows work.
type benchmark struct {
	url      string
	orders   int
	work     time.Duration // that an order takes
	interval time.Duration // of polling

	client      *http.Client
	requests    atomic.Int64 // HTTP requests, of either side
	connections atomic.Int64
	bytes       atomic.Int64 // in both directions, headers and all

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

// recordLatency notes that the client knows now what was done then. The server writes
// times with milliseconds, so a latency is up to one of them too long.
func (b *benchmark) recordLatency(done time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.latencies = append(b.latencies, time.Since(done))
}

// watch is told what becomes of the server's connections. Those that are taken
// over by a WebSocket are not heard of again.
func (b *benchmark) watch(conn net.Conn, state http.ConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch state {
	case http.StateActive, http.StateHijacked:
		b.busy[conn] = struct{}{}
	default:
		delete(b.busy, conn)
	}
}

// measure lets t follow all orders, over connections of its own.
func (b *benchmark) measure(ctx context.Context, t transport) (figure, error) {
	ctx, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	client := &http.Transport{DialContext: b.dial, MaxIdleConnsPerHost: b.orders, DisableCompression: true}
	defer client.CloseIdleConnections()
	b.client = &http.Client{Transport: counted{client, b}}
	b.reset()
	held := make(chan int, 1)
	halfway := time.AfterFunc(b.work/2, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		held <- len(b.busy)
	})
	defer halfway.Stop()
	if err := t.follow(ctx, b); err != nil {
		return figure{}, err
	}
	waiting := <-held
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.latencies) != b.orders {
		return figure{}, fmt.Errorf("heard of %d orders, want %d", len(b.latencies), b.orders)
	}
	slices.Sort(b.latencies)
	return figure{
		name: t.name, held: waiting, requests: b.requests.Load(), connections: b.connections.Load(), bytes: b.bytes.Load(),
		median: b.latencies[len(b.latencies)/2], worst: b.latencies[len(b.latencies)-1],
	}, nil
}

// reset forgets the measurement before, whose connections may still be closing.
func (b *benchmark) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests.Store(0)
	b.connections.Store(0)
	b.bytes.Store(0)
	b.latencies, b.busy = nil, map[net.Conn]struct{}{}
}

// counted counts requests.
type counted struct {
	*http.Transport
	benchmark *benchmark
}

func (c counted) RoundTrip(req *http.Request) (*http.Response, error) {
	c.benchmark.requests.Add(1)
	return c.Transport.RoundTrip(req)
}

func (b *benchmark) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return b.meter(conn), nil
}

func (b *benchmark) meter(conn net.Conn) net.Conn {
	b.connections.Add(1)
	return &metered{conn, b}
}

// metered counts the bytes of a connection.
type metered struct {
	net.Conn
	benchmark *benchmark
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.benchmark.bytes.Add(int64(n))
	return n, err
}

func (m *metered) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	m.benchmark.bytes.Add(int64(n))
	return n, err
}

// meteredListener counts the bytes of all its connections.
type meteredListener struct {
	net.Listener
	benchmark *benchmark
}

func (m *meteredListener) Accept() (net.Conn, error) {
	conn, err := m.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return m.benchmark.meter(conn), nil
}
