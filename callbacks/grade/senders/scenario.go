package senders

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"petstore/callbacks/pause"
)

// scenario is one inbox, and what happens there.
type scenario struct {
	name string
	// when says whether it can be run; nil is always.
	when    func(o *Options) bool
	missing string // why it was not run
	// behave makes what the inbox does with requests.
	behave func(g *grader) behaviour
	// watch triggers the sender, and waits until enough has been seen.
	watch func(ctx context.Context, g *grader, in *inbox) error
}

// run runs a scenario. When it is over, its inbox accepts everything.
func (g *grader) run(ctx context.Context, s *scenario) error {
	in := g.open(s.name, s.behave(g))
	err := s.watch(ctx, g, in)
	in.finish()
	if err != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.failures[s.name] = err
	}
	return ctx.Err()
}

// finish accepts whatever comes from now on.
func (in *inbox) finish() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.behave, in.over = accept, true
}

// trigger starts tasks, some at a time, and returns when all have been answered.
func (g *grader) trigger(ctx context.Context, in *inbox, tasks int) error {
	var wait sync.WaitGroup
	errs := make([]error, tasks)
	for i := range tasks {
		wait.Go(func() {
			g.triggers <- struct{}{}
			defer func() { <-g.triggers }()
			errs[i] = g.triggerOne(ctx, in, i)
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *grader) triggerOne(ctx context.Context, in *inbox, task int) error {
	ctx, cancel := context.WithTimeout(ctx, g.Wait)
	defer cancel()
	err := g.Trigger(ctx, in.url(task))
	in.mu.Lock()
	in.returned[in.path(task)] = true
	in.mu.Unlock()
	in.notify()
	return err
}

// untilEnd listens, starts tasks, and waits until the ends of all have been accepted.
func untilEnd(tasks int) func(ctx context.Context, g *grader, in *inbox) error {
	return func(ctx context.Context, g *grader, in *inbox) error {
		if err := in.listen(); err != nil {
			return err
		}
		if err := g.trigger(ctx, in, tasks); err != nil {
			return err
		}
		in.until(ctx, g.Wait, func() bool { return in.endAccepted(tasks) })
		return nil
	}
}

// untilQuiet listens, starts one task, and waits until nothing more comes.
func untilQuiet(ctx context.Context, g *grader, in *inbox) error {
	if err := in.listen(); err != nil {
		return err
	}
	if err := g.trigger(ctx, in, 1); err != nil {
		return err
	}
	in.untilQuiet(ctx)
	return nil
}

// untilHungUp waits until the sender has ended an exchange by itself, and then until the end is accepted. Where it
// took the answer that never ended for a good one, there is nothing more to come.
func untilHungUp(ctx context.Context, g *grader, in *inbox) error {
	if err := in.listen(); err != nil {
		return err
	}
	if err := g.trigger(ctx, in, 1); err != nil {
		return err
	}
	in.until(ctx, g.Wait, func() bool {
		ends := in.ends(0)
		return len(ends) > 0 && !ends[0].over.IsZero()
	})
	return nil
}

const (
	// failTime is how long ends are refused, so that the time of a retry differs from that of the first attempt.
	failTime = 3 * time.Second
	// downTime is how long a receiver is away.
	downTime = 3 * time.Second
	// holdTime is how long an answer takes that is slow: less than senders wait for it.
	holdTime = 2 * time.Second
	// orderTime is how long the first of a task's callbacks is held up.
	orderTime = 1500 * time.Millisecond

	herdTasks       = 10
	herdAttempts    = 4 // that fail, each
	stuckTasks      = 20
	retryAfterTasks = 3
	killedTasks     = 3
)

func always(b behaviour) func(*grader) behaviour { return func(*grader) behaviour { return b } }

var (
	accepted = scenario{name: "accepted", behave: always(answer(http.StatusAccepted)), watch: untilQuiet}

	slow = scenario{name: "slow", behave: always(holdUntilReturned), watch: untilEnd(1)}

	errored = scenario{
		name:   "errored",
		behave: func(*grader) behaviour { return forTime(failTime, answer(http.StatusInternalServerError)) },
		watch:  untilEnd(1),
	}
	hanging   = scenario{name: "hanging", behave: func(*grader) behaviour { return atEnd(hang) }, watch: untilEnd(1)}
	resetting = scenario{name: "resetting", behave: func(*grader) behaviour { return atEnd(reset, reset) }, watch: untilEnd(1)}
	garbled   = scenario{name: "garbled", behave: func(*grader) behaviour { return atEnd(garbage) }, watch: untilEnd(1)}
	refusing  = scenario{name: "refusing", behave: always(accept), watch: refuseFirst}
	unknown   = scenario{
		name: "unresolved", when: func(o *Options) bool { return o.DNS != nil },
		missing: "only a name server tells: give -dns, and have the sender ask it",
		behave:  always(accept), watch: unresolvedFirst,
	}
	away = scenario{name: "away", behave: always(answer(http.StatusServiceUnavailable)), watch: comeBack}

	herd = scenario{
		name: "herd",
		behave: func(*grader) behaviour {
			return atEnd(repeated(herdAttempts, answer(http.StatusInternalServerError))...)
		},
		watch: untilEnd(herdTasks),
	}
	busySeconds = scenario{
		name:   "busy",
		behave: func(g *grader) behaviour { return atEnd(retryAfterSeconds(http.StatusTooManyRequests, g.RetryAfter)) },
		watch:  untilEnd(retryAfterTasks),
	}
	downSeconds = scenario{
		name: "down",
		behave: func(g *grader) behaviour {
			return atEnd(retryAfterSeconds(http.StatusServiceUnavailable, g.RetryAfter))
		},
		watch: untilEnd(retryAfterTasks),
	}
	busyDate = scenario{
		name:   "busy-date",
		behave: func(g *grader) behaviour { return atEnd(retryAfterDate(http.StatusTooManyRequests, g.RetryAfter)) },
		watch:  untilEnd(retryAfterTasks),
	}
	downDate = scenario{
		name:   "down-date",
		behave: func(g *grader) behaviour { return atEnd(retryAfterDate(http.StatusServiceUnavailable, g.RetryAfter)) },
		watch:  untilEnd(retryAfterTasks),
	}
	gone       = scenario{name: "gone", behave: always(answer(http.StatusGone)), watch: untilQuiet}
	redirected = scenario{
		name: "redirected",
		behave: func(*grader) behaviour {
			return atEnd(redirect(http.StatusTemporaryRedirect), redirect(http.StatusFound), redirect(http.StatusPermanentRedirect))
		},
		watch: untilEnd(1),
	}
	dripping = scenario{name: "dripping", behave: func(*grader) behaviour { return atEnd(drip) }, watch: untilHungUp}
	flooding = scenario{name: "flooding", behave: func(*grader) behaviour { return atEnd(flood) }, watch: untilHungUp}

	ordered = scenario{name: "ordered", behave: func(*grader) behaviour { return holdFirst() }, watch: untilEnd(1)}
	stuck   = scenario{name: "stuck", behave: always(hang), watch: besideTheStuck}

	untrusted = scenario{name: "untrusted", behave: always(accept), watch: untilRefused}
	restarted = scenario{
		name: "restarted", when: func(o *Options) bool { return o.Restart != nil },
		missing: "only a kill tells: give -restart", behave: always(answer(http.StatusServiceUnavailable)), watch: killAndRestart,
	}
	private = scenario{
		name: "private", when: func(o *Options) bool { return o.RefusesPrivate },
		missing: "not asked for: give -refuses-private", behave: always(accept), watch: tryPrivate,
	}
)

// holdUntilReturned answers when the trigger has been answered, or after holdTime.
func holdUntilReturned(x *exchange) {
	in := x.inbox
	returned := in.until(x.request.Context(), holdTime, func() bool {
		in.mu.Lock()
		defer in.mu.Unlock()
		return in.returned[x.arrival.path]
	})
	in.mu.Lock()
	x.arrival.kept = !returned
	in.mu.Unlock()
	accept(x)
}

// holdFirst answers the first request late, and with an error. All others are accepted.
func holdFirst() behaviour {
	var once sync.Once
	return func(x *exchange) {
		first := false
		once.Do(func() { first = true })
		if first {
			_ = pause.For(x.request.Context(), orderTime) // The sender may hang up meanwhile.
			answer(http.StatusInternalServerError)(x)
			return
		}
		accept(x)
	}
}

// refuseFirst has nobody listen until the receiver has been away for a while.
func refuseFirst(ctx context.Context, g *grader, in *inbox) error {
	listen, err := in.reserve()
	if err != nil {
		return err
	}
	if err := g.trigger(ctx, in, 1); err != nil {
		return err
	}
	if err := pause.For(ctx, downTime); err != nil {
		return err
	}
	if err := listen(); err != nil {
		return err
	}
	in.until(ctx, g.Wait, func() bool { return in.endAccepted(1) })
	return nil
}

// comeBack has the receiver answer 503 for a while.
func comeBack(ctx context.Context, g *grader, in *inbox) error {
	if err := in.listen(); err != nil {
		return err
	}
	if err := g.trigger(ctx, in, 1); err != nil {
		return err
	}
	in.until(ctx, g.Wait, func() bool { return len(in.ends(0)) > 0 })
	if err := pause.For(ctx, downTime); err != nil {
		return err
	}
	in.becomes(accept)
	in.until(ctx, g.Wait, func() bool { return in.endAccepted(1) })
	return nil
}

// besideTheStuck has tasks whose receiver never answers, and beside them one whose receiver does.
func besideTheStuck(ctx context.Context, g *grader, in *inbox) error {
	if err := in.listen(); err != nil {
		return err
	}
	if err := g.trigger(ctx, in, stuckTasks); err != nil {
		return err
	}
	in.until(ctx, g.Wait, func() bool { return len(in.all()) > 0 })
	free := g.open(besideName, accept)
	return untilEnd(1)(ctx, g, free)
}

const besideName = "beside"

// killAndRestart kills the sender while it has callbacks to send again.
func killAndRestart(ctx context.Context, g *grader, in *inbox) error {
	if err := in.listen(); err != nil {
		return err
	}
	if err := g.trigger(ctx, in, killedTasks); err != nil {
		return err
	}
	in.until(ctx, g.Quiet, func() bool { return len(in.all()) > 0 })
	killing, cancel := context.WithTimeout(ctx, g.Wait)
	defer cancel()
	if err := g.Restart(killing); err != nil {
		return err
	}
	in.becomes(accept)
	in.until(ctx, g.Wait, func() bool { return in.endAccepted(killedTasks) })
	return nil
}

// untilRefused shows a certificate that nobody has signed.
func untilRefused(ctx context.Context, g *grader, in *inbox) error {
	if err := in.listenTLS(); err != nil {
		return err
	}
	if err := g.trigger(ctx, in, 1); err != nil {
		return err
	}
	in.until(ctx, g.Wait, func() bool { return in.refusals() > 0 || len(in.all()) > 0 })
	return nil
}

func (in *inbox) refusals() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.refused
}

// tryPrivate gives the sender URLs of this machine, in every spelling. Its refusals are no failures.
func tryPrivate(ctx context.Context, g *grader, in *inbox) error {
	spellings, err := in.listenPrivate()
	if err != nil {
		return err
	}
	for _, url := range spellings {
		trying, cancel := context.WithTimeout(ctx, g.Wait)
		_ = g.Trigger(trying, url) // refused, as it should be, or not
		cancel()
	}
	in.until(ctx, g.Quiet, func() bool { return in.connections() > 0 })
	fmt.Fprintf(g.Progress, "%d spellings of private addresses were tried.\n", len(spellings))
	return nil
}

func (in *inbox) connections() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.dialled
}
