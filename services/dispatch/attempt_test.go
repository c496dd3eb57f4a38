package dispatch

import (
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
)

// TestDueTimesAreWholeMilliseconds: times are stored and compared in
// milliseconds, so a due time between two of them would not be due when its
// line looks for it.
func TestDueTimesAreWholeMilliseconds(t *testing.T) {
	c := New(nil, Options{Schedule: callbacks.Schedule{Waits: []time.Duration{time.Second}}})
	for range 100 {
		d := &models.Delivery{}
		before := models.Now()
		c.decide(d, callbacks.Attempt{Status: 500})
		if *d.NextAttemptAt != d.NextAttemptAt.Truncate(time.Millisecond) || d.NextAttemptAt.Sub(before) < time.Millisecond {
			t.Fatalf("due at %v", d.NextAttemptAt)
		}
	}
}
