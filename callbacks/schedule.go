package callbacks

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Schedule says when a failed delivery is tried again.
type Schedule struct {
	// Waits holds the wait after each failed attempt, which jitter changes by up to 20 %. When they are used up, the delivery is exhausted: it
	// has then been tried len(Waits)+1 times.
	Waits []time.Duration
	// Rand returns numbers in [0, 1) and is called from many goroutines; nil is [rand.Float64].
	Rand func() float64
}

// DevelopmentSchedule doubles from 1 s and gives up after 8 attempts in 98 s to 148 s: one sees it happen.
func DevelopmentSchedule() Schedule {
	return Schedule{Waits: []time.Duration{
		1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second,
		16 * time.Second, 32 * time.Second, 60 * time.Second,
	}}
}

// ProductionSchedule makes 9 attempts in 30 h to 45 h, so that a receiver may be down for a day. Its first waits are those of the example in Standard Webhooks.
func ProductionSchedule() Schedule {
	return Schedule{Waits: []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
		5 * time.Hour, 10 * time.Hour, 10 * time.Hour, 10 * time.Hour,
	}}
}

// jitter is how far a wait may be from its place in Waits, as a part of it: enough that the callbacks held up by one
// outage don't all come back at once, and so little that the promised time is kept.
const jitter = 0.2

// ParseSchedule reads waits such as "1s,5s,30s": 1 to 100 of them, each from 0s to 168h (a week).
func ParseSchedule(list string) (Schedule, error) {
	var s Schedule
	for text := range strings.SplitSeq(list, ",") {
		wait, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || wait < 0 || wait > 7*24*time.Hour {
			return Schedule{}, fmt.Errorf("%q: want waits from 0s to 168h, such as 1s,5s,30s", text)
		}
		s.Waits = append(s.Waits, wait)
	}
	if len(s.Waits) > 100 {
		return Schedule{}, errors.New("want at most 100 waits")
	}
	return s, nil
}

// Next returns how long to wait after the given number of attempts has failed, or false if that was the last.
//
// The wait is its place in Waits, give or take 20 %. It is never shorter than what the receiver asked for in
// Retry-After, to which the same jitter is added.
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
	wait = s.Waits[attempts-1]
	spread := time.Duration(random() * 2 * jitter * float64(wait))
	return max(wait-part(wait)+spread, retryAfter+spread), true
}

// Total returns how long after its first attempt a delivery is tried for the last time: at least and at most, the time
// that the attempts themselves take and what receivers ask for in Retry-After not counted.
func (s Schedule) Total() (least, most time.Duration) {
	for _, wait := range s.Waits {
		least, most = least+wait-part(wait), most+wait+part(wait)
	}
	return least, most
}

func part(wait time.Duration) time.Duration { return time.Duration(jitter * float64(wait)) }
