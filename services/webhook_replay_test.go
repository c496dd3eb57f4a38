package services

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
)

// TestReplayGoesOnBesideWhatWaits: a task of which something has to be tried
// again, or is pending outside the line, goes its own way, in its order; the others
// keep to that of the replay.
func TestReplayGoesOnBesideWhatWaits(t *testing.T) {
	e := newHookEngine(t, time.Hour)
	var tasks []models.Task
	for range 5 {
		tasks = append(tasks, e.begin("", nil))
		e.ended(tasks[len(tasks)-1])
	}
	fails := tasks[0]
	var failing atomic.Bool
	failing.Store(true)
	rc := newHookReceiver(t, func(u callbacks.Update) int {
		if u.TaskID == fails.ID && failing.Load() {
			return 500
		}
		return 200
	})
	w := e.register(rc.URL, "order.created", "order.completed")
	missed, err := models.MissedUpdates(e.store.Read(e.ctx), w, time.Time{}, callbacks.KindWebhook.Name, maxReplay)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := e.webhooks.Replay(e.ctx, w.ID, time.Time{}); n != 10 || err != nil {
		t.Fatalf("%d replayed, %v", n, err)
	}
	var want, got []string
	for i, m := range missed {
		if i < 2 && m.TaskID == fails.ID || m.TaskID != fails.ID {
			want = append(want, m.CallbackID)
		}
	}
	e.until("what can be sent is", func() bool {
		var left int64
		err := e.store.Read(e.ctx).Model(&models.Delivery{}).Where("status = 'pending' AND task_id <> ?", fails.ID).Count(&left).Error
		return err == nil && left == 0
	})
	for _, a := range rc.all() {
		got = append(got, a.CallbackID)
	}
	if got = slices.Compact(got); !slices.Equal(got, want) && !slices.Equal(got, slices.Delete(slices.Clone(want), 1, 2)) {
		t.Errorf("replayed\n%q, want\n%q", got, want)
	}
	failing.Store(false)
	pending := models.DeliveryFilter{Status: models.DeliveryPending, WebhookID: w.ID}
	if n, err := NewDeliveries(e.store, e.dispatcher).RedeliverAll(e.ctx, pending); n == 0 || err != nil {
		t.Fatalf("%d are pending, %v", n, err)
	}
	e.settled()
	began := map[string]bool{}
	for _, a := range rc.all() {
		if a.Terminal() && !began[a.TaskID] {
			t.Errorf("the end of task %s came before its beginning", a.TaskID)
		}
		began[a.TaskID] = true
	}
}

// TestWebhookReplayIsExact holds what a replay sends against what the tables say
// was missed, after random failures, pauses and times.
func TestWebhookReplayIsExact(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { replayExactly(t, rand.New(rand.NewPCG(seed, 9))) })
	}
}

func replayOnceExactly(t *testing.T) {
	t.Helper()
	replayExactly(t, rand.New(rand.NewPCG(1, 9)))
}

func replayExactly(t *testing.T, random *rand.Rand) {
	t.Helper()
	e := newHookEngine(t) // no retries: what fails is missed
	var failing atomic.Int64
	rc := newHookReceiver(t, func(callbacks.Update) int {
		if failing.Load() > 0 {
			return 500
		}
		return 200
	})
	events := [][]string{{"*"}, {"order.*"}, {"order.created", "order.failed"}, {"order.progress", "order.completed"}}[random.IntN(4)]
	w := e.register(rc.URL, events...)
	var times []time.Time
	for range 25 {
		failing.Store(random.Int64N(2))
		enabled := random.IntN(4) > 0
		_, err := e.webhooks.Change(e.ctx, w.ID, func(now models.NewWebhook) (models.NewWebhook, error) {
			now.Enabled = enabled
			return now, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		metadata := models.Metadata{"steps": fmt.Sprint(random.IntN(4))}
		if random.IntN(2) == 0 {
			metadata["fail"] = "yes"
		}
		e.ended(e.begin("", metadata))
		e.settled()
		times = append(times, models.Now())
		if _, err := e.webhooks.Ping(e.ctx, w.ID); enabled != (err == nil) {
			t.Fatal(err)
		}
		e.settled()
	}
	failing.Store(0)
	_, err := e.webhooks.Change(e.ctx, w.ID, func(now models.NewWebhook) (models.NewWebhook, error) {
		now.Enabled = true
		return now, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, since := range []time.Time{times[random.IntN(len(times))], {}} {
		rc.all()
		want := e.missed(w, since)
		n, err := e.webhooks.Replay(e.ctx, w.ID, since)
		if err != nil || n != len(want) {
			t.Fatalf("%d are replayed, want %d; %v", n, len(want), err)
		}
		e.settled()
		var got []string
		for _, a := range rc.all() {
			got = append(got, a.CallbackID)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("replayed\n%q, want\n%q", got, want)
		}
	}
	if n, err := e.webhooks.Replay(e.ctx, w.ID, time.Time{}); n != 0 || err != nil {
		t.Errorf("after all was replayed, %d are left; %v", n, err)
	}
}

// missed lists the callback_ids of the updates since then that a webhook wants
// and has not accepted, the plain way.
func (e *hookEngine) missed(w models.Webhook, since time.Time) []string {
	e.t.Helper()
	accepted := map[int64]bool{}
	for _, d := range e.deliveries(w.ID) {
		accepted[d.UpdateID] = d.Status == models.DeliveryDelivered
	}
	var updates []struct {
		ID         int64
		Type       string
		CallbackID string
		CreatedAt  time.Time
	}
	if err := e.store.Read(e.ctx).Table("updates").Order("id").Find(&updates).Error; err != nil {
		e.t.Fatal(err)
	}
	var ids []string
	for _, u := range updates {
		if u.Type != "webhook.ping" && w.Wants(u.Type) && !u.CreatedAt.Before(since) && !accepted[u.ID] {
			ids = append(ids, u.CallbackID)
		}
	}
	return ids
}

// TestWebhookReplayIsBounded: a large replay takes several requests.
func TestWebhookReplayIsBounded(t *testing.T) {
	e := newHookEngine(t)
	e.webhooks.replayLimit = 20
	rc := newHookReceiver(t, nil)
	var last models.Task
	for range 45 {
		last = e.begin("", nil)
	}
	e.ended(last)
	w := e.register(rc.URL, "order.created")
	for _, want := range []int{20, 20, 5, 0} {
		if n, err := e.webhooks.Replay(e.ctx, w.ID, time.Time{}); n != want || err != nil {
			t.Fatalf("%d are replayed, want %d; %v", n, want, err)
		}
	}
	e.settled()
	if got := len(rc.all()); got != 45 {
		t.Errorf("%d came", got)
	}
}

// TestWebhookReplayToAReceiverThatFails: what fails is tried again by itself, and
// nothing is lost.
func TestWebhookReplayToAReceiverThatFails(t *testing.T) {
	waits := slices.Repeat([]time.Duration{5 * time.Millisecond}, 50)
	e := newHookEngine(t, waits...)
	for range 30 {
		e.ended(e.begin("", nil))
	}
	var n atomic.Int64
	rc := newHookReceiver(t, func(callbacks.Update) int {
		if n.Add(1)%3 == 0 {
			return 503
		}
		return 200
	})
	w := e.register(rc.URL, "*")
	if n, err := e.webhooks.Replay(e.ctx, w.ID, time.Time{}); n != 60 || err != nil {
		t.Fatalf("%d replayed, %v", n, err)
	}
	e.settled()
	began := map[string]bool{}
	accepted := 0
	for _, a := range rc.all() {
		if a.status != 200 {
			continue
		}
		accepted++
		if a.Terminal() && !began[a.TaskID] {
			t.Errorf("the end of task %s came before its beginning", a.TaskID)
		}
		began[a.TaskID] = true
	}
	if accepted != 60 {
		t.Errorf("%d were accepted", accepted)
	}
}
