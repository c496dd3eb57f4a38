package senders

import (
	"net/http"
	"slices"
	"time"
)

// retries judges by whether an end came again that was not accepted at first.
func retries(s *scenario) func(g *grader) finding {
	return func(g *grader) finding {
		ends := g.inboxes[s.name].ends(0)
		switch {
		case len(ends) == 0:
			return notApplicable("the end of the task did not come")
		case len(ends) == 1:
			return fail(ends, "it did not come again within %s", g.Wait)
		}
		return pass(ends...)
	}
}

// arrives judges by whether the ends of all tasks were accepted, whatever was before.
func arrives(s *scenario, tasks int) func(g *grader) finding {
	return func(g *grader) finding {
		in := g.inboxes[s.name]
		came := in.all()
		if in.endAccepted(tasks) {
			return pass(came...)
		}
		return fail(came, "the end did not come within %s after the receiver was there again", g.Wait)
	}
}

func judgeRedirectFails(g *grader) finding {
	in := g.inboxes[redirected.name]
	ends := in.ends(0)
	if len(in.followed()) > 0 {
		return notApplicable("it follows redirects")
	}
	if len(ends) == 1 {
		return fail(ends, "it did not come again within %s", g.Wait)
	}
	return pass(ends...)
}

func judgeRedirect(g *grader) finding {
	in := g.inboxes[redirected.name]
	if followed := in.followed(); len(followed) > 0 {
		return fail(followed, "it followed the Location of a %d", in.ends(0)[0].status)
	}
	return pass(in.ends(0)...)
}

// waits are what each task of the herd waited after each of its attempts.
func (g *grader) waits() (waits [][]time.Duration) {
	in := g.inboxes[herd.name]
	for task := range herdTasks {
		ends := in.ends(task)
		var of []time.Duration
		for i := range len(ends) - 1 {
			of = append(of, ends[i+1].at.Sub(ends[i].decided))
		}
		waits = append(waits, of)
	}
	return waits
}

// judgeBacksOff compares the waits of all tasks: one alone may be short by its jitter.
func judgeBacksOff(g *grader) finding {
	first, last := collect(g.waits(), 0), collect(g.waits(), herdAttempts-1)
	came := g.inboxes[herd.name].all()
	switch {
	case len(first) == 0:
		return notApplicable("it does not try again")
	case len(last) == 0:
		return notApplicable("it came less than %d times within %s", herdAttempts+1, g.Wait)
	case mean(last) < mean(first)*5/4:
		return fail(came, "it waited %.1f s after the first attempt and %.1f s after the fourth, on average", mean(first).Seconds(), mean(last).Seconds())
	}
	return pass(came...)
}

// judgeJitters looks at how far apart the waits of tasks are that failed together.
func judgeJitters(g *grader) finding {
	var apart, of time.Duration
	for attempt := range herdAttempts {
		waits := collect(g.waits(), attempt)
		if len(waits) < herdTasks/2 {
			break
		}
		slices.Sort(waits)
		apart += waits[len(waits)*3/4] - waits[len(waits)/4]
		of += waits[len(waits)/2]
	}
	came := g.inboxes[herd.name].all()
	const least = 5 // percent: of a jitter of 20 %, ten waits are now and then as close as 10 %
	switch {
	case of == 0:
		return notApplicable("it does not try again")
	case apart*100 < of*least:
		return fail(came, "half of the waits of %d tasks are within %d ms, of %d ms", herdTasks, apart.Milliseconds(), of.Milliseconds())
	}
	return pass(came...)
}

// collect is the wait of that number of each task that has one.
func collect(waits [][]time.Duration, n int) (found []time.Duration) {
	for _, of := range waits {
		if len(of) > n {
			found = append(found, of[n])
		}
	}
	return found
}

func mean(ds []time.Duration) (sum time.Duration) {
	for _, d := range ds {
		sum += d
	}
	return sum / time.Duration(len(ds))
}

// judgeRetryAfter wants no attempt before the time that was asked for. A sender that waits longer anyway shows nothing.
func judgeRetryAfter(scenarios ...*scenario) func(g *grader) finding {
	return func(g *grader) finding {
		if usual := collect(g.waits(), 0); len(usual) > 0 && slices.Min(usual) >= g.RetryAfter {
			return notApplicable("it waits longer by itself, %.1f s: give a longer -retry-after", slices.Min(usual).Seconds())
		}
		var seen []*arrival
		for _, s := range scenarios {
			for task := range retryAfterTasks {
				ends := g.inboxes[s.name].ends(task)
				if len(ends) < 2 {
					continue
				}
				seen = append(seen, ends[0], ends[1])
				if waited, wanted := ends[1].at.Sub(ends[0].decided), g.RetryAfter; waited < wanted {
					return fail(ends[:2], "after %d it waited %.1f s, not %.1f s", ends[0].status, waited.Seconds(), wanted.Seconds())
				}
			}
		}
		if len(seen) == 0 {
			return notApplicable("it does not try again within %s", g.Wait)
		}
		return pass(seen...)
	}
}

// judgeStops wants each callback once.
func judgeStops(s *scenario) func(g *grader) finding {
	return func(g *grader) finding {
		seen := map[string]*arrival{}
		came := g.inboxes[s.name].all()
		for _, a := range came {
			news := string(a.body)
			if a.isEnd() {
				news = "the end"
			}
			if earlier := seen[news]; earlier != nil {
				return fail([]*arrival{earlier, a}, "it was answered %d, and came again", earlier.status)
			}
			seen[news] = a
		}
		return pass(came...)
	}
}

func judgeStopsAtGone(g *grader) finding {
	attempts := g.attempts()
	if len(attempts) < 2 {
		return notApplicable("it does not try again anyway")
	}
	if usual := attempts[1].at.Sub(attempts[0].decided); usual > g.Quiet {
		return notApplicable("it waits longer by itself, %.1f s: give a longer -quiet", usual.Seconds())
	}
	if f := judgeStops(&gone)(g); f.why != "" || slices.ContainsFunc(f.evidence, func(a *arrival) bool { return a.status == http.StatusGone }) {
		return f
	}
	return notApplicable("no callback came")
}
