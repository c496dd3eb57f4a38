package callbacks

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestScheduleTotal is faults 2: a receiver that is down for a minute, or in production for a day, loses nothing,
// whatever the jitter; and what the docs say of it is so.
func TestScheduleTotal(t *testing.T) {
	for _, test := range []struct {
		name     string
		schedule Schedule
		attempts int
		outage   time.Duration
	}{
		{"development", DevelopmentSchedule(), 8, 90 * time.Second},
		{"production", ProductionSchedule(), 9, 30 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			least, most := test.schedule.Total()
			for random, want := range map[float64]time.Duration{0: least, 0.5: (least + most) / 2, 1: most} {
				test.schedule.Rand = func() float64 { return random }
				var total time.Duration
				attempts := 1
				for wait, ok := test.schedule.Next(attempts, 0); ok; wait, ok = test.schedule.Next(attempts, 0) {
					total += wait
					attempts++
				}
				if attempts != test.attempts || (total-want).Abs() > time.Millisecond {
					t.Errorf("jitter %v: %d attempts in %v, want %v", random, attempts, total, want)
				}
			}
			if least < test.outage {
				t.Errorf("tried for %v at least, less than %v", least, test.outage)
			}
			readme, err := os.ReadFile("../README.md")
			if sum := fmt.Sprintf("| `%s` | %d | %v | %v |", test.name, test.attempts, least.Round(time.Second), most.Round(time.Second)); err != nil || !strings.Contains(string(readme), sum) {
				t.Errorf("README.md does not say %q, %v", sum, err)
			}
		})
	}
}

// TestRetryAfterCostsNothing (faults 2, another instance): a receiver that asks for time in Retry-After, each time or once,
// gets no attempt less for it, and is never given up before the promised time.
func TestRetryAfterCostsNothing(t *testing.T) {
	for _, schedule := range []Schedule{DevelopmentSchedule(), ProductionSchedule()} {
		least, _ := schedule.Total()
		for _, asked := range []time.Duration{-time.Hour, 0, time.Second, time.Minute, maxRetryAfter} {
			for once := range len(schedule.Waits) + 1 { // 0 is each time
				for _, random := range []float64{0, 0.999} {
					schedule.Rand = func() float64 { return random }
					total, attempts := time.Duration(0), 1
					for ; ; attempts++ {
						ask := asked
						if once != 0 && once != attempts {
							ask = 0
						}
						wait, again := schedule.Next(attempts, ask)
						if !again {
							break
						}
						if wait < ask {
							t.Errorf("asked for %v, waited %v", ask, wait)
						}
						total += wait
					}
					if attempts != len(schedule.Waits)+1 || total < least {
						t.Errorf("Retry-After %v: %d attempts in %v, want %d in %v at least", asked, attempts, total, len(schedule.Waits)+1, least)
					}
				}
			}
		}
	}
}

func TestScheduleNext(t *testing.T) {
	schedule := Schedule{Waits: []time.Duration{time.Second, time.Minute}}
	tests := []struct {
		attempts   int
		retryAfter time.Duration
		random     float64
		wait       time.Duration
		ok         bool
	}{
		{0, 0, 0.5, 0, true},
		{1, 0, 0, 800 * time.Millisecond, true},
		{1, 0, 0.25, 900 * time.Millisecond, true},
		{2, 0, 0.5, time.Minute, true},
		{1, 2 * time.Second, 0, 2 * time.Second, true},
		{1, 2 * time.Second, 0.5, 2200 * time.Millisecond, true},
		{2, 2 * time.Second, 0.5, time.Minute, true},
		{1, -time.Hour, 0, 800 * time.Millisecond, true},
		{3, 0, 0, 0, false},
		{3, time.Hour, 0, 0, false},
	}
	for _, test := range tests {
		schedule.Rand = func() float64 { return test.random }
		wait, ok := schedule.Next(test.attempts, test.retryAfter)
		if wait != test.wait || ok != test.ok {
			t.Errorf("Next(%d, %v) with %v: %v, %v", test.attempts, test.retryAfter, test.random, wait, ok)
		}
	}
}

func TestScheduleJitter(t *testing.T) {
	schedule := DevelopmentSchedule()
	low, high := time.Hour, time.Duration(0)
	for range 1000 {
		wait, _ := schedule.Next(7, 0)
		low, high = min(low, wait), max(high, wait)
	}
	if low < 48*time.Second || low > 51*time.Second || high > 72*time.Second || high < 69*time.Second {
		t.Errorf("1,000 waits lay between %v and %v", low, high)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		status int
		value  string
		want   time.Duration
	}{
		{503, "120", 2 * time.Minute},
		{429, " 1 ", time.Second},
		{503, "0", 0},
		{503, "86401", 24 * time.Hour},
		{503, "99999999999999999999999999", 24 * time.Hour},
		{503, "-1", 0},
		{503, "1.5", 0},
		{503, "soon", 0},
		{503, "", 0},
		{503, "Sun, 01 Mar 2026 12:00:30 GMT", 30 * time.Second},
		{503, "Sunday, 01-Mar-26 12:00:30 GMT", 30 * time.Second},
		{503, "Sun Mar  1 12:00:30 2026", 30 * time.Second},
		{503, "Sun, 01 Mar 2026 11:00:00 GMT", 0},
		{503, "Sun, 01 Mar 2099 11:00:00 GMT", 24 * time.Hour},
		{500, "120", 0},
		{200, "120", 0},
		{301, "120", 0},
	}
	for _, test := range tests {
		if got := retryAfter(test.status, http.Header{"Retry-After": {test.value}}, now); got != test.want {
			t.Errorf("%d %q: got %v, want %v", test.status, test.value, got, test.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Sun, 01 Mar 2026 12:00:30 GMT")
	f.Fuzz(func(t *testing.T, value string) {
		if got := retryAfter(503, http.Header{"Retry-After": {value}}, time.Now()); got < 0 || got > maxRetryAfter {
			t.Errorf("%q: %v", value, got)
		}
	})
}

func TestParseSchedule(t *testing.T) {
	s, err := ParseSchedule("10ms, 1s,2m")
	if err != nil || !slices.Equal(s.Waits, []time.Duration{10 * time.Millisecond, time.Second, 2 * time.Minute}) {
		t.Errorf("got %v, %v", s.Waits, err)
	}
	for _, list := range []string{"", "1", "1s,", "1s;2s", "-1s", "169h", strings.Repeat("1s,", 100) + "1s"} {
		if s, err := ParseSchedule(list); err == nil {
			t.Errorf("%q: %v, no error", list, s.Waits)
		}
	}
}
