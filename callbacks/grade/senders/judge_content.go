package senders

import (
	"bytes"
	"encoding/json"
	"mime"
	"strings"
)

func judgeAnswersFirst(g *grader) finding {
	in := g.inboxes[slow.name]
	came := in.all()
	if len(came) == 0 {
		return notApplicable("no callback came")
	}
	if came[0].kept {
		return fail(came[:1], "it had not answered when the callback had waited for %.1f s", came[0].decided.Sub(came[0].at).Seconds())
	}
	return pass(came[0])
}

func judgeContentType(g *grader) finding {
	came := g.inboxes[accepted.name].all()
	for i, a := range came {
		kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
		switch isJSON := kind == "application/json" || strings.HasSuffix(kind, "+json"); {
		case err != nil:
			return fail(came[i:i+1], "Content-Type is %q", a.header.Get("Content-Type"))
		case isJSON != json.Valid(a.body):
			return fail(came[i:i+1], "Content-Type is %s, and the body %s", kind, map[bool]string{true: "is not", false: "is JSON"}[isJSON])
		}
	}
	return pass(came...)
}

func judgeContentLength(g *grader) finding {
	came := g.inboxes[accepted.name].all()
	for i, a := range came {
		if a.length < 0 {
			return fail(came[i:i+1], "there is no Content-Length, but Transfer-Encoding: chunked")
		}
	}
	return pass(came...)
}

func judgeSignature(g *grader) finding { return g.judgeSignatures(g.inboxes[accepted.name].all()) }

func judgeSignatureRetry(g *grader) finding {
	ends := g.inboxes[errored.name].ends(0)
	if len(ends) < 2 {
		return notApplicable("it does not try again")
	}
	return g.judgeSignatures(ends[1:])
}

func judgeID(g *grader) finding {
	came := g.inboxes[accepted.name].all()
	seen := map[string]*arrival{}
	for i, a := range came {
		id, where := a.id()
		if id == "" {
			return fail(came[i:i+1], "it has no id, neither in a header such as webhook-id nor in its body")
		}
		if earlier := seen[id]; earlier != nil && !bytes.Equal(earlier.body, a.body) {
			return fail([]*arrival{earlier, a}, "two callbacks have the same %s, %s", where, id)
		}
		seen[id] = a
	}
	return pass(came...)
}

// attempts are what came of one callback that was refused for a while.
func (g *grader) attempts() []*arrival { return g.inboxes[errored.name].ends(0) }

func judgeIDStable(g *grader) finding {
	attempts := g.attempts()
	if len(attempts) < 2 {
		return notApplicable("it does not try again")
	}
	first, where := attempts[0].id()
	if first == "" {
		return notApplicable("it has no id")
	}
	for _, a := range attempts[1:] {
		if id, _ := a.id(); id != first {
			return fail([]*arrival{attempts[0], a}, "%s was %s, and then %s", where, first, id)
		}
	}
	return pass(attempts...)
}

// judgeTimestamp compares what has passed by the sender's clock and by ours, which need not agree.
func judgeTimestamp(g *grader) finding {
	attempts := g.attempts()
	if len(attempts) < 2 {
		return notApplicable("it does not try again")
	}
	first, last := attempts[0], attempts[len(attempts)-1]
	begin, has := first.stamp()
	end, hasToo := last.stamp()
	passed := last.at.Sub(first.at)
	switch {
	case !has || !hasToo:
		return notApplicable("it says no time in its headers")
	case passed < failTime*2/3: // Timestamps are whole seconds.
		return notApplicable("its attempts are too close to tell")
	case end.Sub(begin) < passed/3:
		return fail([]*arrival{first, last}, "%.1f s later the timestamp is %.0f s later", passed.Seconds(), end.Sub(begin).Seconds())
	}
	return pass(first, last)
}

func judgeBody(g *grader) finding {
	attempts := g.attempts()
	if len(attempts) < 2 {
		return notApplicable("it does not try again")
	}
	for _, a := range attempts[1:] {
		if !bytes.Equal(a.body, attempts[0].body) {
			return fail([]*arrival{attempts[0], a}, "the body is another")
		}
	}
	return pass(attempts...)
}

// judgeOrder wants no request of a task to come before the one before it was answered, and none that tells older
// news than one before.
func judgeOrder(g *grader) finding {
	came := g.inboxes[ordered.name].all()
	told := map[string]bool{}
	for _, a := range came {
		told[string(a.body)] = true
	}
	if len(told) < 2 {
		return notApplicable("a task has one callback only")
	}
	for i, a := range came[1:] {
		before := came[i]
		if before.over.IsZero() || before.over.After(a.at) {
			return fail([]*arrival{before, a}, "the second came while the first was not answered")
		}
		earlier, has := before.place()
		later, hasToo := a.place()
		if has && hasToo && later < earlier {
			return fail([]*arrival{before, a}, "the second is older: %v after %v", later, earlier)
		}
	}
	return pass(came...)
}
