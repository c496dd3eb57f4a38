package receiver

import (
	"math/rand/v2"
	"sync"
)

// script is the steps of an inbox, and how often each was met.
type script struct {
	steps []Step

	mu   sync.Mutex
	used []int // of steps that count requests
}

func newScript(steps []Step) *script { return &script{steps: steps, used: make([]int, len(steps))} }

// next is the step that a request meets, which is the given attempt of its delivery; nil if there is none.
func (s *script) next(attempt int) *Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.steps {
		step := &s.steps[i]
		switch {
		case step.Probability > 0:
			if rand.Float64() >= step.Probability { //nolint:gosec // G404: chance, not secrecy
				continue
			}
		case step.Times > 0 && step.By == ByAttempt:
			if attempt > step.Times {
				attempt -= step.Times
				continue
			}
		case step.Times > 0:
			if s.used[i] == step.Times {
				continue
			}
			s.used[i]++
		}
		return step
	}
	return nil
}
