package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// transport is a way to hear that work is done.
type transport struct {
	name     string
	describe func(b *benchmark) string
	follow   func(ctx context.Context, b *benchmark) error
}

var transports = []transport{
	{"blocking", describe("each POST waits for its result (Prefer: wait=60)"), eachOrder(waitInPost)},
	{"polling", describePolling, eachOrder(poll)},
	{"long polling", describe("GET /api/tasks/…?wait=60: the server answers when it is done"), eachOrder(longPoll)},
	{"callback", describe("the server POSTs to a URL of the client"), receiveCallbacks},
	{"SSE", describe("one stream for all orders"), followStream},
	{"WebSocket", describe("one socket for all orders, placed over it, too"), followSocket},
}

func describe(text string) func(*benchmark) string { return func(*benchmark) string { return text } }

func describePolling(b *benchmark) string {
	return fmt.Sprintf("GET /api/tasks/…, again and again, every %s", b.interval)
}

// taskState is what any answer, update or event tells of a task.
type taskState struct {
	TaskID    string    `json:"task_id"`
	Status    string    `json:"status"`
	UpdatedAt time.Time `json:"updated_at"` // of a resource
	Timestamp time.Time `json:"timestamp"`  // of an update
}

// readState reads the state of a task, and notes it if the task has ended.
func (b *benchmark) readState(body []byte) (taskState, error) {
	var n taskState
	if err := json.Unmarshal(body, &n); err != nil {
		return n, fmt.Errorf("%q: %w", body, err)
	}
	switch n.Status {
	case "processing":
	case "completed":
		done := n.Timestamp
		if done.IsZero() {
			done = n.UpdatedAt
		}
		b.recordLatency(done)
	default:
		return n, fmt.Errorf("the server tells %.200q", body)
	}
	return n, nil
}

// request sends a request and reads the state that it is answered.
func (b *benchmark) request(ctx context.Context, method, path, body string, header ...string) (taskState, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.url+path, strings.NewReader(body))
	if err != nil {
		return taskState{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if len(header) == 2 {
		req.Header.Set(header[0], header[1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		return taskState{}, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return taskState{}, err
	}
	return b.readState(answer)
}

const dogFood = `{"product":"dog-food"}`

// eachOrder places all orders at once, and hears of each by itself.
func eachOrder(follow func(ctx context.Context, b *benchmark) error) func(context.Context, *benchmark) error {
	return func(ctx context.Context, b *benchmark) error {
		errs := make([]error, b.orders)
		var group sync.WaitGroup
		for i := range errs {
			group.Go(func() { errs[i] = follow(ctx, b) })
		}
		group.Wait()
		return errors.Join(errs...)
	}
}

func waitInPost(ctx context.Context, b *benchmark) error {
	_, err := b.request(ctx, http.MethodPost, "/api/orders", dogFood, "Prefer", "wait=60")
	return err
}

func poll(ctx context.Context, b *benchmark) error {
	n, err := b.request(ctx, http.MethodPost, "/api/orders", dogFood)
	ticker := time.NewTicker(b.interval)
	defer ticker.Stop()
	for err == nil && n.Status == "processing" {
		<-ticker.C
		n, err = b.request(ctx, http.MethodGet, "/api/tasks/"+n.TaskID, "")
	}
	return err
}

func longPoll(ctx context.Context, b *benchmark) error {
	n, err := b.request(ctx, http.MethodPost, "/api/orders", dogFood)
	for err == nil && n.Status == "processing" {
		n, err = b.request(ctx, http.MethodGet, "/api/tasks/"+n.TaskID+"?wait=60", "")
	}
	return err
}

// receiveCallbacks listens for callbacks. What the receiver reads, the server sent.
func receiveCallbacks(ctx context.Context, b *benchmark) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for callbacks: %w", err)
	}
	received := make(chan error, b.orders)
	receiver := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b.requests.Add(1)
		body, err := io.ReadAll(r.Body)
		n, wrong := b.readState(body)
		if err = errors.Join(err, wrong); err != nil || n.Status != "processing" {
			received <- err
		}
	})}
	go func() { _ = receiver.Serve(&meteredListener{listener, b}) }() // ends with Close
	defer receiver.Close()
	order := fmt.Sprintf(`{"product":"dog-food","callback_url":"http://%s/callbacks/order-status"}`, listener.Addr())
	err = eachOrder(func(ctx context.Context, b *benchmark) error {
		_, err := b.request(ctx, http.MethodPost, "/api/orders", order)
		return err
	})(ctx, b)
	for range b.orders {
		select {
		case wrong := <-received:
			err = errors.Join(err, wrong)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// followStream opens one stream before it places orders.
func followStream(ctx context.Context, b *benchmark) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/api/orders/stream", nil)
	if err != nil {
		return err
	}
	res, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	placed := make(chan error, 1)
	go func() {
		placed <- eachOrder(func(ctx context.Context, b *benchmark) error {
			_, err := b.request(ctx, http.MethodPost, "/api/orders", dogFood)
			return err
		})(ctx, b)
	}()
	lines := bufio.NewScanner(res.Body)
	for ended := 0; ended < b.orders && lines.Scan(); {
		data, isData := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !isData {
			continue
		}
		n, err := b.readState(data)
		if err != nil {
			return errors.Join(err, <-placed)
		}
		if n.Status != "processing" {
			ended++
		}
	}
	return errors.Join(lines.Err(), <-placed)
}

// followSocket places the orders over one WebSocket.
func followSocket(ctx context.Context, b *benchmark) error {
	conn, _, err := websocket.Dial(ctx, b.url+"/api/ws", &websocket.DialOptions{HTTPClient: b.client}) //nolint:bodyclose // CloseNow closes it
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	for range b.orders {
		message := []byte(`{"event":"process","data":{"kind":"order","product":"dog-food"}}`)
		if err := conn.Write(ctx, websocket.MessageText, message); err != nil {
			return err
		}
	}
	for ended := 0; ended < b.orders; {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		var event struct {
			Data json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(text, &event); err != nil {
			return err
		}
		n, err := b.readState(event.Data)
		if err != nil {
			return err
		}
		if n.Status != "processing" {
			ended++
		}
	}
	return conn.Close(websocket.StatusNormalClosure, "")
}
