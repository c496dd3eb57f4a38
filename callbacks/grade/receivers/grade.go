package receivers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/grade"
)

// Options say what is graded.
type Options struct {
	// URL takes the callbacks.
	URL string
	// Secret is what the receiver verifies them with.
	Secret string
	// Effects is the URL of a count of the work that was done, "" if there is none. {order_id} and {callback_id} in it
	// are replaced; the answer to GET is a number, or {"count": 1, "status": "completed"}.
	Effects string
	// Timeout is how long an answer may take. Default 15 s, which is how long Petstore waits.
	Timeout time.Duration
	// Only names the rules to check; empty is all.
	Only []string
}

// Rules are the names of all rules, in order.
func Rules() []string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.name
	}
	return names
}

// rule is one thing that a receiver has to do.
type rule struct {
	name, says, source string
	// needsEffects: its answers alone say nothing.
	needsEffects bool
	check        func(ctx context.Context, g *grader) error
}

// broken is the error of a rule that was not kept. Its evidence is what was sent for the rule, or else these requests.
type broken struct {
	why      string
	requests []int
}

func (b broken) Error() string { return b.why }

func brokenBecause(format string, args ...any) error {
	return broken{why: fmt.Sprintf(format, args...)}
}

// unclearError is the error of a rule that nothing can be said of.
type unclearError string

func (e unclearError) Error() string { return string(e) }

// grader is one run.
type grader struct {
	options Options
	client  *http.Client

	mu       sync.Mutex
	rule     string
	requests []grade.Request
	leaks    []leak
	orders   int
}

// Grade sends everything and returns the marks. The error says why nothing could be graded.
func Grade(ctx context.Context, o Options) (grade.Report, error) {
	if err := check(&o); err != nil {
		return grade.Report{}, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: burstWidth, DisableCompression: true}
	defer transport.CloseIdleConnections()
	g := &grader{options: o, client: &http.Client{Transport: transport, CheckRedirect: noRedirect}}
	start := time.Now()
	first := g.mark(ctx, rules[0])
	if len(g.requests) > 0 && g.requests[0].Answer == noAnswer {
		return grade.Report{}, fmt.Errorf("nothing answers at %s", o.URL)
	}
	marks := []grade.Mark{first}
	for _, r := range rules[1:] {
		switch {
		case len(o.Only) > 0 && !slices.Contains(o.Only, r.name):
		case first.Verdict != grade.Pass:
			marks = append(marks, newMark(r, grade.NotApplicable, "it refuses what it ought to accept: is the secret its own?"))
		default:
			marks = append(marks, g.mark(ctx, r))
		}
	}
	if err := ctx.Err(); err != nil {
		return grade.Report{}, err
	}
	return grade.New("Receiver "+o.URL, time.Since(start), marks, g.requests), nil
}

func check(o *Options) error {
	o.Timeout = cmp.Or(o.Timeout, 15*time.Second)
	if err := callbacks.CheckURL(o.URL, callbacks.DevelopmentPolicy()); err != nil {
		return fmt.Errorf("the URL of the receiver %w", err)
	}
	if callbacks.CheckSecret(o.Secret) != nil {
		return errors.New("the secret must not be empty, and base64 after whsec_")
	}
	return grade.Check(o.Only, Rules())
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// mark checks one rule. Its evidence are the requests that were made for it.
func (g *grader) mark(ctx context.Context, r rule) grade.Mark {
	if r.needsEffects && g.options.Effects == "" {
		return newMark(r, grade.NotApplicable, "only its effects tell: give -effects")
	}
	g.rule = r.name
	before := len(g.requests)
	err := r.check(ctx, g)
	verdict, why := grade.Pass, ""
	var unclear unclearError
	switch {
	case errors.As(err, &unclear):
		verdict, why = grade.NotApplicable, err.Error()
	case err != nil:
		verdict, why = grade.Fail, err.Error()
	}
	m := newMark(r, verdict, why)
	for _, request := range g.requests[before:] {
		m.Evidence = append(m.Evidence, request.N)
	}
	if b, ok := errors.AsType[broken](err); ok && b.requests != nil {
		m.Evidence = b.requests
	}
	return m
}

func newMark(r rule, verdict grade.Verdict, why string) grade.Mark {
	return grade.Mark{Rule: r.name, Says: r.says, Source: r.source, Verdict: verdict, Why: why}
}
