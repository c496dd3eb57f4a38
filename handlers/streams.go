package handlers

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"petstore/callbacks"
	"petstore/handlers/bounds"
	"petstore/models"
)

// feed is where updates come from, in order, each once.
type feed interface {
	Newest(ctx context.Context) (int64, error)
	Reached(ctx context.Context, position int64) (bool, error)
	Follow(ctx context.Context, f models.UpdateFilter, after int64, quiet time.Duration) iter.Seq2[[]models.Update, error]
}

const (
	// heartbeatEvery is how often something is sent on a stream, so that nobody
	// on the way takes it for dead. Proxies commonly wait for 60 seconds.
	heartbeatEvery = 15 * time.Second
	// writeTimeout is how long a client may take to accept what is written. One
	// that takes longer is dropped; it can resume.
	writeTimeout = 10 * time.Second
	// stopTimeout is how long a client may take for that when the server stops.
	stopTimeout = time.Second
	// streamPiece is how many bytes are written at a time, give or take an update.
	streamPiece = 64 << 10
	// retryAfterMS is after how many milliseconds an EventSource comes back.
	retryAfterMS = 1000
)

// streamHandlers serve updates as server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
type streamHandlers struct {
	feed         feed
	orders       orders
	tasks        tasks
	connections  *connections
	bytes        *bounds.Bytes // in flight
	heartbeat    time.Duration
	writeTimeout time.Duration // with a client that does not read
}

func (a *API) streams(s orders) streamHandlers {
	return streamHandlers{feed: a.cfg.Feed, orders: s, tasks: a.cfg.Tasks, connections: a.connections, bytes: a.loads.bytes, heartbeat: a.cfg.Heartbeat, writeTimeout: a.cfg.WriteTimeout}
}

// @Summary     Follow orders
// @Description Server-sent events: each update of an order is an event `order-update`, its data the JSON that callbacks carry, its id the update's position. `new EventSource('/api/orders/stream')` is all that a browser needs.
// @Description
// @Description A stream begins now; one of a single order begins with what that order has told already. A client that was cut off resumes, without loss or repeat, with the id that it saw last: browsers send it as `Last-Event-ID` by themselves. An id that this server has not given out yet (of another database, say) is answered with an event `stream-reset`, and the stream begins now.
// @Description
// @Description Comments are sent every 15 seconds. The stream does not end by itself, not even with the last update of an order.
// @ID          streamOrders
// @Tags        orders
// @Produce     text/event-stream
// @Param       order_id      query  string  false "Only this order" maxlength(100)
// @Param       task_id       query  string  false "Only the order with this task" maxlength(100)
// @Param       status        query  string  false "Only updates with this status" Enums(processing, completed, failed, cancelled)
// @Param       last_event_id query  integer false "Resume after this id; the header has precedence" minimum(0)
// @Param       Last-Event-ID header integer false "Resume after this id" minimum(0)
// @Success     200 {string} string "The stream"
// @Header      200 {string} X-Accel-Buffering "no: nginx passes on at once what it gets"
// @Failure     404 {object} problem "There is no such order or task"
// @Failure     503 {object} problem "Too many streams are open"
// @Router      /api/orders/stream [get]
func (h streamHandlers) followOrders(c *gin.Context) error {
	q := newQuery(c)
	orderID := q.text("order_id", 100)
	filter := models.UpdateFilter{Kind: callbacks.KindOrder.Name, TaskID: q.text("task_id", 100), Status: q.oneOf("status", taskStatuses...)}
	last := lastEventID(c, q)
	if err := q.done(); err != nil {
		return err
	}
	if orderID != "" {
		o, err := h.orders.Get(c.Request.Context(), orderID)
		if err != nil {
			return err
		}
		if filter.TaskID != "" && filter.TaskID != o.TaskID {
			return models.Invalid("task_id", "is not the task of that order")
		}
		filter.TaskID = o.TaskID
	}
	return h.follow(c, "order-update", filter, last)
}

// @Summary     Follow slow work of any kind
// @Description Server-sent events, as of orders: each update is an event `task-update`.
// @ID          streamTasks
// @Tags        tasks
// @Produce     text/event-stream
// @Param       task_id       query  string  false "Only this task; the stream begins with what it has told already" maxlength(100)
// @Param       kind          query  string  false "Only this kind"
// @Param       status        query  string  false "Only updates with this status" Enums(processing, completed, failed, cancelled)
// @Param       last_event_id query  integer false "Resume after this id; the header has precedence" minimum(0)
// @Param       Last-Event-ID header integer false "Resume after this id" minimum(0)
// @Success     200 {string} string "The stream"
// @Header      200 {string} X-Accel-Buffering "no: nginx passes on at once what it gets"
// @Failure     404 {object} problem "There is no such task"
// @Failure     503 {object} problem "Too many streams are open"
// @Router      /api/tasks/stream [get]
func (h streamHandlers) followTasks(c *gin.Context) error {
	q := newQuery(c)
	filter := models.UpdateFilter{TaskID: q.text("task_id", 100), Kind: q.oneOf("kind", callbacks.KindNames()...), Status: q.oneOf("status", taskStatuses...)}
	last := lastEventID(c, q)
	if err := q.done(); err != nil {
		return err
	}
	return h.follow(c, "task-update", filter, last)
}

// lastEventID reads where a client wants to resume, nil for nowhere. The header
// has precedence: an EventSource that reconnects keeps the URL that it was given.
func lastEventID(c *gin.Context, q *query) *int64 {
	q.ignore("_", "evs_preamble", "r", "padding") // of EventSource polyfills, against caches and buffers
	last := q.number("last_event_id", 0, 1<<62)
	for _, alias := range []string{"lastEventId", "evs_last_event_id", "Last-Event-ID"} { // of the same
		if q.values.Get(alias) == "" { // as the header before the first event
			q.ignore(alias)
		}
		if id := q.number(alias, 0, 1<<62); id != nil {
			last = id
		}
	}
	header := strings.TrimSpace(c.GetHeader("Last-Event-ID"))
	if header == "" {
		return last
	}
	id, err := strconv.ParseInt(header, 10, 64)
	if err != nil || id < 0 {
		q.wrong.Addf("Last-Event-ID", "must be an id that a stream has given out")
	}
	return &id
}

// follow opens a stream, which goes on after the request.
func (h streamHandlers) follow(c *gin.Context, event string, filter models.UpdateFilter, last *int64) error {
	if filter.TaskID != "" {
		if _, err := h.tasks.Wait(c.Request.Context(), filter.TaskID, 0); err != nil {
			return err
		}
	}
	release, err := h.connections.acquire(c.Request)
	if err != nil {
		return err
	}
	opened := false
	defer func() {
		if !opened {
			release()
		}
	}()
	position, reset, err := h.begin(c.Request.Context(), filter, last)
	if err != nil {
		return err
	}
	if c.Request.Method == http.MethodHead {
		streamHeader(c)
		return nil
	}
	s, err := openEventStream(c, event, h.writeTimeout)
	if err != nil {
		return err
	}
	s.begin(position, reset)
	opened = true
	ctx := context.WithoutCancel(c.Request.Context()) // for the log
	go func() {
		defer release()
		defer s.conn.Close()
		defer func() { // nobody else would: net/http's goroutine has ended
			if p := recover(); p != nil {
				slog.ErrorContext(ctx, "A stream panicked.", "event", event, "panic", p, "stack", string(debug.Stack()))
			}
		}()
		h.serve(ctx, s, filter, position)
	}()
	return nil
}

// begin says where a stream begins, and whether that is not where it should resume.
func (h streamHandlers) begin(ctx context.Context, filter models.UpdateFilter, last *int64) (position int64, reset bool, err error) {
	if last != nil {
		known, err := h.feed.Reached(ctx, *last)
		if err != nil || known {
			return *last, false, err
		}
	}
	if last == nil && filter.TaskID != "" {
		return 0, false, nil
	}
	position, err = h.feed.Newest(ctx)
	return position, last != nil, err
}

// serve sends what comes, until the client goes or the server stops.
func (h streamHandlers) serve(ctx context.Context, s *eventStream, filter models.UpdateFilter, after int64) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.connections.stopping, func() {
		cancel()
		_ = s.conn.SetDeadline(time.Now().Add(stopTimeout)) // also of a write that waits for its client to read
	})()
	if err := s.flush(ctx); err != nil {
		return
	}
	go s.listen(cancel)
	for updates, err := range h.feed.Follow(ctx, filter, after, h.heartbeat) {
		if err != nil {
			slog.ErrorContext(ctx, "A stream has ended.", "event", s.event, "err", err)
			return
		}
		if err := h.send(ctx, s, updates); err != nil {
			return
		}
	}
}

// send sends updates, or a comment if there are none. An error says that the stream is over;
// the client can resume.
func (h streamHandlers) send(ctx context.Context, s *eventStream, updates []models.Update) error {
	load := bounds.Load{Budget: h.bytes}
	defer load.Release()
	if load.Add(sizeOf(updates)) != nil {
		return errInFlight(ctx)
	}
	if len(updates) == 0 {
		s.buffer = append(s.buffer, ":\n\n"...)
	}
	for _, u := range updates {
		s.add(u)
		if len(s.buffer) < streamPiece {
			continue
		}
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	return s.flush(ctx)
}

// eventStream writes server-sent events. It has taken the connection over from net/http,
// whose buffers, and whose goroutine with Gin's frames on its stack, would make an idle
// stream weigh 44 KiB instead of 25 (`-bench Followers`). The answer has
// no length and no chunks: it ends with the connection (RFC 9112, section 6.3).
type eventStream struct {
	conn         net.Conn
	event        string
	writeTimeout time.Duration
	buffer       []byte
}

func streamHeader(c *gin.Context) {
	c.Header("Content-Type", "text/event-stream; charset=utf-8")
	c.Header("Cache-Control", "no-cache, no-transform") // no-transform: nobody compresses, and so buffers, it
	c.Header("X-Accel-Buffering", "no")                 // nginx passes on what it gets at once
}

// openEventStream takes the connection over. The header is sent with the first flush.
func openEventStream(c *gin.Context, event string, writeTimeout time.Duration) (*eventStream, error) {
	streamHeader(c)
	c.Header("Connection", "close")
	c.Header("Date", time.Now().UTC().Format(http.TimeFormat))
	head := bytes.NewBufferString("HTTP/1.1 200 OK\r\n")
	if err := c.Writer.Header().Write(head); err != nil {
		return nil, fmt.Errorf("writing the header of a stream: %w", err)
	}
	head.WriteString("\r\n")
	conn, _, err := c.Writer.Hijack()
	if err != nil {
		return nil, fmt.Errorf("taking over the connection of a stream: %w", err)
	}
	return &eventStream{conn: conn, event: event, writeTimeout: writeTimeout, buffer: head.Bytes()}, nil
}

// listen waits for the client to go. Whatever it says meanwhile is nothing that a stream
// has an answer to.
func (s *eventStream) listen(gone func()) {
	defer gone()
	ignored := make([]byte, 64)
	for {
		if _, err := s.conn.Read(ignored); err != nil {
			return
		}
	}
}

// begin opens the stream: with when to come back, and with where it is, for a
// client that is cut off before the first event. An id without data is kept, and
// makes no event.
func (s *eventStream) begin(position int64, reset bool) {
	s.buffer = fmt.Appendf(s.buffer, "retry: %d\nid: %d\n\n", retryAfterMS, position)
	if reset {
		s.buffer = fmt.Appendf(s.buffer, "event: stream-reset\nid: %d\ndata: %s\n\n", position,
			`{"code":"UNKNOWN_POSITION","message":"This server has not given out that id. The stream begins now; ask for what you may have missed."}`)
	}
}

// add writes an update. Its JSON has no line breaks, so it is one line of data.
func (s *eventStream) add(u models.Update) {
	s.buffer = append(s.buffer, "event: "...)
	s.buffer = append(s.buffer, s.event...)
	s.buffer = append(s.buffer, "\nid: "...)
	s.buffer = strconv.AppendInt(s.buffer, u.ID, 10)
	s.buffer = append(s.buffer, "\ndata: "...)
	s.buffer = append(s.buffer, u.Body...)
	s.buffer = append(s.buffer, "\n\n"...)
}

// flush sends what has been added. An error says that the client has gone, or is
// stuck.
func (s *eventStream) flush(ctx context.Context) error {
	if len(s.buffer) == 0 {
		return nil
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.writeTimeout)); err != nil {
		return err
	}
	if ctx.Err() != nil { // after the deadline: the one for the stop is not undone
		return ctx.Err()
	}
	_, err := s.conn.Write(s.buffer)
	s.buffer = nil // an idle stream keeps none
	return err
}
