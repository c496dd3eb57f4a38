package handlers

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"petstore/models"
)

// websocketHandlers serve conversations over a plain WebSocket (RFC 6455), a
// message {"event":…,"data":…} each way.
type websocketHandlers struct {
	live      *live
	gate      *gate
	origins   origins
	heartbeat time.Duration
}

// said is a message of a client.
type said struct {
	Event string         `json:"event"`
	Data  jsontext.Value `json:"data"`
	// ID, any JSON, asks for an answer, and names it: {"event":"ack","id":…,"data":…},
	// or {"event":"error","id":…,"data":…}.
	ID jsontext.Value `json:"id"`
}

// @Summary     Talk over a WebSocket
// @Description Messages are `{"event":…,"data":…}` both ways.
// @Description
// @Description Say `process` with the request of any operation and its `kind` (`{"event":"process","data":{"kind":"order","product":"dog-food"}}`), or `subscribe` or `unsubscribe` with a task's id. Hear `progress`, and in the end `complete` or `failed`, with the update that callbacks carry; and `error` with a problem. With an `id` of yours, a message is answered by `{"event":"ack","id":…,"data":…}`, or by an `error` of that `id`.
// @Description
// @Description For Socket.IO clients, the same events are at `/socket.io/`.
// @ID          talk
// @Tags        tasks
// @Produce     json
// @Success     101 "Switching protocols"
// @Failure     403 {object} problem "The page's origin is not allowed"
// @Failure     422 {object} problem
// @Failure     426 {object} problem "The request is no WebSocket handshake"
// @Failure     503 {object} problem "Too many connections are open"
// @Router      /api/ws [get]
func (h websocketHandlers) serve(c *gin.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	if !strings.EqualFold(c.GetHeader("Upgrade"), "websocket") {
		c.Header("Upgrade", "websocket")
		c.Header("Connection", "Upgrade")
		return &models.Error{Code: codeUpgrade, Message: "This is a WebSocket. Open it with a WebSocket client."}
	}
	if !h.origins.allow(c.Request) {
		return &models.Error{Code: codeForbidden, Message: "Pages of this origin may not use the API."}
	}
	leave, err := h.gate.enter()
	if err != nil {
		return err
	}
	defer leave()
	conn, err := websocket.Accept(c.Writer, c.Request, &websocket.AcceptOptions{InsecureSkipVerify: true}) // the origin is checked
	if err != nil {
		return nil //nolint:nilerr // it has been answered
	}
	h.talk(conn)
	return nil
}

// talk serves a connection until it ends.
func (h websocketHandlers) talk(conn *websocket.Conn) {
	defer conn.CloseNow()
	conn.SetReadLimit(maxBody + 4096)
	ctx, cancel := context.WithCancel(context.Background())
	t := h.live.newTalk(ctx, func(event string, data jsontext.Value) error { return send(ctx, conn, event, nil, data) })
	t.followers.Go(func() { h.keep(ctx, conn) })
	defer t.close()
	defer cancel()
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return
		}
		h.hear(ctx, conn, t, text)
	}
}

// hear handles one message. A binary one is JSON just as well.
func (h websocketHandlers) hear(ctx context.Context, conn *websocket.Conn, t *talk, text []byte) {
	var m said
	if err := parse(text, &m); err != nil {
		sendProblem(ctx, conn, nil, problemOf(err))
		return
	}
	t.receive(m.Event, m.Data, func(answer any, p *problem) {
		if p != nil {
			sendProblem(ctx, conn, m.ID, *p)
			return
		}
		if body, err := encode(answer); err == nil && m.ID != nil {
			_ = send(ctx, conn, "ack", m.ID, bytes.TrimSpace(body)) // the next read finds out that it has gone
		}
	})
}

// keep asks now and then whether the client is there, and says goodbye when the
// server stops.
func (h websocketHandlers) keep(ctx context.Context, conn *websocket.Conn) {
	ticker := time.NewTicker(h.heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			patience, cancel := context.WithTimeout(ctx, writeTimeout)
			err := conn.Ping(patience)
			cancel()
			if err != nil {
				_ = conn.CloseNow()
				return
			}
		case <-h.gate.stopping.Done():
			_ = conn.Close(websocket.StatusGoingAway, "the server is stopping")
			return
		case <-ctx.Done():
			return
		}
	}
}

func sendProblem(ctx context.Context, conn *websocket.Conn, id jsontext.Value, p problem) {
	if body, err := encode(p); err == nil {
		_ = send(ctx, conn, eventError, id, bytes.TrimSpace(body)) // the next read finds out that it has gone
	}
}

// send writes one message. A client that does not take it in time is dropped.
func send(ctx context.Context, conn *websocket.Conn, event string, id, data jsontext.Value) error {
	message := make([]byte, 0, len(data)+len(id)+64)
	message = append(append(append(message, `{"event":"`...), event...), '"')
	if id != nil {
		message = append(append(message, `,"id":`...), id...)
	}
	message = append(append(append(message, `,"data":`...), data...), '}')
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, message)
}
