package services

import (
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"petstore/models"
)

// TestClockSetBack (reliability 10): the clock is set back a day while a callback waits for its retry. It is made when the
// schedule says, counted from when the clock is looked at again, and not a day later.
func TestClockSetBack(t *testing.T) {
	var well atomic.Bool
	rc := newReceiver(t, func(w http.ResponseWriter, _ arrival) {
		if !well.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	e := newEngine(t, options{operations: quick(), waits: []time.Duration{time.Hour, time.Hour}})
	begun := e.begin(rc.URL)
	rc.next()
	e = e.restart(func(o *options) { o.idle = true })
	before, _ := e.lastSent(begun.ID)
	yesterday := time.Now().Add(24 * time.Hour) // as the clock said then
	e.exec("UPDATE deliveries SET updated_at = ?, next_attempt_at = ?", yesterday, yesterday.Add(10*time.Millisecond))
	well.Store(true)
	e.start()
	if a := rc.next(); a.CallbackID != before.CallbackID || a.Attempt != 2 {
		t.Errorf("got %+v", a)
	}
	e.drain()
	if d, _ := e.lastSent(begun.ID); d.Status != models.DeliveryDelivered {
		t.Errorf("got %+v", d)
	}
}

// TestLinesAboutReceivers (reliability 14): that a host fails, that a callback is given up, and that the host is there again are
// lines of the log.
func TestLinesAboutReceivers(t *testing.T) {
	logged := captureLog(t, slog.LevelInfo)
	var status atomic.Int64
	status.Store(http.StatusServiceUnavailable)
	rc := newReceiver(t, func(w http.ResponseWriter, _ arrival) { w.WriteHeader(int(status.Load())) })
	e := newEngine(t, options{operations: quick()})
	expect := func(message string) {
		t.Helper()
		for timeout := time.After(20 * time.Second); ; {
			select {
			case line := <-logged:
				if strings.Contains(line, message) {
					return
				}
			case <-timeout:
				t.Fatalf("no line says: %s", message)
			}
		}
	}
	e.begin(rc.URL)
	expect("A host is unavailable; its deliveries are retried.")
	expect("A delivery has exhausted its retries.")
	status.Store(http.StatusOK)
	e.begin(rc.URL)
	expect("A host answers again.")
	status.Store(http.StatusUnauthorized)
	e.begin(rc.URL)
	expect("does the receiver have the same secret?")
}
