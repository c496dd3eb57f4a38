package models

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"petstore/models/db"

	"gorm.io/gorm"
)

// States of a host's circuit breaker.
const (
	HostClosed   = "closed"    // everything is sent
	HostOpen     = "open"      // nothing is sent before the next probe
	HostHalfOpen = "half_open" // one delivery is sent, to see whether the host answers again
)

// HostStatus says how it is with a host that deliveries go to. It is not stored.
type HostStatus struct {
	Host      string // scheme://host:port
	State     string // of its circuit breaker
	InFlight  int    // exchanges that are under way
	Waiting   int    // tasks with something to deliver that wait in memory
	More      bool   // more may be due in the database
	Failures  int    // in a row
	Error     string // of the latest failure
	OpenSince *time.Time
	ProbeAt   *time.Time
	DueAt     *time.Time // when the next delivery that waits for a retry is due
}

// DueHost is a host for which deliveries are pending.
type DueHost struct {
	Host string
	At   time.Time // when the first of them is due
}

// NextDueHost finds the host after another that has deliveries pending: false at
// the end. It jumps from host to host along an index, however many each has.
func NextDueHost(view *gorm.DB, after string) (h DueHost, found bool, err error) {
	err = db.QueryRow(view, `SELECT host, next_attempt_at FROM deliveries
		WHERE status = 'pending' AND next_attempt_at IS NOT NULL AND host > ? ORDER BY host, next_attempt_at, id LIMIT 1`, after).Scan(&h.Host, &h.At)
	if errors.Is(err, sql.ErrNoRows) {
		return h, false, nil
	}
	return h, true, wrap(err, "looking for hosts to deliver to")
}

// DueDeliveries lists the deliveries to a host that are due at a time, those that
// are due longest first, and their updates; limit at most. Of those that other
// servers have claimed it lists none.
func DueDeliveries(db *gorm.DB, host, server string, now time.Time, limit int) ([]Delivery, error) {
	ds, err := deliveriesOf(db.Where("host = ? AND status = 'pending' AND next_attempt_at IS NOT NULL AND next_attempt_at <= ? AND (claimed_by = '' OR claimed_by = ?)", host, now, server).
		Order("next_attempt_at, id").Limit(limit))
	return ds, wrap(err, "listing what is due to %s", host)
}

// ClaimDeliveries takes those of the deliveries for a server that are still due and
// that no other has taken, and returns their ids. Only where servers share a database.
func ClaimDeliveries(tx *Tx, ids []string, server string) (map[string]bool, error) {
	var claimed []string
	err := tx.Raw(`UPDATE deliveries SET claimed_by = ? WHERE id IN (SELECT id FROM deliveries WHERE id IN ? AND status = 'pending'
		AND next_attempt_at <= ? AND (claimed_by = '' OR claimed_by = ?) ORDER BY id FOR UPDATE SKIP LOCKED) RETURNING id`,
		server, ids, Now(), server).Scan(&claimed).Error
	if err != nil {
		return nil, fmt.Errorf("claiming %d deliveries: %w", len(ids), err)
	}
	set := make(map[string]bool, len(claimed))
	for _, id := range claimed {
		set[id] = true
	}
	return set, nil
}

// NextDue is when the next delivery to a host is due after a time; nil for never.
func NextDue(db *gorm.DB, host string, after time.Time) (*time.Time, error) {
	var at []time.Time
	err := db.Model(&Delivery{}).Where("host = ? AND status = 'pending' AND next_attempt_at IS NOT NULL AND next_attempt_at > ?", host, after).
		Order("next_attempt_at").Limit(1).Pluck("next_attempt_at", &at).Error
	if err != nil || len(at) == 0 {
		return nil, err
	}
	return &at[0], nil
}

// ExhaustDeliveries gives up deliveries to a host that have been due since before a
// time, limit at most, and returns how many those are.
func ExhaustDeliveries(tx *Tx, host string, dueBefore time.Time, reason string, limit int) (int64, error) {
	rows, err := tx.Write(`UPDATE deliveries SET status = 'exhausted', error = ?, next_attempt_at = NULL, claimed_by = '', updated_at = ? WHERE id IN
		(SELECT id FROM deliveries WHERE host = ? AND status = 'pending' AND next_attempt_at IS NOT NULL AND next_attempt_at < ? ORDER BY next_attempt_at LIMIT ?)`,
		reason, Now(), host, dueBefore, limit)
	return rows, wrap(err, "giving up what is due to %s", host)
}
