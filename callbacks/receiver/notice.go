package receiver

import (
	"fmt"
	"time"
)

// notices are what a store has to tell people of its limits: of each limit once an inbox, and once a second in all. How
// many requests have gone is in lists.
type notices struct {
	pending string // "" if there is nothing to tell
	at      time.Time
}

// told says of which limits it was told that an inbox has met them.
type told struct{ requests, bytes bool }

// tellf notes something to be told, and returns true; unless something else was just now.
func (n *notices) tellf(format string, args ...any) bool {
	if time.Since(n.at) < time.Second {
		return false
	}
	n.at, n.pending = time.Now(), fmt.Sprintf(format, args...)
	return true
}

// notice returns what is to be told, once.
func (s *store) notice() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.notices.pending
	s.notices.pending = ""
	return text
}
