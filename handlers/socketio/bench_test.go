package socketio_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"petstore/handlers/socketio"
)

const (
	benchSessions = 2000
	upgradeHeader = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)

// BenchmarkIdleSession reports what an idle WebSocket session costs: bytes of
// heap and stack, and goroutines. The bytes of the floor are those of a
// connection that a handler has hijacked from net/http and waits on, with
// net/http's buffers. Both include the client's end, which is a bare net.Conn.
func BenchmarkIdleSession(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		web := httptest.NewServer(http.HandlerFunc(hijackAndWait))
		defer web.Close()
		measureIdle(b, web, func(conn net.Conn, r *bufio.Reader) error {
			_, err := r.Discard(1)
			return err
		})
	})
	b.Run("socketio", func(b *testing.B) {
		srv, web := newBenchServer(func(s *socketio.Socket) {
			s.On("process", func([]json.RawMessage, socketio.Ack) {})
			s.On("subscribe", func([]json.RawMessage, socketio.Ack) {})
		})
		defer web.Close()
		measureIdle(b, web, connectBare)
		b.StopTimer()
		closeBench(b, srv)
	})
}

func hijackAndWait(w http.ResponseWriter, _ *http.Request) {
	conn, brw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	go func() {
		defer conn.Close()
		_, _ = conn.Write([]byte("x"))
		_, _ = brw.ReadByte()
		runtime.KeepAlive(brw)
	}()
}

func measureIdle(b *testing.B, web *httptest.Server, connect func(net.Conn, *bufio.Reader) error) {
	b.Helper()
	for b.Loop() {
		before, goroutines := memory()
		conns := make([]net.Conn, benchSessions)
		for i := range conns {
			conns[i] = dialBare(b, web, connect)
		}
		after, more := memory()
		b.ReportMetric(float64(after-before)/benchSessions, "B/session")
		b.ReportMetric(float64(more-goroutines)/benchSessions, "goroutines/session")
		for _, conn := range conns {
			conn.Close()
		}
	}
}

// memory is what heap and stacks hold, after garbage collection.
func memory() (bytes int64, goroutines int) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse), runtime.NumGoroutine()
}

func dialBare(b *testing.B, web *httptest.Server, connect func(net.Conn, *bufio.Reader) error) net.Conn {
	b.Helper()
	conn, err := net.Dial("tcp", web.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.WriteString(conn, upgradeHeader); err != nil {
		b.Fatal(err)
	}
	if err := connect(conn, bufio.NewReaderSize(conn, 1024)); err != nil {
		b.Fatal(err)
	}
	return conn
}

// connectBare finishes the handshakes of HTTP, Engine.IO and Socket.IO.
func connectBare(conn net.Conn, r *bufio.Reader) error {
	for line := "-"; line != "\r\n"; {
		var err error
		if line, err = r.ReadString('\n'); err != nil {
			return err
		}
	}
	if p, err := readFrame(r); err != nil || !strings.HasPrefix(p, "0{") {
		return fmt.Errorf("open packet %q: %w", p, err)
	}
	// A masked text frame with "40"; the mask is zero.
	if _, err := conn.Write([]byte{0x81, 0x82, 0, 0, 0, 0, '4', '0'}); err != nil {
		return err
	}
	if p, err := readFrame(r); err != nil || !strings.HasPrefix(p, "40{") {
		return fmt.Errorf("connect packet %q: %w", p, err)
	}
	return nil
}

// readFrame reads an unmasked frame of less than 64 KiB.
func readFrame(r *bufio.Reader) (string, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return "", err
	}
	n := int(head[1])
	if n == 126 {
		if _, err := io.ReadFull(r, head[2:]); err != nil {
			return "", err
		}
		n = int(head[2])<<8 | int(head[3])
	}
	p := make([]byte, n)
	_, err := io.ReadFull(r, p)
	return string(p), err
}

func newBenchServer(onConnect func(*socketio.Socket)) (*socketio.Server, *httptest.Server) {
	srv := socketio.New(socketio.Options{PingInterval: time.Hour}, onConnect)
	return srv, httptest.NewServer(srv)
}

func closeBench(b *testing.B, srv *socketio.Server) {
	b.Helper()
	// The bare clients answer no closing handshake.
	ctx, cancel := contextWithTimeout(100 * time.Millisecond)
	defer cancel()
	_ = srv.Close(ctx)
}
