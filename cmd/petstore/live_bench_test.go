package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	benchStreams = 9_990 // what one server takes, but for a few
	benchSockets = 2_000
)

// BenchmarkFollowers has 10,000 clients on SSE streams and then 2,000 Socket.IO
// sockets as well on one server: what an idle one costs, and how long it takes until
// all have an update, which is measured from the POST that causes it.
func BenchmarkFollowers(b *testing.B) {
	server := startProcess(b, "DATABASE_URL="+tempDatabase(b), "STEP_DELAY=1h")
	address := strings.TrimPrefix(server.url, "http://")
	empty := server.resident()

	streams := make(chan struct{}, benchStreams)
	open(b, benchStreams, func() error {
		return follow(b, address, "GET /api/orders/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "id: 0", "order-update", streams)
	})
	b.ReportMetric(float64(server.resident()-empty)/benchStreams/1024, "KiB/stream")

	task := placeOrder(b, server.url)
	receive(streams, 2*benchStreams) // order.created and order.progress
	begun := cancelOrder(b, server.url, task)
	receive(streams, benchStreams)
	b.ReportMetric(milliseconds(time.Since(begun)), "ms-to-streams")

	task = placeOrder(b, server.url)
	receive(streams, 2*benchStreams)
	before := server.resident()
	sockets := make(chan struct{}, benchSockets)
	open(b, benchSockets, func() error { return subscribe(b, address, task, sockets) })
	receive(sockets, 2*benchSockets)
	b.ReportMetric(float64(server.resident()-before)/benchSockets/1024, "KiB/socket")
	begun = cancelOrder(b, server.url, task)
	receive(sockets, benchSockets)
	receive(streams, benchStreams)
	b.ReportMetric(milliseconds(time.Since(begun)), "ms-to-all")
	b.ReportMetric(0, "ns/op") // says nothing here
}

func receive(arrived <-chan struct{}, n int) {
	for range n {
		<-arrived
	}
}

// cancelOrder says when it asked for that.
func cancelOrder(b *testing.B, url, task string) (begun time.Time) {
	b.Helper()
	order := orderOf(b, url, task)
	begun = time.Now()
	post(b, url+"/api/orders/"+order+"/cancel", "")
	return begun
}

// open opens n connections, some at a time.
func open(b *testing.B, n int, one func() error) {
	b.Helper()
	var group sync.WaitGroup
	places := make(chan struct{}, 50)
	for range n {
		places <- struct{}{}
		group.Go(func() {
			if err := one(); err != nil {
				b.Error(err)
			}
			<-places
		})
	}
	group.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// follow sends a request, waits for a text in the answer, and reports each line
// after it that has another text in it.
func follow(b *testing.B, address, request, begun, each string, arrived chan<- struct{}) error {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	b.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	lines := bufio.NewReaderSize(conn, 512)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if strings.Contains(string(line), begun) {
			break
		}
	}
	go func() {
		for {
			line, err := lines.ReadSlice('\n')
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				return
			}
			if strings.Contains(string(line), each) {
				arrived <- struct{}{}
			}
		}
	}()
	return nil
}

// subscribe opens a Socket.IO session that follows one task.
func subscribe(b *testing.B, address, task string, arrived chan<- struct{}) error {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	b.Cleanup(func() { conn.Close() })
	for _, text := range []string{
		"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
		frame("40"), frame(fmt.Sprintf(`42["subscribe",%q]`, task)),
	} {
		if _, err := io.WriteString(conn, text); err != nil {
			return err
		}
	}
	go func() {
		lines := bufio.NewReaderSize(conn, 512)
		for {
			text, err := lines.ReadSlice('}') // no update here ends without
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				return
			}
			if strings.Contains(string(text), `"callback_id"`) {
				arrived <- struct{}{}
			}
		}
	}()
	return nil
}

// frame is a text message as a client sends it, masked with zeros (RFC 6455, section 5.2).
func frame(text string) string {
	return string([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}) + text
}

func placeOrder(b *testing.B, url string) (task string) {
	b.Helper()
	return field(b, post(b, url+"/api/orders", `{"product":"dog-food"}`), "task_id")
}

func orderOf(b *testing.B, url, task string) string {
	b.Helper()
	res, err := http.Get(url + "/api/tasks/" + task)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return field(b, string(body), "resource_id")
}

func post(b *testing.B, url, body string) string {
	b.Helper()
	res, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(res.Body)
	if res.StatusCode >= 300 {
		b.Fatalf("POST %s: %s %s", url, res.Status, answer)
	}
	return string(answer)
}

// field cuts a string out of JSON.
func field(b *testing.B, body, name string) string {
	b.Helper()
	_, after, found := strings.Cut(body, `"`+name+`":"`)
	if !found {
		b.Fatalf("no %s in %s", name, body)
	}
	value, _, _ := strings.Cut(after, `"`)
	return value
}
