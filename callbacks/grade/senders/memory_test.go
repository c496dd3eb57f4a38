package senders

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// memory is a network within the process. Whoever waits at one of its connections lets a fake clock go on
// (testing/synctest); whoever waits at a socket does not.
type memory struct {
	mu        sync.Mutex
	listeners map[string]*memoryListener
}

// listen is [net.Listen] at a free port.
func (m *memory) listen(_, _ string) (net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listeners == nil {
		m.listeners = map[string]*memoryListener{}
	}
	l := &memoryListener{dialled: make(chan net.Conn), closed: make(chan struct{}), port: len(m.listeners) + 1}
	m.listeners[l.Addr().String()] = l
	return l, nil
}

func (m *memory) dial(ctx context.Context, address string) (net.Conn, error) {
	m.mu.Lock()
	l := m.listeners[address]
	m.mu.Unlock()
	if l == nil {
		return nil, syscall.ECONNREFUSED
	}
	client, server := net.Pipe()
	select {
	case l.dialled <- server:
		return client, nil
	case <-l.closed:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type memoryListener struct {
	port    int
	dialled chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.dialled:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return memoryAddr(fmt.Sprintf("127.0.0.1:%d", l.port)) }

type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }
