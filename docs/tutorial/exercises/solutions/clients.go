// Package solutions has a solution of each exercise: short ones, made of what Petstore has where it has it.
package solutions

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"petstore/callbacks"
)

// post sends JSON and decodes the answer, which has to have a status.
func post(ctx context.Context, url string, request any, status int, answer any) (http.Header, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != status {
		var problem struct {
			Code   string `json:"code"`
			Detail string `json:"detail"`
		}
		if err := json.NewDecoder(response.Body).Decode(&problem); err != nil {
			return nil, fmt.Errorf("answered %s", response.Status)
		}
		return nil, fmt.Errorf("answered %s: %s", problem.Code, problem.Detail)
	}
	return response.Header, json.NewDecoder(response.Body).Decode(answer)
}

// Place is exercise 1.
func Place(ctx context.Context, api, callbackURL string) (location string, err error) {
	var order struct{}
	header, err := post(ctx, api+"/api/orders", map[string]string{"product": "dog-food", "callback_url": callbackURL}, http.StatusAccepted, &order)
	return header.Get("Location"), err
}

// Outcome is exercise 2.
func Outcome(ctx context.Context, api string) (callbacks.Update, error) {
	ended := make(chan callbacks.Update, 1)
	handler := callbacks.Receive(callbacks.DevelopmentSecret, func(_ context.Context, u callbacks.Update) error {
		if u.Terminal() {
			ended <- u
		}
		return nil
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return callbacks.Update{}, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: callbacks.Tolerance}
	defer server.Shutdown(context.WithoutCancel(ctx)) //nolint:errcheck // The last answer is to go out; the rest may not.
	go server.Serve(listener)                         //nolint:errcheck // It ends with Shutdown.
	if _, err := Place(ctx, api, "http://"+listener.Addr().String()); err != nil {
		return callbacks.Update{}, err
	}
	select {
	case u := <-ended:
		return u, nil
	case <-ctx.Done():
		return callbacks.Update{}, ctx.Err()
	}
}

// Follow is exercise 3. A client for more than a lesson waits before it comes back (retry:).
func Follow(ctx context.Context, url string, handle func(callbacks.Update)) error {
	last := ""
	for {
		ended, err := followOnce(ctx, url, &last, handle)
		if ended || err != nil {
			return err
		}
	}
}

// followOnce follows until the connection breaks. last is the id of the event before.
func followOnce(ctx context.Context, url string, last *string, handle func(callbacks.Update)) (ended bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, err
	}
	if *last != "" {
		r.Header.Set("Last-Event-ID", *last)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	id, data := *last, ""
	for lines := bufio.NewScanner(io.LimitReader(response.Body, 1<<30)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			id = value
		case "data":
			data = value
		case "": // the event is complete
			*last = id
			var u callbacks.Update
			if data != "" && json.Unmarshal([]byte(data), &u) == nil {
				handle(u)
			}
			if data = ""; u.Terminal() {
				return true, nil
			}
		}
	}
	return false, ctx.Err()
}

// Process is exercise 4.
func Process(ctx context.Context, url, data string) (callbacks.Update, error) {
	conn, _, err := websocket.Dial(ctx, url, nil) //nolint:bodyclose // It has none.
	if err != nil {
		return callbacks.Update{}, err
	}
	defer conn.CloseNow()
	request := map[string]any{"event": "process", "data": map[string]string{"data": data}}
	if err := wsjson.Write(ctx, conn, request); err != nil {
		return callbacks.Update{}, err
	}
	for {
		var message struct {
			Event string          `json:"event"`
			Data  json.RawMessage `json:"data"`
		}
		if err := wsjson.Read(ctx, conn, &message); err != nil {
			return callbacks.Update{}, err
		}
		switch message.Event {
		case "complete", "failed":
			var u callbacks.Update
			return u, json.Unmarshal(message.Data, &u)
		case "error":
			return callbacks.Update{}, fmt.Errorf("refused: %s", message.Data)
		}
	}
}

// Wait is exercise 5.
func Wait(ctx context.Context, taskURL string) (status string, err error) {
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, taskURL+"?wait=30", nil)
		if err != nil {
			return "", err
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return "", err
		}
		var task struct {
			Status string `json:"status"`
		}
		err = json.NewDecoder(response.Body).Decode(&task)
		response.Body.Close()
		if err != nil || task.Status != callbacks.StatusProcessing {
			return task.Status, err
		}
	}
}

// Register is exercise 8.
func Register(ctx context.Context, api, url string) (id, secret string, err error) {
	var webhook struct {
		ID     string `json:"webhook_id"`
		Secret string `json:"secret"`
	}
	events := []string{"order.completed", "order.failed", "order.cancelled"}
	_, err = post(ctx, api+"/api/webhooks", map[string]any{"url": url, "events": events}, http.StatusCreated, &webhook)
	return webhook.ID, webhook.Secret, err
}
