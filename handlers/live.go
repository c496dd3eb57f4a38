package handlers

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"petstore/callbacks"
	"petstore/handlers/bounds"
	"petstore/models"
)

// What a client and the server say to each other over a socket, be it Socket.IO's
// or a plain WebSocket. Each thing said is an event with JSON data.
//
// A client says:
//
//	process      the request of any operation and its kind: {"kind":"order","product":"dog-food"}.
//	             Without kind, and with data, it is a report on that data: {"data":"…"}.
//	subscribe    the id of a task: hear what it has told already, and what it will
//	unsubscribe  the id of a task
//
// The server says, of each task that was begun or subscribed to:
//
//	progress     an update that is not the last
//	complete     the last one, if the task completed
//	failed       the last one, if it failed or was cancelled; its status tells
//	error        what was wrong with an event: the problem that HTTP would answer
//
// The data of the first three is the update, byte for byte as callbacks carry it.
const (
	eventProcess     = "process"
	eventSubscribe   = "subscribe"
	eventUnsubscribe = "unsubscribe"

	eventProgress = "progress"
	eventComplete = "complete"
	eventFailed   = "failed"
	eventError    = "error"
)

// maxFollowed bounds the tasks that one socket follows at a time.
const maxFollowed = 100

// live is what all conversations share.
type live struct {
	bytes    *bounds.Bytes // in flight
	feed     feed
	tasks    tasks
	starters map[string]taskStarter // by kind
}

// session is the conversation with one client.
type session struct {
	live *live
	// emit tells the client. An error says that it is not there any more.
	emit func(event string, data jsontext.Value) error

	ctx    context.Context
	cancel context.CancelFunc

	mu        sync.Mutex
	followed  map[string]context.CancelFunc // by task id
	followers sync.WaitGroup
}

func (l *live) newSession(ctx context.Context, emit func(event string, data jsontext.Value) error) *session {
	s := &session{live: l, emit: emit, followed: map[string]context.CancelFunc{}}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// close ends the conversation, and waits until nothing more is emitted.
func (s *session) close() {
	s.cancel()
	s.followers.Wait()
}

// receive does what an event asks for. reply gets the answer, or the problem
// that kept it from being done, before anything else is told about it. Calls must
// not overlap.
func (s *session) receive(event string, data jsontext.Value, reply func(answer any, p *problem)) {
	var answer any
	var follow string
	var err error
	switch event {
	case eventProcess:
		answer, follow, err = s.process(data)
	case eventSubscribe:
		answer, follow, err = s.subscribe(data)
	case eventUnsubscribe:
		answer, err = s.unsubscribe(data)
	default:
		err = models.Invalid("event", "must be one of %s, %s, %s", eventProcess, eventSubscribe, eventUnsubscribe)
	}
	if err != nil {
		p := problemOf(err)
		if p.Status >= 500 && s.ctx.Err() == nil {
			slog.ErrorContext(s.ctx, "An event failed.", "event", event, "err", err)
		}
		reply(nil, &p)
		return
	}
	reply(answer, nil)
	if follow != "" {
		s.follow(follow)
	}
}

// process begins slow work.
func (s *session) process(data jsontext.Value) (answer any, follow string, err error) {
	if err := s.checkLimit(); err != nil {
		return nil, "", err
	}
	kind, request, err := s.live.parseProcess(data)
	if err != nil {
		return nil, "", err
	}
	t, err := s.live.starters[kind](s.ctx, request)
	return t.resource, t.id, err
}

// parseProcess finds out which kind of work is asked for. What is left is the request as
// its POST takes it.
func (l *live) parseProcess(data jsontext.Value) (kind string, request []byte, err error) {
	var fields map[string]jsontext.Value
	if err := parse(data, &fields); err != nil {
		return "", nil, err
	}
	named, there := fields["kind"]
	switch {
	case there && json.Unmarshal(named, &kind) != nil:
		return "", nil, models.Invalid("kind", "must be a string")
	case !there && fields["data"] != nil:
		kind = callbacks.KindReport.Name
		if fields["type"] == nil {
			fields["type"] = jsontext.Value(`"dataset"`)
		}
	case !there:
		return "", nil, models.Invalid("kind", "is required: the kind of work, such as %s", callbacks.KindOrder.Name)
	}
	if l.starters[kind] == nil {
		return "", nil, models.Invalid("kind", "must be one of %s", strings.Join(slices.Sorted(maps.Keys(l.starters)), ", "))
	}
	delete(fields, "kind")
	if request, err = json.Marshal(fields); err != nil {
		return "", nil, fmt.Errorf("taking an event apart: %w", err)
	}
	return kind, request, nil
}

// subscribe looks up the task to follow.
func (s *session) subscribe(data jsontext.Value) (answer any, follow string, err error) {
	if err := s.checkLimit(); err != nil {
		return nil, "", err
	}
	id, err := taskID(data)
	if err != nil {
		return nil, "", err
	}
	found, err := s.live.tasks.Wait(s.ctx, id, 0)
	return showTask(found), id, err
}

// unsubscribe stops following a task. One that is not followed needs no stopping.
func (s *session) unsubscribe(data jsontext.Value) (answer any, err error) {
	id, err := taskID(data)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stop := s.followed[id]; stop != nil {
		stop()
	}
	return struct {
		TaskID string `json:"task_id"`
	}{id}, nil
}

func taskID(data jsontext.Value) (id string, err error) {
	if json.Unmarshal(data, &id) != nil || id == "" || len(id) > 100 {
		return "", models.Invalid("task_id", "must be the id of a task, a string")
	}
	return id, nil
}

func (s *session) checkLimit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.followed) < maxFollowed {
		return nil
	}
	return &models.Error{Code: codeTooManySubscriptions, Message: fmt.Sprintf("A socket follows at most %d tasks at a time. Unsubscribe from one, or open another socket.", maxFollowed)}
}

// follow tells all of a task, from its beginning to its end.
func (s *session) follow(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.followed[id] != nil {
		return
	}
	ctx, stop := context.WithCancel(s.ctx)
	s.followed[id] = stop
	s.followers.Go(func() {
		defer s.forget(id)
		s.forwardUpdates(ctx, id)
	})
}

func (s *session) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followed[id]() // frees what its context holds
	delete(s.followed, id)
}

func (s *session) forwardUpdates(ctx context.Context, id string) {
	for updates, err := range s.live.feed.Follow(ctx, models.UpdateFilter{TaskID: id}, 0, time.Hour) {
		if err != nil {
			slog.ErrorContext(ctx, "A subscription has ended.", "task_id", id, "err", err)
			p, _ := json.Marshal(problemOf(err)) // strings and numbers always encode
			_ = s.emit(eventError, p)
			return
		}
		if !s.emitAll(updates) {
			return
		}
	}
}

// emitAll tells updates, and reports whether there may be more to tell.
func (s *session) emitAll(updates []models.Update) (goOn bool) {
	load := bounds.Load{Budget: s.live.bytes}
	defer load.Release()
	if load.Add(sizeOf(updates)) != nil {
		p, _ := json.Marshal(problemOf(errInFlight(s.ctx)))
		_ = s.emit(eventError, p)
		return false
	}
	for _, u := range updates {
		if s.emit(eventOf(u), jsontext.Value(u.Body)) != nil || u.Terminal() {
			return false
		}
	}
	return true
}

func sizeOf(updates []models.Update) (bytes int) {
	for _, u := range updates {
		bytes += len(u.Body)
	}
	return bytes
}

// eventOf names the event that tells an update.
func eventOf(u models.Update) string {
	switch u.Status {
	case models.StatusProcessing:
		return eventProgress
	case models.StatusCompleted:
		return eventComplete
	default:
		return eventFailed
	}
}
