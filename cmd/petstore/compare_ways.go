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

// way is a way to hear that work is done.
type way struct {
	name string
	what func(l *lab) string
	hear func(ctx context.Context, l *lab) error
}

var ways = []way{
	{"blocking", say("each POST waits for its result (Prefer: wait=60)"), eachOrder(hearBlocking)},
	{"polling", sayPolling, eachOrder(hearPolling)},
	{"long polling", say("GET /api/tasks/…?wait=60: the server answers when it is done"), eachOrder(hearLongPolling)},
	{"callback", say("the server POSTs to a URL of the client"), hearCallbacks},
	{"SSE", say("one stream for all orders"), hearStream},
	{"WebSocket", say("one socket for all orders, placed over it, too"), hearSocket},
}

func say(text string) func(*lab) string { return func(*lab) string { return text } }

func sayPolling(l *lab) string {
	return fmt.Sprintf("GET /api/tasks/…, again and again, every %s", l.interval)
}

// news is what any answer, update or event tells of a task.
type news struct {
	TaskID    string    `json:"task_id"`
	Status    string    `json:"status"`
	UpdatedAt time.Time `json:"updated_at"` // of a resource
	Timestamp time.Time `json:"timestamp"`  // of an update
}

// readNews reads news, and notes it if the task has ended.
func (l *lab) readNews(body []byte) (news, error) {
	var n news
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
		l.known(done)
	default:
		return n, fmt.Errorf("the server tells %.200q", body)
	}
	return n, nil
}

// request sends a request and reads its news.
func (l *lab) request(ctx context.Context, method, path, body string, header ...string) (news, error) {
	req, err := http.NewRequestWithContext(ctx, method, l.url+path, strings.NewReader(body))
	if err != nil {
		return news{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if len(header) == 2 {
		req.Header.Set(header[0], header[1])
	}
	res, err := l.client.Do(req)
	if err != nil {
		return news{}, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return news{}, err
	}
	return l.readNews(answer)
}

const dogFood = `{"product":"dog-food"}`

// eachOrder places all orders at once, and hears of each by itself.
func eachOrder(hear func(ctx context.Context, l *lab) error) func(context.Context, *lab) error {
	return func(ctx context.Context, l *lab) error {
		errs := make([]error, l.orders)
		var group sync.WaitGroup
		for i := range errs {
			group.Go(func() { errs[i] = hear(ctx, l) })
		}
		group.Wait()
		return errors.Join(errs...)
	}
}

func hearBlocking(ctx context.Context, l *lab) error {
	_, err := l.request(ctx, http.MethodPost, "/api/orders", dogFood, "Prefer", "wait=60")
	return err
}

func hearPolling(ctx context.Context, l *lab) error {
	n, err := l.request(ctx, http.MethodPost, "/api/orders", dogFood)
	ticker := time.NewTicker(l.interval)
	defer ticker.Stop()
	for err == nil && n.Status == "processing" {
		<-ticker.C
		n, err = l.request(ctx, http.MethodGet, "/api/tasks/"+n.TaskID, "")
	}
	return err
}

func hearLongPolling(ctx context.Context, l *lab) error {
	n, err := l.request(ctx, http.MethodPost, "/api/orders", dogFood)
	for err == nil && n.Status == "processing" {
		n, err = l.request(ctx, http.MethodGet, "/api/tasks/"+n.TaskID+"?wait=60", "")
	}
	return err
}

// hearCallbacks listens for callbacks. What the receiver reads, the server sent.
func hearCallbacks(ctx context.Context, l *lab) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for callbacks: %w", err)
	}
	received := make(chan error, l.orders)
	receiver := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		l.requests.Add(1)
		body, err := io.ReadAll(r.Body)
		n, wrong := l.readNews(body)
		if err = errors.Join(err, wrong); err != nil || n.Status != "processing" {
			received <- err
		}
	})}
	go func() { _ = receiver.Serve(&meteredListener{listener, l}) }() // ends with Close
	defer receiver.Close()
	order := fmt.Sprintf(`{"product":"dog-food","callback_url":"http://%s/callbacks/order-status"}`, listener.Addr())
	err = eachOrder(func(ctx context.Context, l *lab) error {
		_, err := l.request(ctx, http.MethodPost, "/api/orders", order)
		return err
	})(ctx, l)
	for range l.orders {
		select {
		case wrong := <-received:
			err = errors.Join(err, wrong)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// hearStream opens one stream before it places orders.
func hearStream(ctx context.Context, l *lab) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+"/api/orders/stream", nil)
	if err != nil {
		return err
	}
	res, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	placed := make(chan error, 1)
	go func() {
		placed <- eachOrder(func(ctx context.Context, l *lab) error {
			_, err := l.request(ctx, http.MethodPost, "/api/orders", dogFood)
			return err
		})(ctx, l)
	}()
	lines := bufio.NewScanner(res.Body)
	for ended := 0; ended < l.orders && lines.Scan(); {
		data, isData := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !isData {
			continue
		}
		n, err := l.readNews(data)
		if err != nil {
			return errors.Join(err, <-placed)
		}
		if n.Status != "processing" {
			ended++
		}
	}
	return errors.Join(lines.Err(), <-placed)
}

// hearSocket places the orders over one WebSocket.
func hearSocket(ctx context.Context, l *lab) error {
	conn, _, err := websocket.Dial(ctx, l.url+"/api/ws", &websocket.DialOptions{HTTPClient: l.client}) //nolint:bodyclose // CloseNow closes it
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	for range l.orders {
		message := []byte(`{"event":"process","data":{"kind":"order","product":"dog-food"}}`)
		if err := conn.Write(ctx, websocket.MessageText, message); err != nil {
			return err
		}
	}
	for ended := 0; ended < l.orders; {
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
		n, err := l.readNews(event.Data)
		if err != nil {
			return err
		}
		if n.Status != "processing" {
			ended++
		}
	}
	return conn.Close(websocket.StatusNormalClosure, "")
}
