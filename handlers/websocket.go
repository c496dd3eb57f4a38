package handlers

import (
	"bytes"
	"context"
	"net/http"
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
	live         *live
	connections  *connections
	mayUse       func(*http.Request) bool // the page that a request comes from
	heartbeat    time.Duration
	writeTimeout time.Duration // with a client that does not read
}

// clientMessage is a message of a client.
type clientMessage struct {
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
// @Success     101 "Switching protocols"
// @Failure     400 {object} problem "The handshake is wrong"
// @Failure     403 {object} problem "The page's origin is not allowed"
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
		return &models.Error{Code: codeUpgradeRequired, Message: "This is a WebSocket: open it with a WebSocket client. Server-sent events are at /api/tasks/stream."}
	}
	if !h.mayUse(c.Request) {
		return errOrigin
	}
	release, err := h.connections.acquire(c.Request)
	if err != nil {
		return err
	}
	defer release()
	w := &foreignWriter{ResponseWriter: c.Writer}
	conn, err := websocket.Accept(w, c.Request, &websocket.AcceptOptions{InsecureSkipVerify: true}) // the origin is checked
	if err != nil {
		return w.err(c.Request)
	}
	h.run(context.WithoutCancel(c.Request.Context()), conn)
	return nil
}

// wsConn is an open connection.
type wsConn struct {
	*websocket.Conn
	ctx          context.Context
	writeTimeout time.Duration
}

// run serves a connection until it ends.
func (h websocketHandlers) run(ctx context.Context, conn *websocket.Conn) {
	defer conn.CloseNow()
	conn.SetReadLimit(maxBody + 4096)
	ctx, cancel := context.WithCancel(ctx)
	ch := wsConn{conn, ctx, h.writeTimeout}
	s := h.live.newSession(ctx, func(event string, data jsontext.Value) error { return ch.send(event, nil, data) })
	s.followers.Go(func() { h.keep(ch) })
	defer s.close()
	defer cancel()
	for {
		_, text, release, err := h.live.bytes.ReadMessage(ctx, conn)
		if isFull(err) {
			_ = errInFlight(ctx) // for the log: a closing handshake would read the message to its end
		}
		if err != nil {
			return
		}
		ch.handle(s, text)
		release()
	}
}

// keep asks now and then whether the client is there, and says goodbye when the
// server stops.
func (h websocketHandlers) keep(ch wsConn) {
	ticker := time.NewTicker(h.heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			ctx, cancel := context.WithTimeout(ch.ctx, ch.writeTimeout)
			err := ch.Ping(ctx)
			cancel()
			if err != nil {
				_ = ch.CloseNow()
				return
			}
		case <-h.connections.stopping.Done():
			_ = ch.Close(websocket.StatusGoingAway, "the server is stopping")
			return
		case <-ch.ctx.Done():
			return
		}
	}
}

// handle handles one message. A binary one is JSON just as well.
func (ch wsConn) handle(s *session, text []byte) {
	var m clientMessage
	if err := parse(text, &m); err != nil {
		ch.reply(nil, eventError, problemOf(err))
		return
	}
	s.receive(m.Event, m.Data, func(answer any, p *problem) {
		if p != nil {
			ch.reply(m.ID, eventError, *p)
		} else if m.ID != nil {
			ch.reply(m.ID, "ack", answer)
		}
	})
}

func (ch wsConn) reply(id jsontext.Value, event string, v any) {
	if body, err := encode(v); err == nil {
		_ = ch.send(event, id, bytes.TrimSpace(body)) // the next read finds out that it has gone
	}
}

// send writes one message. A client that does not take it in time is dropped.
func (ch wsConn) send(event string, id, data jsontext.Value) error {
	message := make([]byte, 0, len(data)+len(id)+64)
	message = append(append(append(message, `{"event":"`...), event...), '"')
	if id != nil {
		message = append(append(message, `,"id":`...), id...)
	}
	message = append(append(append(message, `,"data":`...), data...), '}')
	ctx, cancel := context.WithTimeout(ch.ctx, ch.writeTimeout)
	defer cancel()
	return ch.Write(ctx, websocket.MessageText, message)
}
