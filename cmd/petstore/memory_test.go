//go:build slow

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	maxMemory = 600 << 20
	// maxHealth is how long health takes at most nine times in ten, or four times as long as
	// that of a server at peace, on a machine that is busy with something else.
	maxHealth = 200 * time.Millisecond
)

// TestMemory (security 4) has many clients take what is large and read nothing, or send what
// is large and never end. The server's memory stays bounded and it goes on answering others.
func TestMemory(t *testing.T) {
	server := startProcess(t, "DATABASE_URL="+tempDatabase(t), "STEP_DELAY=1h")
	atPeace := startProcess(t, "DATABASE_URL="+tempDatabase(t))
	order := largeOrders(t, server.url, 100)
	tests := []struct {
		name    string
		clients int
		send    string
	}{
		{"list", 250, "GET /api/orders?limit=100 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"},
		{"contract", 2000, "GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"},
		{"order", 1000, "GET /api/orders/" + order + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"},
		{"replayed stream", 2000, "GET /api/tasks/stream?last_event_id=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"},
		{"body", 2000, "POST /api/reports HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat(" ", 999_000)},
		{"form", 500, "POST /api/images/process HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 20000000\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"callback_url\"\r\n\r\n" + strings.Repeat(" ", 4_000_000)},
		{"message", 1500, upgrade("/api/ws") + unfinished(1_000_000)},
		{"packet", 1500, upgrade("/socket.io/?EIO=4&transport=websocket") + unfinished(1_000_000)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var watching sync.WaitGroup
			watching.Go(func() { server.watch(ctx, t, atPeace) })
			attack(t, server.url, test.clients, test.send)
			stop()
			watching.Wait()
		})
	}
}

func upgrade(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
}

// unfinished is a WebSocket message of size bytes without its last ones (RFC 6455, section 5.2).
func unfinished(size int) string {
	return string([]byte{0x81, 0xff, 0, 0, 0, 0, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size), 0, 0, 0, 0}) + strings.Repeat("x", size-10)
}

// attack has each of many clients send something and wait, without reading, until all have.
func attack(t *testing.T, url string, clients int, send string) {
	t.Helper()
	var open []net.Conn
	defer func() {
		for _, conn := range open {
			_ = conn.Close()
		}
	}()
	var mu sync.Mutex
	var sending sync.WaitGroup
	atOnce := make(chan struct{}, 50) // this process is to be in time to ask for health, too
	for range clients {
		atOnce <- struct{}{}
		sending.Go(func() {
			defer func() { <-atOnce }()
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = io.WriteString(conn, send) // an answer may come before all is sent
		})
	}
	sending.Wait()
	hold, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	<-hold.Done()
}

// watch asks for the health of the server, and of one at peace, and looks at its memory,
// until ctx ends.
func (p *process) watch(ctx context.Context, t *testing.T, atPeace *process) {
	t.Helper()
	var most int
	var attacked, peaceful []time.Duration
	for ctx.Err() == nil {
		attacked = append(attacked, p.health(t))
		peaceful = append(peaceful, atPeace.health(t))
		most = max(most, p.resident())
	}
	slices.Sort(attacked)
	slices.Sort(peaceful)
	health, calm := attacked[len(attacked)*9/10], peaceful[len(peaceful)*9/10]
	t.Logf("at most %d MiB, health in %s of %s, at peace in %s of %s", most>>20, health, attacked[len(attacked)-1], calm, peaceful[len(peaceful)-1])
	if most > maxMemory {
		t.Errorf("the server takes %d MiB, want %d at most", most>>20, maxMemory>>20)
	}
	if health > max(maxHealth, 4*calm) {
		t.Errorf("health takes %s, want %s at most (at peace it takes %s)", health, maxHealth, calm)
	}
}

// health is how long the server takes to say that it is well.
func (p *process) health(t *testing.T) time.Duration {
	t.Helper()
	begun := time.Now()
	res, err := http.Get(p.url + "/health")
	if err != nil {
		t.Errorf("health: %v", err)
		return 0
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("health: %s %s, %v", res.Status, text, err)
	}
	return time.Since(begun)
}

// largeOrders places orders of nearly 100 kB each, and returns the id of one.
func largeOrders(t *testing.T, url string, n int) (id string) {
	t.Helper()
	items := make([]map[string]any, 100)
	for i := range items {
		items[i] = map[string]any{"product": "dog-food", "quantity": 1}
	}
	metadata := map[string]string{}
	for i := range 32 {
		metadata[fmt.Sprint("name", i)] = strings.Repeat("\u0001", 490)
	}
	for range n {
		var order struct {
			OrderID string `json:"order_id"`
		}
		send(t, url+"/api/orders", map[string]any{"items": items, "metadata": metadata}, &order)
		id = order.OrderID
	}
	return id
}

func send(t *testing.T, url string, request, answer any) {
	t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 || json.Unmarshal(text, answer) != nil {
		t.Fatalf("POST %s was answered %s: %s, %v", url, res.Status, text, err)
	}
}
