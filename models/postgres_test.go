package models

import (
	"sync"
	"testing"
	"time"

	"petstore/models/postgrestest"
)

// onPostgres is the test whose parts run on PostgreSQL.
const onPostgres = "TestOnPostgres"

// TestOnPostgres repeats the tests of what both engines promise.
func TestOnPostgres(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"pages": TestPagesCoverTheList, "filters": TestProductFilters, "search": TestProductSearch, "last item": TestLastItemIsTakenOnce,
		"violations": TestViolationsAreTranslated, "times": TestTimesRoundTrip, "task": TestTaskAdvances,
		"attempt": TestSaveAttempt, "headers": TestAttemptKeepsHeaders,
		"delivery filters": TestDeliveryFilters,
	} {
		t.Run(name, test)
	}
}

// TestPostgresTurn: a delivery that asks for its turn while the outcome of the one
// before it is being stored waits for that, and then has its turn: who stores the
// outcome may have looked for it too early to wake it.
func TestPostgresTurn(t *testing.T) {
	s := openStore(t, postgrestest.URL(t))
	earlier := newDelivery(t, s)
	inTx(t, s, func(tx *Tx) error { return tx.Exec("UPDATE deliveries SET webhook_id = 'whk_1'").Error })
	stored, asked := make(chan struct{}), make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		defer close(asked)
		<-stored
		inTx(t, s, func(tx *Tx) error {
			if err := tx.Exec("SELECT 1").Error; err != nil { // this, too
				return err
			}
			now := Now()
			d := &Delivery{TaskID: earlier.TaskID, WebhookID: "whk_1", Sequence: earlier.Sequence + 1, NextAttemptAt: &now}
			err := waitForEarlier(tx, d)
			if d.NextAttemptAt == nil {
				t.Error("it waits for a delivery that is delivered")
			}
			return err
		})
	})
	inTx(t, s, func(tx *Tx) error {
		if err := tx.Exec("SELECT 1").Error; err != nil { // a transaction of its own
			return err
		}
		earlier.Status = DeliveryDelivered
		if _, err := SaveAttempt(tx, earlier, &Attempt{DeliveryID: earlier.ID, StartedAt: Now()}, earlier.RetryCount); err != nil {
			return err
		}
		close(stored)
		return untilBlocked(t, s, asked)
	})
	asking.Wait()
}

// untilBlocked waits until a transaction waits for another, or is done.
func untilBlocked(t *testing.T, s *Store, done <-chan struct{}) error {
	t.Helper()
	for ctx := within(t); ; {
		var blocked int
		err := s.Read(ctx).Raw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Row().Scan(&blocked)
		if err != nil || blocked > 0 {
			return err
		}
		select {
		case <-done:
			return nil
		case <-time.After(time.Millisecond):
		}
	}
}
