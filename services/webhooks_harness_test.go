package services

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/pause"
	"petstore/models"
	"petstore/models/db"
	"petstore/services/dispatch"
	"petstore/services/stream"
	"petstore/services/task"
)

// hookEngine is the engine with webhooks, on a database of its own and with a
// clock that tests set.
type hookEngine struct {
	t          *testing.T
	ctx        context.Context
	store      *models.Store
	tasks      *task.Engine
	webhooks   *Webhooks
	dispatcher *dispatch.Dispatcher

	mu  sync.Mutex
	now time.Time // zero: the real time
}

// newHookEngine starts an engine that waits so long between attempts, if given.
func newHookEngine(t *testing.T, waits ...time.Duration) *hookEngine {
	t.Helper()
	leavesNothing(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	e := &hookEngine{t: t, ctx: ctx}
	var err error
	if e.store, err = db.Open(ctx, newDatabase(t)); err != nil {
		t.Fatal(err)
	}
	sender := callbacks.NewSender(callbacks.SenderOptions{Policy: callbacks.DevelopmentPolicy(), Timeout: 10 * time.Second})
	server := serverName(e.store)
	e.dispatcher = dispatch.New(e.store, dispatch.Options{
		Sender: sender, Schedule: callbacks.Schedule{Waits: waits}, Secret: "a secret of the callbacks", Server: server,
	})
	e.dispatcher.Webhooks.Now = e.time
	hub := stream.NewHub(e.store)
	e.tasks = task.NewEngine(e.store, hub, e.dispatcher)
	e.tasks.Register(task.Operation{Kind: callbacks.KindOrder.Name, Run: e.work})
	if e.webhooks, err = NewWebhooks(ctx, e.store, e.tasks, e.dispatcher); err != nil {
		t.Fatal(err)
	}
	queue := newQueue(t, e.store, e.tasks, e.dispatcher, server)
	if err := queue.Start(ctx); err != nil {
		t.Fatal(err)
	}
	e.dispatcher.Start()
	t.Cleanup(func() {
		hub.Close()
		err := queue.Stop(context.Background())
		e.dispatcher.Stop()
		if err := errors.Join(err, e.store.Close()); err != nil {
			t.Error(err)
		}
		sender.Close()
	})
	return e
}

// work reports progress as often, and as slowly, as the task's metadata says, and
// fails if they say so.
func (e *hookEngine) work(ctx context.Context, t *models.Task, report task.Progress) (any, error) {
	var plan struct {
		Steps int           `json:"steps,string"`
		Step  time.Duration `json:"step,string"`
	}
	text, _ := json.Marshal(t.Metadata)
	_ = json.Unmarshal(text, &plan)
	for i := range plan.Steps {
		if err := report(100*i/plan.Steps, "Working"); err != nil {
			return nil, err
		}
		if err := pause.For(ctx, plan.Step); err != nil {
			return nil, err
		}
	}
	if t.Metadata["fail"] != "" {
		return nil, &callbacks.Error{Code: "ASKED_FOR", Message: "It was to fail"}
	}
	return map[string]string{"summary": "Done"}, nil
}

func (e *hookEngine) time() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.now.IsZero() {
		return models.Now()
	}
	return e.now
}

func (e *hookEngine) setTime(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = now
}

func (e *hookEngine) register(url string, events ...string) models.Webhook {
	e.t.Helper()
	w, err := e.webhooks.Create(e.ctx, models.NewWebhook{URL: url, Events: events, Enabled: true})
	if err != nil {
		e.t.Fatal(err)
	}
	return w
}

func (e *hookEngine) begin(callbackURL string, metadata models.Metadata) models.Task {
	e.t.Helper()
	draft, err := e.tasks.Draft(models.Task{Kind: callbacks.KindOrder.Name, ResourceID: models.NewID(callbacks.KindOrder.Prefix), CallbackURL: callbackURL, Metadata: metadata})
	if err == nil {
		err = e.store.InTx(e.ctx, func(tx *models.Tx) error { return e.tasks.Begin(tx, draft) })
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return draft.Task
}

// ended waits until a task has ended.
func (e *hookEngine) ended(task models.Task) {
	e.t.Helper()
	if task, err := e.tasks.Wait(e.ctx, task.ID, 30*time.Second); err != nil || !task.Ended() {
		e.t.Fatalf("the task has not ended: %v", err)
	}
}

// until waits for something that is written to the database.
func (e *hookEngine) until(what string, is func() bool) {
	e.t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for !is() {
		select {
		case <-ticker.C:
		case <-e.ctx.Done():
			e.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// deliveries lists those to a webhook in the order of their updates.
func (e *hookEngine) deliveries(webhookID string) []models.Delivery {
	e.t.Helper()
	var ds []models.Delivery
	err := e.store.Read(e.ctx).Where("deliveries.webhook_id = ?", webhookID).Order("deliveries.update_id").Find(&ds).Error
	if err != nil {
		e.t.Fatal(err)
	}
	return ds
}

// settled waits until no delivery is pending.
func (e *hookEngine) settled() {
	e.t.Helper()
	e.until("nothing is pending", func() bool {
		var pending int64
		err := e.store.Read(e.ctx).Model(&models.Delivery{}).Where("status = 'pending'").Count(&pending).Error
		return err == nil && pending == 0
	})
}

func (e *hookEngine) webhook(id string) *models.Webhook {
	e.t.Helper()
	w, err := e.webhooks.Get(e.ctx, id)
	if err != nil {
		e.t.Fatal(err)
	}
	return &w
}

// hookReceiver notes what comes, and answers as it is told.
type hookReceiver struct {
	t      *testing.T
	URL    string
	answer func(u callbacks.Update) int
	came   chan hookArrival
}

type hookArrival struct {
	callbacks.Update
	header http.Header
	body   []byte
	status int // that was answered
}

// newHookReceiver answers with what answer returns, 200 if that is nil.
func newHookReceiver(t *testing.T, answer func(u callbacks.Update) int) *hookReceiver {
	t.Helper()
	rc := &hookReceiver{t: t, answer: answer, came: make(chan hookArrival, 10_000)}
	server := httptest.NewServer(rc)
	t.Cleanup(server.Close)
	rc.URL = server.URL
	return rc
}

func (rc *hookReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := hookArrival{header: r.Header, status: http.StatusOK}
	a.body, _ = io.ReadAll(r.Body)
	if err := json.Unmarshal(a.body, &a.Update); err != nil {
		rc.t.Errorf("the body is no update: %v", err)
	}
	if rc.answer != nil {
		a.status = rc.answer(a.Update)
	}
	rc.came <- a
	w.WriteHeader(a.status)
}

// next waits for what comes next.
func (rc *hookReceiver) next() hookArrival {
	rc.t.Helper()
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	select {
	case a := <-rc.came:
		return a
	case <-timer.C:
		rc.t.Fatal("waited in vain for a delivery")
		panic("unreachable")
	}
}

// all returns what has come since the last call.
func (rc *hookReceiver) all() []hookArrival {
	var as []hookArrival
	for {
		select {
		case a := <-rc.came:
			as = append(as, a)
		default:
			return as
		}
	}
}
