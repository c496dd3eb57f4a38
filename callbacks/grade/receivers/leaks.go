package receivers

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"petstore/callbacks"
)

// leak is an answer that says more than it should.
type leak struct {
	request int
	what    string
}

// traces are how programs in common languages show where they failed.
var traces = regexp.MustCompile(`(?m)Traceback \(most recent call last\)|^goroutine \d+ \[|^\s*at .+:\d+:\d+\)?|&nbsp;at .+:\d+:\d+|PHP (Fatal|Warning|Notice)|(Fatal error|Warning|Notice)</b>:|^#\d+ .+\.php\(\d+\)|at java\.|node_modules/`)

// look notes what an answer gives away: a stack trace, the secret, or the signature that would have been right. g.mu is held.
func (g *grader) look(request int, m message, a answer) {
	switch {
	case traces.MatchString(a.body):
		g.leaks = append(g.leaks, leak{request, "a stack trace"})
	case strings.Contains(a.body, g.options.Secret):
		g.leaks = append(g.leaks, leak{request, "the secret"})
	case g.reveals(a, m):
		g.leaks = append(g.leaks, leak{request, "the signature that it wanted"})
	}
}

// reveals reports whether an answer has the signature that m ought to have had.
func (g *grader) reveals(a answer, m message) bool {
	right := g.sign("", "", m.body, time.Time{}).header.Get(callbacks.HeaderSignature)
	return m.header.Get(callbacks.HeaderSignature) != right && strings.Contains(a.body, strings.TrimPrefix(right, "sha256="))
}

// checkLeaks looks back at all that was answered.
func checkLeaks(_ context.Context, g *grader) error {
	if len(g.leaks) == 0 {
		return nil
	}
	first := g.leaks[0]
	found := broken{why: fmt.Sprintf("the answer to #%d shows %s", first.request, first.what)}
	for _, l := range g.leaks {
		found.requests = append(found.requests, l.request)
	}
	slices.Sort(found.requests)
	return found
}
