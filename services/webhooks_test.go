package services

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/pause"
	"petstore/models"
	"petstore/services/dispatch"
	"petstore/services/task"
)

func types(as []hookArrival) []string {
	names := make([]string, len(as))
	for i, a := range as {
		names[i] = a.Type
	}
	return names
}

func TestWebhooksGetWhatTheyWant(t *testing.T) {
	e := newHookEngine(t)
	all, ends, failures := newHookReceiver(t, nil), newHookReceiver(t, nil), newHookReceiver(t, nil)
	e.register(all.URL, "*")
	e.register(ends.URL, "order.completed", "order.failed")
	e.register(failures.URL, "order.failed")
	slow := models.Metadata{"steps": "2", "step": "600000000"} // longer than what is between two of them: all progress is sent
	e.ended(e.begin("", slow))
	e.settled()
	e.ended(e.begin("", models.Metadata{"fail": "yes"}))
	e.settled()
	for name, test := range map[string]struct {
		got  []hookArrival
		want []string
	}{
		"all": {all.all(), []string{"order.created", "order.progress", "order.progress", "order.completed", "order.created", "order.failed"}},
		"end": {ends.all(), []string{"order.completed", "order.failed"}}, "failures": {failures.all(), []string{"order.failed"}},
	} {
		if got := types(test.got); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestWebhookEventsThatDoNotExist(t *testing.T) {
	e := newHookEngine(t)
	for _, pattern := range []string{"order.complete", "orders.*", "order", "order.", ".completed", "*.completed", "**", "webhook.ping", "order.*.*", ""} {
		_, err := e.webhooks.Create(e.ctx, models.NewWebhook{URL: "http://127.0.0.1", Events: []string{"*", pattern}, Enabled: true})
		if models.Code(err) != models.CodeInvalid || !strings.Contains(err.Error(), "events[1]") {
			t.Errorf("%q: the error is %v", pattern, err)
		}
	}
	e.register("http://127.0.0.1", "*", "order.*", "order.created", "order.progress", "order.completed", "order.failed", "order.cancelled")
}

// TestWebhookProgressThatIsOvertaken (security 8): progress that comes quickly is sent now and then,
// the newest, and of what is stored nothing stays pending.
func TestWebhookProgressThatIsOvertaken(t *testing.T) {
	e := newHookEngine(t)
	rc := newHookReceiver(t, func(callbacks.Update) int {
		<-time.NewTimer(60 * time.Millisecond).C // progress is made meanwhile, which has to wait all the same
		return http.StatusOK
	})
	w := e.register(rc.URL, "order.progress")
	begun := time.Now()
	e.ended(e.begin("", models.Metadata{"steps": "60", "step": fmt.Sprint(int64(20 * time.Millisecond))})) // 1.2 s
	e.settled()
	// What was overtaken while it was sent has an outcome, too.
	e.dispatcher.Stop()
	most := 1 + int(time.Since(begun)/(500*time.Millisecond)) // every half a second
	var last int64
	came := rc.all()
	for _, a := range came {
		if a.Sequence <= last {
			t.Errorf("update %d came after %d", a.Sequence, last)
		}
		last = a.Sequence
	}
	if len(came) == 0 || len(came) > most {
		t.Errorf("%d updates came", len(came))
	}
	delivered := 0
	for _, d := range e.deliveries(w.ID) { // another may have been overtaken before it was sent
		if d.Status == models.DeliveryDelivered {
			delivered++
		}
	}
	if delivered != len(came) {
		t.Errorf("%d came, but %d are stored", len(came), delivered)
	}
}

func TestWebhookLimit(t *testing.T) {
	e := newHookEngine(t)
	for range models.MaxWebhooks {
		e.register("http://127.0.0.1:1", "order.failed")
	}
	_, err := e.webhooks.Create(e.ctx, models.NewWebhook{URL: "http://127.0.0.1:1", Events: []string{"*"}, Enabled: true})
	if models.Code(err) != models.CodeConflict {
		t.Errorf("the error is %v, want a conflict", err)
	}
	if n := len(e.dispatcher.Deliveries(models.Update{Type: "order.failed"}, "")); n != models.MaxWebhooks {
		t.Errorf("%d webhooks are in memory", n)
	}
}

// TestWebhookOrderUnderFaults holds that a webhook accepts the updates of a task
// in their order, the first and the last without fail, whatever goes wrong.
func TestWebhookOrderUnderFaults(t *testing.T) {
	waits := slices.Repeat([]time.Duration{10 * time.Millisecond}, 200)
	e := newHookEngine(t, waits...)
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(7, 8))
	rc := newHookReceiver(t, func(callbacks.Update) int {
		mu.Lock()
		n, delay := random.IntN(10), time.Duration(random.IntN(15))*time.Millisecond
		mu.Unlock()
		_ = pause.For(t.Context(), delay)
		return []int{200, 200, 200, 200, 204, 500, 503, 301, 400, 200}[n]
	})
	e.register(rc.URL, "*")
	const tasks = 60
	for i := range tasks {
		e.begin("", models.Metadata{"steps": fmt.Sprint(i % 5), "step": fmt.Sprint(int64(i%4) * int64(15*time.Millisecond))})
	}
	accepted := map[string][]callbacks.Update{}
	for ended := 0; ended < tasks; {
		a := rc.next()
		if a.status > 299 {
			continue
		}
		accepted[a.TaskID] = append(accepted[a.TaskID], a.Update)
		if a.Terminal() {
			ended++
		}
	}
	e.settled()
	for id, updates := range accepted {
		last := int64(0)
		for _, u := range updates {
			if u.Sequence <= last {
				t.Errorf("task %s: update %d came after %d", id, u.Sequence, last)
			}
			last = u.Sequence
		}
		if updates[0].Type != "order.created" || !updates[len(updates)-1].Terminal() {
			t.Errorf("task %s: got %v", id, updates)
		}
	}
	if more := rc.all(); len(more) > 0 {
		t.Errorf("%d deliveries came after the last", len(more))
	}
}

// TestWebhookDeadBesideOthers (security 2, another instance): a receiver that hangs and one that refuses keep
// neither the other webhook nor the callback URL waiting.
func TestWebhookDeadBesideOthers(t *testing.T) {
	e := newHookEngine(t, time.Hour)
	hang := make(chan struct{})
	black := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-hang }))
	t.Cleanup(func() { close(hang); black.Close() })
	dead := newHookReceiver(t, func(callbacks.Update) int { return 500 })
	alive, callback := newHookReceiver(t, nil), newHookReceiver(t, nil)
	e.register(black.URL, "*")
	deadHook := e.register(dead.URL, "*")
	e.register(alive.URL, "order.created", "order.completed")
	const tasks = 20
	for range tasks {
		e.begin(callback.URL, nil)
	}
	for range tasks {
		if a := callback.next(); a.Type != "order.completed" || a.header.Get(callbacks.HeaderAPISignature) != "" {
			t.Errorf("the callback URL got %s, %v", a.Type, a.header)
		}
	}
	counts := map[string]int{}
	for range 2 * tasks {
		counts[alive.next().Type]++
	}
	if counts["order.created"] != tasks || counts["order.completed"] != tasks {
		t.Errorf("the webhook got %v", counts)
	}
	e.until("the dead one is failing", func() bool { return e.webhook(deadHook.ID).FailingSince != nil })
	for _, a := range dead.all() {
		if a.Type != "order.created" {
			t.Errorf("the dead webhook was sent %s before order.created had come through", a.Type)
		}
	}
}

// TestWebhookWaitsForItsTurn: order.completed waits until order.created, which
// fails twice, is accepted.
func TestWebhookWaitsForItsTurn(t *testing.T) {
	e := newHookEngine(t, 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond)
	var created atomic.Int64
	rc := newHookReceiver(t, func(u callbacks.Update) int {
		if u.Type == "order.created" && created.Add(1) < 3 {
			return 500
		}
		return 200
	})
	e.register(rc.URL, "*")
	e.ended(e.begin("", nil))
	want := []string{"order.created", "order.created", "order.created", "order.completed"}
	e.settled()
	if got := types(rc.all()); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWebhookRotationOverlap(t *testing.T) {
	e := newHookEngine(t)
	rc := newHookReceiver(t, nil)
	start := models.Now()
	e.setTime(start)
	w := e.register(rc.URL, "order.completed")
	old := w.Secrets[0].Secret
	check := func(newest string, others ...string) {
		t.Helper()
		e.begin("", nil)
		a := rc.next()
		signatures := strings.Fields(a.header.Get(callbacks.HeaderWebhookSignature))
		if len(signatures) != 1+len(others) {
			t.Errorf("%d signatures, want %d", len(signatures), 1+len(others))
		}
		for i, secret := range append([]string{newest}, others...) {
			one := a.header.Clone()
			one.Set(callbacks.HeaderWebhookSignature, signatures[i])
			if err := callbacks.Verify(one, a.body, secret, time.Now()); err != nil {
				t.Errorf("signature %d: %v", i, err)
			}
		}
		if err := callbacks.VerifyBody(a.header, a.body, newest); err != nil {
			t.Errorf("X-Callback-Signature: %v", err)
		}
		if a.header.Get(callbacks.HeaderAPISignature) != a.header.Get(callbacks.HeaderSignature) {
			t.Error("X-API-Signature is not X-Callback-Signature")
		}
	}
	check(old)
	rotated, err := e.webhooks.Rotate(e.ctx, w.ID)
	if err != nil {
		t.Fatal(err)
	}
	newest := rotated.Secrets[0].Secret
	if newest == old {
		t.Fatal("the secret is the old one")
	}
	check(newest, old)
	e.setTime(start.Add(24*time.Hour - time.Millisecond))
	check(newest, old)
	e.setTime(start.Add(24 * time.Hour))
	check(newest)
	for range maxSecrets - 1 {
		if _, err := e.webhooks.Rotate(e.ctx, w.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.webhooks.Rotate(e.ctx, w.ID); models.Code(err) != models.CodeConflict {
		t.Errorf("rotating without end: %v", err)
	}
}

func TestWebhookDisabledByGone(t *testing.T) {
	e := newHookEngine(t)
	var status atomic.Int64
	status.Store(410)
	rc := newHookReceiver(t, func(callbacks.Update) int { return int(status.Load()) })
	w := e.register(rc.URL, "order.completed")
	e.begin("", nil)
	e.until("it is disabled", func() bool { return !e.webhook(w.ID).Enabled() })
	if got := e.webhook(w.ID); got.DisabledReason != "The receiver answered 410 Gone." {
		t.Errorf("the reason is %q", got.DisabledReason)
	}
	e.ended(e.begin("", nil)) // makes no delivery
	if ds := e.deliveries(w.ID); len(ds) != 1 || ds[0].Status != models.DeliveryGone {
		t.Errorf("deliveries: %v", ds)
	}
	if _, err := NewDeliveries(e.store, e.dispatcher).Redeliver(e.ctx, e.deliveries(w.ID)[0].ID); models.Code(err) != models.CodeConflict {
		t.Errorf("redelivering to a disabled webhook: %v", err)
	}
	if _, err := e.webhooks.Ping(e.ctx, w.ID); models.Code(err) != models.CodeConflict {
		t.Errorf("pinging a disabled webhook: %v", err)
	}
	if _, err := e.webhooks.Replay(e.ctx, w.ID, time.Time{}); models.Code(err) != models.CodeConflict {
		t.Errorf("replaying to a disabled webhook: %v", err)
	}
	status.Store(200)
	rc.all()
	enabled, err := e.webhooks.Change(e.ctx, w.ID, func(now models.NewWebhook) (models.NewWebhook, error) {
		now.Enabled = true
		return now, nil
	})
	if err != nil || !enabled.Enabled() || enabled.DisabledReason != "" {
		t.Fatalf("enabling: %+v, %v", enabled, err)
	}
	if n, err := e.webhooks.Replay(e.ctx, w.ID, time.Time{}); n != 2 || err != nil {
		t.Errorf("%d replayed, %v; want what was gone, and what happened meanwhile", n, err)
	}
	e.settled()
	if got := len(rc.all()); got != 2 {
		t.Errorf("%d came", got)
	}
}

func TestWebhookDisabledAfterFiveDays(t *testing.T) {
	e := newHookEngine(t)
	var status atomic.Int64
	status.Store(500)
	rc := newHookReceiver(t, func(callbacks.Update) int { return int(status.Load()) })
	w := e.register(rc.URL, "order.completed")
	start := models.Now()
	day := 24 * time.Hour
	step := func(after time.Duration, answer int, enabled bool, failingSince time.Duration) {
		t.Helper()
		e.setTime(start.Add(after))
		status.Store(int64(answer))
		e.ended(e.begin("", nil))
		rc.next()
		e.settled()
		got := e.webhook(w.ID)
		if got.Enabled() != enabled {
			t.Errorf("after %s and a %d it is enabled: %t, want %t", after, answer, got.Enabled(), enabled)
		}
		if (got.FailingSince != nil) != (failingSince >= 0) || got.FailingSince != nil && !got.FailingSince.Equal(start.Add(failingSince)) {
			t.Errorf("after %s and a %d it is failing since %v, want %s", after, answer, got.FailingSince, failingSince)
		}
	}
	step(0, 500, true, 0)
	step(5*day-time.Hour, 503, true, 0)
	step(5*day-time.Minute, 200, true, -1) // one success, and patience begins anew
	step(100*day, 500, true, 100*day)
	step(6*day, 400, true, 6*day) // the clock was wrong, and is set back (reliability 10, another instance)
	step(11*day-time.Millisecond, 500, true, 6*day)
	step(11*day, 500, false, 6*day)
	if got := e.webhook(w.ID); got.DisabledReason != "Every attempt has failed for five days." || !got.DisabledAt.Equal(start.Add(11*day)) {
		t.Errorf("the reason is %q at %v", got.DisabledReason, got.DisabledAt)
	}
}

func TestWebhookPing(t *testing.T) {
	e := newHookEngine(t)
	rc, other := newHookReceiver(t, nil), newHookReceiver(t, nil)
	w := e.register(rc.URL, "order.failed")
	e.register(other.URL, "*")
	d, err := e.webhooks.Ping(e.ctx, w.ID)
	if err != nil {
		t.Fatal(err)
	}
	a := rc.next()
	if a.Type != "webhook.ping" || a.WebhookID != w.ID || a.CallbackID != d.CallbackID || a.Sequence != 1 || !a.Terminal() {
		t.Errorf("got %s", a.body)
	}
	if again, err := callbacks.Encode(a.Update); err != nil || string(again) != string(a.body) {
		t.Errorf("the body is %s, and would be encoded as %s", a.body, again)
	}
	if err := callbacks.Verify(a.header, a.body, w.Secrets[0].Secret, time.Now()); err != nil {
		t.Error(err)
	}
	e.settled()
	if got := e.deliveries(w.ID); len(got) != 1 || got[0].Status != models.DeliveryDelivered {
		t.Errorf("deliveries: %v", got)
	}
	if n, err := e.webhooks.Replay(e.ctx, w.ID, time.Time{}); n != 0 || err != nil {
		t.Errorf("%d replayed, %v: a ping is not an event", n, err)
	}
	if len(other.all()) > 0 {
		t.Error("another webhook got the ping")
	}
}

func TestWebhookDelete(t *testing.T) {
	e := newHookEngine(t, time.Hour)
	rc := newHookReceiver(t, func(callbacks.Update) int { return 500 })
	w := e.register(rc.URL, "*")
	e.ended(e.begin("", nil))
	rc.next()
	e.until("the attempt is stored", func() bool { return e.webhook(w.ID).FailingSince != nil })
	if err := e.webhooks.Delete(e.ctx, w.ID); err != nil {
		t.Fatal(err)
	}
	e.settled()
	ds := e.deliveries(w.ID)
	if len(ds) != 2 {
		t.Fatalf("%d deliveries are left of the history", len(ds))
	}
	for _, d := range ds {
		if d.Status != models.DeliveryGone || d.Error != reasonDeleted {
			t.Errorf("%s is %s: %s", d.Type, d.Status, d.Error)
		}
	}
	if _, err := NewDeliveries(e.store, e.dispatcher).Redeliver(e.ctx, ds[0].ID); models.Code(err) != models.CodeConflict {
		t.Errorf("redelivering: %v", err)
	}
	if n, err := NewDeliveries(e.store, e.dispatcher).RedeliverAll(e.ctx, models.DeliveryFilter{WebhookID: w.ID}); n != 0 || err != nil {
		t.Errorf("%d are redelivered, %v", n, err)
	}
	if err := e.webhooks.Delete(e.ctx, w.ID); models.Code(err) != models.CodeNotFound {
		t.Errorf("deleting again: %v", err)
	}
	e.ended(e.begin("", nil))
	if len(e.deliveries(w.ID)) != 2 {
		t.Error("a deleted webhook gets new deliveries")
	}
}

func TestWebhookMoves(t *testing.T) {
	e := newHookEngine(t, time.Hour)
	before, after := newHookReceiver(t, func(callbacks.Update) int { return 500 }), newHookReceiver(t, nil)
	w := e.register(before.URL, "order.completed")
	e.begin("", nil)
	before.next()
	e.until("the attempt is stored", func() bool { return e.webhook(w.ID).FailingSince != nil })
	_, err := e.webhooks.Change(e.ctx, w.ID, func(now models.NewWebhook) (models.NewWebhook, error) {
		now.URL = after.URL
		return now, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := e.webhooks.Replay(e.ctx, w.ID, time.Time{}); n != 1 || err != nil {
		t.Fatalf("%d replayed, %v: what waits for another attempt is made at once", n, err)
	}
	after.next()
	e.settled()
	if e.webhook(w.ID).FailingSince != nil {
		t.Error("it is still failing")
	}
}

// TestWebhookReplicas: a replica hears of the webhooks that another registers,
// changes and deletes.
func TestWebhookReplicas(t *testing.T) {
	e := newHookEngine(t)
	other := dispatch.New(e.store, dispatch.Options{})
	replica, err := NewWebhooks(e.ctx, e.store, task.NewEngine(e.store, nil, other), other)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(e.ctx)
	var following sync.WaitGroup
	following.Go(func() { replica.follow(ctx, time.Millisecond) })
	defer func() { cancel(); following.Wait() }()
	w := e.register("http://127.0.0.1:1", "order.completed")
	e.until("the replica knows the webhook", func() bool { return len(other.Deliveries(models.Update{Type: "order.completed"}, "")) == 1 })
	if _, err := e.webhooks.Rotate(e.ctx, w.ID); err != nil {
		t.Fatal(err)
	}
	e.until("the replica knows both secrets", func() bool {
		known, ok := other.Webhooks.Get(w.ID)
		return ok && len(known.Secrets) == 2
	})
	if err := e.webhooks.Delete(e.ctx, w.ID); err != nil {
		t.Fatal(err)
	}
	e.until("the replica has forgotten it", func() bool { return len(other.Deliveries(models.Update{Type: "order.completed"}, "")) == 0 })
}
