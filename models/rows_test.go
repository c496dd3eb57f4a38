package models

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"petstore/callbacks"

	"gorm.io/gorm"
)

func TestViolationsAreTranslated(t *testing.T) {
	s := newStore(t)
	p := addProduct(t, s, "a", 1)
	err := s.InTx(within(t), func(tx *Tx) error { return CreateProduct(tx, product("a", 1)) })
	var taken *Error
	if !errors.As(err, &taken) || taken.Code != CodeConflict || taken.Fields[0].Field != "slug" {
		t.Errorf("a slug that is taken: %v", err)
	}
	for what, test := range map[string]struct {
		fn   func(tx *Tx) error
		want error
	}{
		"primary key": {func(tx *Tx) error { q := product("b", 1); q.ID = p.ID; return tx.Create(q).Error }, gorm.ErrDuplicatedKey},
		"foreign key": {func(tx *Tx) error {
			return tx.Create(&OrderItem{OrderID: "ord_x", Quantity: 1}).Error
		}, gorm.ErrForeignKeyViolated},
	} {
		if err := s.InTx(within(t), test.fn); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	err = s.InTx(within(t), func(tx *Tx) error {
		return tx.Exec("UPDATE products SET stock = -1").Error
	})
	if err == nil || Code(err) != "" {
		t.Errorf("a stock below zero: %v", err)
	}
}

// TestTimesRoundTrip: what is read back equals what was written, and times
// compare in the database as they do in Go, whatever their fraction.
func TestTimesRoundTrip(t *testing.T) {
	s := newStore(t)
	base := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	times := []time.Time{base, base.Add(time.Millisecond), base.Add(10 * time.Millisecond), base.Add(99 * time.Millisecond),
		base.Add(100 * time.Millisecond), base.Add(999 * time.Millisecond), base.Add(time.Second)}
	for i, at := range times {
		p := product(fmt.Sprint(i), 1)
		p.CreatedAt, p.UpdatedAt = at, at
		inTx(t, s, func(tx *Tx) error { return CreateProduct(tx, p) })
	}
	for i, at := range times {
		p, err := FindProduct(s.Read(within(t)), fmt.Sprint(i))
		if err != nil || !p.CreatedAt.Equal(at) || p.CreatedAt.Format(time.RFC3339Nano) != at.Format(time.RFC3339Nano) {
			t.Errorf("%v was read as %v, %v", at, p.CreatedAt, err)
		}
		var earlier int64
		if err := s.Read(within(t)).Model(&Product{}).Where("created_at < ?", at).Count(&earlier).Error; err != nil || earlier != int64(i) {
			t.Errorf("%d are before %v, want %d, %v", earlier, at, i, err)
		}
	}
}

func TestNowIsWhatAMessageCanCarry(t *testing.T) {
	if now := Now(); now.Location() != time.UTC || now != now.Truncate(time.Millisecond) {
		t.Errorf("got %v", now)
	}
}

func TestIDsGrow(t *testing.T) {
	var before string
	for range 10_000 {
		id := NewID(callbacks.KindOrder.Prefix)
		if id <= before || !strings.HasPrefix(id, callbacks.KindOrder.Prefix) || len(id) != len(callbacks.KindOrder.Prefix)+32 {
			t.Fatalf("%s after %s", id, before)
		}
		before = id
	}
}

func TestTaskAdvances(t *testing.T) {
	s := newStore(t)
	row := task(1)
	inTx(t, s, func(tx *Tx) error { return CreateTask(tx, row) })
	inTx(t, s, func(tx *Tx) error { return ChangeTask(tx, &Task{ID: row.ID, CallbackURL: "http://other.test/"}) })
	running := *row
	running.Progress, running.Message = 40, "Working"
	advance := func() (changed bool) {
		running.Sequence++
		inTx(t, s, func(tx *Tx) (err error) {
			changed, err = AdvanceTask(tx, &running)
			return err
		})
		return changed
	}
	drafted := Now().Add(-time.Hour) // before that change
	running.UpdatedAt = drafted
	if !advance() || !running.UpdatedAt.After(drafted) || running.Sequence != 2 || running.CallbackURL != "http://other.test/" || running.Metadata == nil || len(running.Metadata) != 0 {
		t.Errorf("what changed meanwhile was not read: %+v", running)
	}
	running.Status, running.Result = StatusCompleted, []byte(`{"a":1}`)
	if advance() {
		t.Error("what has not changed is said to have")
	}
	for sequence := range int64(5) {
		late := running
		late.Sequence = sequence
		err := s.InTx(within(t), func(tx *Tx) error {
			_, err := AdvanceTask(tx, &late)
			return err
		})
		if !errors.Is(err, ErrTaskEnded) {
			t.Errorf("advancing an ended task: %v", err)
		}
	}
	got, err := FindTask(s.Read(within(t)), row.ID)
	if err != nil || !got.Ended() || got.Sequence != 3 || string(got.Result) != `{"a":1}` || !got.UpdatedAt.Equal(running.UpdatedAt) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// newDelivery stores a task, an update and a delivery of it that is due.
func newDelivery(t *testing.T, s *Store) *Delivery {
	t.Helper()
	row := task(1)
	u := Update{CallbackID: NewID(PrefixCallback), TaskID: row.ID, Kind: "order", ResourceID: row.ResourceID, Sequence: 1,
		Type: "order.progress", Status: StatusProcessing, Body: "{}", CreatedAt: Now()}
	d := NewDelivery(u, "", row.CallbackURL)
	inTx(t, s, func(tx *Tx) error {
		err := errors.Join(CreateTask(tx, row), CreateUpdate(tx, &u))
		d.UpdateID = u.ID
		_, creating := CreateDelivery(tx, d)
		return errors.Join(err, creating)
	})
	return d
}

// TestSaveAttempt stores what came of an attempt, in every state that the
// delivery may have come to meanwhile.
func TestSaveAttempt(t *testing.T) {
	nothing := func(*Tx, string) error { return nil }
	finish := func(status string) func(tx *Tx, id string) error {
		return func(tx *Tx, id string) error {
			return tx.Exec("UPDATE deliveries SET status = ?, next_attempt_at = NULL WHERE id = ?", status, id).Error
		}
	}
	renew := func(tx *Tx, id string) error {
		return tx.Exec("UPDATE deliveries SET next_attempt_at = ?, round = 7 WHERE id = ?", Now().Add(time.Minute), id).Error
	}
	supersede := finish(DeliverySuperseded)
	for _, test := range []struct {
		name      string
		meanwhile func(tx *Tx, id string) error
		outcome   string
		want      string
		ours      bool
	}{
		{"delivered", nothing, DeliveryDelivered, DeliveryDelivered, true},
		{"failed", nothing, DeliveryPending, DeliveryPending, true},
		{"failed for good", nothing, DeliveryExhausted, DeliveryExhausted, true},
		{"delivered, superseded", supersede, DeliveryDelivered, DeliveryDelivered, true},
		{"failed, superseded", supersede, DeliveryPending, DeliverySuperseded, false},
		{"delivered, renewed", renew, DeliveryDelivered, DeliveryDelivered, true},
		{"failed for good, renewed", renew, DeliveryExhausted, DeliveryPending, false},
		{"failed, delivered by another", finish(DeliveryDelivered), DeliveryPending, DeliveryDelivered, false},
		{"failed, gone", finish(DeliveryGone), DeliveryPending, DeliveryGone, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStore(t)
			d := newDelivery(t, s)
			for n := 1; n <= 2; n++ { // the number counts on, whatever the caller believes
				round, next := d.RetryCount, Now().Add(time.Hour)
				inTx(t, s, func(tx *Tx) error { return test.meanwhile(tx, d.ID) })
				outcome := *d
				outcome.Status, outcome.Attempts, outcome.StatusCode = test.outcome, d.Attempts, 0
				if test.outcome == DeliveryPending {
					outcome.NextAttemptAt = &next
				} else {
					outcome.NextAttemptAt = nil
				}
				if test.outcome == DeliveryDelivered {
					outcome.DeliveredAt = &next
				}
				a := &Attempt{DeliveryID: d.ID, StartedAt: Now(), Duration: time.Second, Error: "timed out"}
				var ours bool
				inTx(t, s, func(tx *Tx) (err error) { ours, err = SaveAttempt(tx, &outcome, a, round); return err })
				got, err := FindDelivery(s.Read(within(t)), d.ID)
				if err != nil || got.Status != test.want || got.Attempts != n || a.Number != n || outcome.Attempts != n {
					t.Fatalf("got %+v, %v", got, err)
				}
				if n == 1 && ours != test.ours {
					t.Errorf("ours: %v", ours)
				}
				if (got.NextAttemptAt != nil) != (got.Status == DeliveryPending) {
					t.Errorf("%s, and due at %v", got.Status, got.NextAttemptAt)
				}
			}
			attempts, err := DeliveryAttempts(s.Read(within(t)), d.ID, Page{Limit: 100})
			if err != nil || len(attempts.Items) != 2 || attempts.Items[0].Duration != time.Second || attempts.Items[0].Headers == nil {
				t.Errorf("got %+v, %v", attempts, err)
			}
		})
	}
}

func TestAttemptKeepsHeaders(t *testing.T) {
	s := newStore(t)
	d := newDelivery(t, s)
	a := &Attempt{DeliveryID: d.ID, StartedAt: Now(), Headers: http.Header{"X-One": {"1", "2"}}, Body: "é", Address: "[::1]:80"}
	inTx(t, s, func(tx *Tx) error { _, err := SaveAttempt(tx, d, a, d.RetryCount); return err })
	got, err := DeliveryAttempts(s.Read(within(t)), d.ID, Page{Limit: 100})
	if err != nil || len(got.Items) != 1 || !slices.Equal(got.Items[0].Headers["X-One"], []string{"1", "2"}) || got.Items[0].Body != "é" || !got.Items[0].StartedAt.Equal(a.StartedAt) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDeliveryFilters(t *testing.T) {
	s := newStore(t)
	d := newDelivery(t, s)
	newDelivery(t, s)
	inTx(t, s, func(tx *Tx) error {
		return tx.Exec("UPDATE deliveries SET url = 'http://x.test/', status = 'gone' WHERE id = ?", d.ID).Error
	})
	for name, test := range map[string]struct {
		filter DeliveryFilter
		want   int
	}{
		"all":      {DeliveryFilter{}, 2},
		"resource": {DeliveryFilter{OrderID: "ord_1"}, 2},
		"nobody":   {DeliveryFilter{OrderID: "ord_2"}, 0},
		"task":     {DeliveryFilter{TaskID: d.TaskID}, 1},
		"callback": {DeliveryFilter{CallbackID: d.CallbackID}, 1},
		"status":   {DeliveryFilter{Status: DeliveryGone}, 1},
		"url":      {DeliveryFilter{URL: "http://x.test/"}, 1},
		"together": {DeliveryFilter{URL: "http://x.test/", Status: DeliveryPending}, 0},
	} {
		list, err := ListDeliveries(s.Read(within(t)), test.filter, Page{Limit: 10})
		if err != nil || len(list.Items) != test.want {
			t.Errorf("%s: %d, %v", name, len(list.Items), err)
		}
		ids, err := MatchingDeliveries(s.Read(within(t)), test.filter, 10)
		if err != nil || len(ids) != test.want {
			t.Errorf("%s: %d ids, %v", name, len(ids), err)
		}
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("beneath")
	err := fmt.Errorf("doing: %w", &Error{Code: CodeInvalid, Message: "No.", Fields: []FieldError{{Field: "a", Message: "is wrong"}}, Err: cause})
	if Code(err) != CodeInvalid || !errors.Is(err, cause) || err.Error() != "doing: INVALID_REQUEST: No.; a is wrong: beneath" {
		t.Errorf("got %v", err)
	}
	if Code(cause) != "" || Code(nil) != "" {
		t.Error("an error of no kind has a code")
	}
}
