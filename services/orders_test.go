package services

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/services/task"
)

// TestOrderIsToldTheSameEverywhere follows one order live, by callback and in
// the database.
func TestOrderIsToldTheSameEverywhere(t *testing.T) {
	e := newEngine(t, options{step: 2 * 20 * time.Millisecond})
	rc := newReceiver(t, nil)
	for _, slug := range []string{"a", "b", "c"} {
		e.product(slug, 5)
	}
	live := e.hub.Subscribe("", 100)
	if err := e.hub.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	order := e.order(rc.URL, "a", "b", "c")
	task := e.ended(order.TaskID)
	e.drain()
	e.hub.Close()

	stored := e.updates(task.ID)
	var types []string
	for i, u := range stored {
		types = append(types, u.Type)
		if u.Sequence != int64(i+1) {
			t.Errorf("update %d has sequence %d", i+1, u.Sequence)
		}
	}
	if want := []string{"order.created", "order.progress", "order.progress", "order.progress", "order.completed"}; !slices.Equal(types, want) {
		t.Errorf("told %v, want %v", types, want)
	}
	i := 0
	for lot := range live.C {
		for _, u := range lot {
			if i >= len(stored) || u.Body != stored[i].Body || u.ID != stored[i].ID {
				t.Errorf("live update %d differs from what is stored: %s", i, u.Body)
			}
			i++
		}
	}
	if i != len(stored) {
		t.Errorf("%d updates live, %d stored", i, len(stored))
	}
	close(rc.arrived)
	var before int64
	for a := range rc.arrived {
		if a.Sequence <= before || a.Body != stored[a.Sequence-1].Body {
			t.Errorf("after callback %d came %s", before, a.Body)
		}
		if a.OrderID != order.ID || a.Metadata["cart"] != "7" {
			t.Errorf("got %+v", a.Update)
		}
		before = a.Sequence
	}
	if before != int64(len(stored)) {
		t.Errorf("the last callback had sequence %d of %d", before, len(stored))
	}
	var result packed
	if err := json.Unmarshal(task.Result, &result); err != nil || result.Items != 3 || result.Total != 750 || result.Summary != "3 items, 7.50 USD: your order is ready" {
		t.Errorf("result %s, %v", task.Result, err)
	}
	for _, slug := range []string{"a", "b", "c"} {
		if got := e.stock(slug); got != 4 {
			t.Errorf("%d of %s left", got, slug)
		}
	}
}

func TestOrderOutOfStock(t *testing.T) {
	e := newEngine(t, options{})
	rc := newReceiver(t, nil)
	e.product("plenty", 5)
	e.product("none", 0)
	order := e.order(rc.URL, "plenty", "none")
	u := rc.last(order.TaskID)
	if u.Type != "order.failed" || u.Error == nil || u.Error.Code != CodeOutOfStock {
		t.Errorf("got %s", u.Body)
	}
	var result struct {
		Error *callbacks.Error `json:"error"`
	}
	if err := json.Unmarshal(u.Result, &result); err != nil || result.Error == nil || *result.Error != *u.Error {
		t.Errorf("result %s does not repeat the error, as the article reads it", u.Result)
	}
	if e.stock("plenty") != 5 || e.stock("none") != 0 {
		t.Error("a failed order took something from the stock")
	}
}

func TestLastItemIsSoldOnce(t *testing.T) {
	const buyers = 20
	e := newEngine(t, options{})
	e.product("rare", 1)
	ids := make([]string, buyers)
	var all sync.WaitGroup
	for i := range buyers {
		all.Go(func() { ids[i] = e.order("", "rare").TaskID })
	}
	all.Wait()
	count := map[string]int{}
	for _, id := range ids {
		count[e.ended(id).Status]++
	}
	if count[models.StatusCompleted] != 1 || count[models.StatusFailed] != buyers-1 || e.stock("rare") != 0 {
		t.Errorf("got %v, %d left", count, e.stock("rare"))
	}
}

func TestOrderErrors(t *testing.T) {
	e := newEngine(t, options{idle: true})
	ctx := within(t)
	e.product("usd", 1)
	if _, err := e.products.Create(ctx, models.Product{Slug: "eur", Name: "eur", Currency: "EUR"}); err != nil {
		t.Fatal(err)
	}
	for _, slugs := range [][]string{{"usd", "nope"}, {"usd", "eur"}} {
		var lines []models.OrderLine
		for _, slug := range slugs {
			lines = append(lines, models.OrderLine{Product: slug, Quantity: 1, Field: "f_" + slug})
		}
		_, err := e.orders.Create(ctx, models.NewOrder{Lines: lines})
		var wrong *models.Error
		if !errors.As(err, &wrong) || wrong.Code != models.CodeInvalid || wrong.Fields[0].Field != "f_"+slugs[1] {
			t.Errorf("%v: %v", slugs, err)
		}
	}
	for what, err := range map[string]error{
		"get":    second(e.orders.Get(ctx, "ord_x")),
		"cancel": second(e.orders.Cancel(ctx, "ord_x")),
		"change": second(e.orders.Change(ctx, "ord_x", func(*models.Task) error { return nil })),
		"delete": e.orders.Delete(ctx, "ord_x"),
		"task":   second(e.tasks.Get(ctx, "task_x")),
		"wait":   second(e.tasks.Wait(ctx, "task_x", time.Hour)),
	} {
		if models.Code(err) != models.CodeNotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestCancel(t *testing.T) {
	t.Run("before it runs", func(t *testing.T) {
		e := newEngine(t, options{idle: true})
		rc := newReceiver(t, nil)
		e.product("a", 1)
		order := e.order(rc.URL, "a")
		cancelOrder(t, e, order)
		e.start()
		checkCancelled(t, e, rc, order)
	})
	t.Run("while it runs", func(t *testing.T) {
		e := newEngine(t, options{step: time.Hour})
		rc := newReceiver(t, nil)
		e.product("a", 1)
		order := e.order(rc.URL, "a")
		if u := rc.next(); u.Type != "order.progress" || e.stock("a") != 0 {
			t.Errorf("got %s, %d left", u.Body, e.stock("a"))
		}
		if err := e.orders.Delete(within(t), order.ID); models.Code(err) != models.CodeConflict {
			t.Errorf("deleting a running order: %v", err)
		}
		cancelOrder(t, e, order)
		checkCancelled(t, e, rc, order)
	})
	t.Run("after it ended", func(t *testing.T) {
		e := newEngine(t, options{})
		e.product("a", 1)
		order := e.order("", "a")
		e.ended(order.TaskID)
		if _, err := e.orders.Cancel(within(t), order.ID); models.Code(err) != models.CodeConflict {
			t.Errorf("cancelling: %v", err)
		}
		_, err := e.orders.Change(within(t), order.ID, func(*models.Task) error { return nil })
		if models.Code(err) != models.CodeConflict {
			t.Errorf("changing: %v", err)
		}
		if e.stock("a") != 0 {
			t.Error("the stock came back")
		}
		if err := e.orders.Delete(within(t), order.ID); err != nil {
			t.Error(err)
		}
		if updates := e.updates(order.TaskID); len(updates) == 0 {
			t.Error("the updates of a deleted order are gone")
		}
	})
}

func cancelOrder(t *testing.T, e *engine, order models.Order) {
	t.Helper()
	got, err := e.orders.Cancel(within(t), order.ID)
	if err != nil || got.Task.Status != models.StatusCancelled {
		t.Fatalf("got %+v, %v", got.Task, err)
	}
}

func checkCancelled(t *testing.T, e *engine, rc *receiver, order models.Order) {
	t.Helper()
	if u := rc.last(order.TaskID); u.Type != "order.cancelled" || u.Status != callbacks.StatusCancelled {
		t.Errorf("got %s", u.Body)
	}
	e.drain()
	rc.nothingMore()
	if e.stock("a") != 1 {
		t.Error("the stock did not come back")
	}
	d, _ := e.lastSent(order.TaskID)
	if d.Status != models.DeliveryDelivered || d.Attempts != 1 {
		t.Errorf("got %+v", d)
	}
}

// TestCancelWhileWaitingForAnotherRun: a task whose run met an error of our own
// may wait minutes for the next one. Its cancellation is told at once.
func TestCancelWhileWaitingForAnotherRun(t *testing.T) {
	e := newEngine(t, options{idle: true, operations: []task.Operation{operation(
		func(context.Context, *models.Task, task.Progress) (any, error) { return nil, errors.New("own") })}})
	rc := newReceiver(t, nil)
	begun := e.begin(rc.URL)
	if again, err := e.tasks.Run(within(t), begun.ID, nil); again == 0 || err != nil {
		t.Fatal("the run did not fail", err)
	}
	e.exec("UPDATE tasks SET run_at = ?", models.Now().Add(time.Hour))
	e.start()
	if _, err := e.tasks.Cancel(within(t), begun.ID); err != nil {
		t.Fatal(err)
	}
	if a := rc.last(begun.ID); a.Status != callbacks.StatusCancelled {
		t.Errorf("got %s", a.Body)
	}
}

// TestCancelAtTheEndOfAFailedRun cancels when the operation has returned an
// error, and its last progress is still under way: nobody but the run that ends
// is left to tell of it.
func TestCancelAtTheEndOfAFailedRun(t *testing.T) {
	underWay, release := make(chan struct{}), make(chan struct{})
	rc := newReceiver(t, func(_ http.ResponseWriter, a arrival) {
		if !a.Terminal() {
			close(underWay)
			<-release
		}
	})
	e := newEngine(t, options{operations: []task.Operation{operation(func(_ context.Context, _ *models.Task, report task.Progress) (any, error) {
		err := report(10, "Working")
		<-underWay
		return nil, errors.Join(err, errors.New("own"))
	})}})
	task := e.begin(rc.URL)
	<-underWay
	if _, err := e.tasks.Cancel(within(t), task.ID); err != nil {
		t.Fatal(err)
	}
	close(release)
	if a := rc.last(task.ID); a.Status != callbacks.StatusCancelled {
		t.Errorf("got %s", a.Body)
	}
}

// TestChangeWhileProcessing changes whom an order calls back, and what it tells
// them, between two reports.
func TestChangeWhileProcessing(t *testing.T) {
	proceed := make(chan struct{})
	e := newEngine(t, options{waits: []time.Duration{time.Hour}, operations: []task.Operation{{
		Kind: callbacks.KindOrder.Name,
		Run: func(_ context.Context, _ *models.Task, report task.Progress) (any, error) {
			err := report(10, "One")
			<-proceed
			return nil, errors.Join(err, report(20, "Two"))
		},
	}}})
	before, after := newReceiver(t, statuses(500)), newReceiver(t, nil) // the retry comes later than the end
	e.product("a", 1)
	order := e.order(before.URL, "a")
	before.next()
	_, err := e.orders.Change(within(t), order.ID, func(task *models.Task) error {
		task.CallbackURL, task.Metadata = after.URL, models.Metadata{"cart": "8"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	close(proceed)
	if a := after.last(order.TaskID); a.Metadata["cart"] != "8" || len(a.Metadata) != 1 {
		t.Errorf("got %s", a.Body)
	}
	e.drain()
	for _, d := range e.sent(order.TaskID) {
		if d.Status == models.DeliveryPending {
			t.Errorf("nobody will see to %s at %s", d.Type, d.URL)
		}
		if d.URL == before.URL && d.Status != models.DeliverySuperseded {
			t.Errorf("progress that the old URL refused is %s", d.Status)
		}
	}
}

// TestPackingGoesOn: a run after one that was killed packs what that had begun, and
// the rest; what was told is not told again.
func TestPackingGoesOn(t *testing.T) {
	order := models.Order{ID: "ord_1", Currency: "USD", Items: []models.OrderItem{{Quantity: 1}, {Quantity: 2}, {Quantity: 3}}}
	all := []string{"Packing item 1 of 3", "Packing item 2 of 3", "Packing item 3 of 3"}
	for told := range all {
		order.Packing = told
		work := models.Task{ResourceID: order.ID, Resource: order}
		var messages []string
		result, err := NewPacking(nil, nil, 0).Run(t.Context(), &work, func(_ int, message string, _ ...func(*models.Tx) error) error {
			messages = append(messages, message)
			return nil
		})
		if packed, ok := result.(packed); err != nil || !ok || packed.Items != 6 || !slices.Equal(messages, all[told:]) {
			t.Errorf("after %d messages come %v, and %+v, %v", told, messages, result, err)
		}
	}
}
