package callbacks

import (
	"math/rand/v2"
	"time"
)

// Schedule says when a failed delivery is tried again.
type Schedule struct {
	// Waits holds the longest wait after each failed attempt. When they are used up, the delivery is exhausted: it
	// has then been tried len(Waits)+1 times.
	Waits []time.Duration
	// Rand returns numbers in [0, 1) and is called from many goroutines; nil is [rand.Float64].
	Rand func() float64
}

// DevelopmentSchedule doubles from 1 s and gives up after 8 attempts, about two minutes: one sees it happen.
func DevelopmentSchedule() Schedule {
	return Schedule{Waits: []time.Duration{
		1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second,
		16 * time.Second, 32 * time.Second, 60 * time.Second,
	}}
}

// ProductionSchedule makes 9 attempts over at most 37 h 35 min 5 s, Retry-After not counted, so that a receiver may be
// down overnight. Its first waits are those of the example in Standard Webhooks.
func ProductionSchedule() Schedule {
	return Schedule{Waits: []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
		5 * time.Hour, 10 * time.Hour, 10 * time.Hour, 10 * time.Hour,
	}}
}

// Next returns how long to wait after the given number of attempts has failed, or false if that was the last.
//
// The wait has full jitter: it is anywhere between nothing and its place in Waits, so that the callbacks held up by
// one outage don't all come back at once. What the receiver asked for in Retry-After is waited first, and the
// jitter comes on top, for the same reason.
func (s Schedule) Next(attempts int, retryAfter time.Duration) (wait time.Duration, ok bool) {
	if attempts < 1 {
		return max(0, retryAfter), true
	}
	if attempts > len(s.Waits) {
		return 0, false
	}
	random := s.Rand
	if random == nil {
		random = rand.Float64
	}
	jitter := time.Duration(random() * float64(s.Waits[attempts-1]))
	return max(0, retryAfter) + jitter, true
}
