package receivers

import (
	"context"
	"net/http"
	"sync"

	"petstore/callbacks"
	"petstore/callbacks/pause"
)

func checkDuplicate(ctx context.Context, g *grader) error {
	return g.repeat(ctx, g.order().completed())
}

func checkDuplicateOnce(ctx context.Context, g *grader) error {
	u := g.order().completed()
	return g.counting(ctx, u, 1, func() error { return g.repeat(ctx, u) })
}

// repeat sends u three times, each signed at its own time, as a sender does that had no answer.
func (g *grader) repeat(ctx context.Context, u callbacks.Update) error {
	for range 3 {
		if err := g.accepts(ctx, g.tell(u)); err != nil {
			return err
		}
	}
	return nil
}

func checkConcurrent(ctx context.Context, g *grader) error {
	return g.atOnce(ctx, g.order().completed())
}

func checkConcurrentOnce(ctx context.Context, g *grader) error {
	u := g.order().completed()
	return g.counting(ctx, u, 1, func() error { return g.atOnce(ctx, u) })
}

// atOnce sends u from many connections at the same time.
func (g *grader) atOnce(ctx context.Context, u callbacks.Update) error {
	const copies = 16
	messages := make([]message, copies)
	for i := range messages {
		messages[i] = g.tell(u)
	}
	accepted := 0
	for _, a := range g.together(ctx, messages, copies) {
		switch {
		case a.accepted():
			accepted++
		case comeAgain(a.status):
		default:
			return brokenBecause("one of %d was answered %s%s", copies, a, excerpt(a))
		}
	}
	if accepted == 0 {
		return brokenBecause("none of %d was accepted", copies)
	}
	return nil
}

// comeAgain reports whether a status has a sender try again because somebody else is at it.
func comeAgain(status int) bool {
	switch status {
	case http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	}
	return false
}

// together sends all messages, so many at a time.
func (g *grader) together(ctx context.Context, messages []message, width int) []answer {
	answers := make([]answer, len(messages))
	places := make(chan struct{}, width)
	var wait sync.WaitGroup
	for i, m := range messages {
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			answers[i] = g.send(ctx, m)
		})
	}
	wait.Wait()
	return answers
}

func checkLate(ctx context.Context, g *grader) error {
	_, err := g.overtaken(ctx)
	return err
}

// overtaken tells the end of an order, and then the progress before it, as it comes when a network holds that up.
func (g *grader) overtaken(ctx context.Context) (callbacks.Update, error) {
	o := g.order()
	progress, end := o.progress(95), o.completed()
	return end, g.accepts(ctx, g.tell(end), g.tell(progress).as("order.progress, too late"))
}

func checkLateIgnored(ctx context.Context, g *grader) error {
	end, err := g.overtaken(ctx)
	if err != nil {
		return err
	}
	if err := pause.For(ctx, effectsSettle); err != nil {
		return err
	}
	seen, err := g.effects(ctx, end)
	switch {
	case err != nil:
		return err
	case seen.status == "":
		return unclearError("the effects tell no status")
	case seen.status != callbacks.StatusCompleted:
		return brokenBecause("the order was %s, and is %s now", callbacks.StatusCompleted, seen.status)
	}
	return nil
}
