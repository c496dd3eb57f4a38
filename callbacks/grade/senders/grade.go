package senders

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"petstore/callbacks/grade"
	"petstore/callbacks/receiver/verdict"
	"petstore/callbacks/receiver/verdict/contract"
)

// Options say how a sender is graded.
type Options struct {
	// Trigger has the sender do a piece of work that calls back to url.
	Trigger Trigger
	// Secret verifies signatures; with "" they are not judged.
	Secret string
	// Scheme is one of verdict.Schemes; with "", it is told by the headers.
	Scheme string
	// Contract is what the callbacks have to fit; nil is anything.
	Contract *contract.Contract
	// Restart kills the sender with SIGKILL and starts it again; nil if it must not.
	Restart func(ctx context.Context) error
	// Host is the address that inboxes listen at, and that stands in their URLs. Default 127.0.0.1.
	Host string
	// DNS is where a name server for the names beneath grade.test is to answer; nil for none. The sender must ask it.
	// Grade closes it.
	DNS net.PacketConn
	// RefusesPrivate says that the sender has to refuse private addresses.
	RefusesPrivate bool
	// Wait is how long something that has to come may take. Default 60 s.
	Wait time.Duration
	// Quiet is how long is watched for what must not come. Default 5 s.
	Quiet time.Duration
	// RetryAfter is what inboxes ask for, whole seconds. Default 3 s.
	RetryAfter time.Duration
	// Only names the rules to check; empty is all.
	Only []string
	// Progress gets a line for each step; nil is nowhere.
	Progress io.Writer

	listen func(network, address string) (net.Listener, error) // net.Listen, but in tests
}

// Rules are the names of all rules, in order.
func Rules() []string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.name
	}
	return names
}

func (o *Options) complete() error {
	o.Host = cmp.Or(o.Host, "127.0.0.1")
	o.Wait = cmp.Or(o.Wait, time.Minute)
	o.Quiet = cmp.Or(o.Quiet, 5*time.Second)
	o.RetryAfter = cmp.Or(o.RetryAfter, 3*time.Second)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.listen == nil {
		o.listen = net.Listen
	}
	if o.Trigger == nil {
		return errors.New("nothing has the sender call back: give a trigger")
	}
	if net.ParseIP(o.Host) == nil {
		return fmt.Errorf("the host of the inboxes must be an IP address, not %q", o.Host)
	}
	for name, d := range map[string]time.Duration{"wait": o.Wait, "quiet": o.Quiet, "retry-after": o.RetryAfter} {
		if d < time.Second || d > time.Hour {
			return fmt.Errorf("%s must be from 1s to 1h", name)
		}
	}
	return grade.Check(o.Only, Rules())
}

// grader is one run.
type grader struct {
	Options
	triggers chan struct{} // as many as may run at once
	rules    *verdict.Rules

	came atomic.Int64 // requests

	mu       sync.Mutex
	inboxes  map[string]*inbox
	failures map[string]error // of triggers, by scenario
	end      string           // what the last callback of a task says
	names    *nameServer      // nil without DNS
}

// Grade triggers, watches and judges. The error says why nothing could be graded.
func Grade(ctx context.Context, o Options) (grade.Report, error) {
	if err := o.complete(); err != nil {
		return grade.Report{}, err
	}
	judging, err := verdict.NewRules(verdict.Options{Secret: o.Secret, Scheme: o.Scheme, Contract: o.Contract})
	if err != nil {
		return grade.Report{}, fmt.Errorf("judging signatures: %w", err)
	}
	const triggersAtOnce = 8
	g := &grader{
		Options: o, triggers: make(chan struct{}, triggersAtOnce), rules: judging,
		inboxes: map[string]*inbox{}, failures: map[string]error{},
	}
	start := time.Now()
	defer g.close()
	if g.DNS != nil {
		stop, err := g.startNames()
		if err != nil {
			return grade.Report{}, err
		}
		defer stop()
	}
	if err := g.runScenarios(ctx); err != nil {
		return grade.Report{}, err
	}
	if err := ctx.Err(); err != nil {
		return grade.Report{}, err
	}
	return grade.New("Sender", time.Since(start), g.judge(), g.requests()), nil
}

// runScenarios runs all that the rules need: first the one that shows how a task ends, then all others side by side,
// and last the one that kills the sender.
func (g *grader) runScenarios(ctx context.Context) error {
	wanted := g.wanted()
	if len(wanted) == 0 || len(wanted) == 1 && wanted[0].name == private.name {
		return g.runAll(ctx, wanted)
	}
	if err := g.runAll(ctx, []*scenario{&accepted}); err != nil {
		return err
	}
	if err := g.learn(); err != nil {
		return err
	}
	fmt.Fprintf(g.Progress, "A task ends with %q. %d inboxes misbehave now, for %s at most.\n", g.end, len(wanted), g.Wait)
	wanted = slices.DeleteFunc(wanted, func(s *scenario) bool { return s == &accepted })
	killing := slices.Contains(wanted, &restarted)
	wanted = slices.DeleteFunc(wanted, func(s *scenario) bool { return s == &restarted })
	if err := g.runAll(ctx, wanted); err != nil || !killing {
		return err
	}
	fmt.Fprintln(g.Progress, "The sender is killed and started again.")
	return g.runAll(ctx, []*scenario{&restarted})
}

// wanted are the scenarios of the rules that are checked, each once.
func (g *grader) wanted() (wanted []*scenario) {
	for _, r := range rules {
		for _, s := range r.scenarios {
			if g.checks(r) && !slices.Contains(wanted, s) && (s.when == nil || s.when(&g.Options)) {
				wanted = append(wanted, s)
			}
		}
	}
	return wanted
}

func (g *grader) checks(r rule) bool { return len(g.Only) == 0 || slices.Contains(g.Only, r.name) }

func (g *grader) runAll(ctx context.Context, scenarios []*scenario) error {
	var wait sync.WaitGroup
	errs := make([]error, len(scenarios))
	for i, s := range scenarios {
		wait.Go(func() { errs[i] = g.run(ctx, s) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// learn finds out what the end of a task says.
func (g *grader) learn() error {
	if err := g.failures[accepted.name]; err != nil {
		return err
	}
	came := g.inboxes[accepted.name].all()
	if len(came) == 0 {
		return fmt.Errorf("no callback came within %s", g.Wait)
	}
	g.end = came[len(came)-1].label()
	return nil
}

func (g *grader) judge() (marks []grade.Mark) {
	for _, r := range rules {
		if g.checks(r) {
			f := g.judgeRule(r)
			marks = append(marks, grade.Mark{
				Rule: r.name, Says: r.says, Source: r.source,
				Verdict: f.verdict, Why: f.why, Evidence: numbers(f.evidence),
			})
		}
	}
	return marks
}

func (g *grader) judgeRule(r rule) finding {
	for _, s := range r.scenarios {
		if err := g.failures[s.name]; err != nil {
			return notApplicable("%s", strings.TrimSpace(err.Error()))
		}
		if g.inboxes[s.name] == nil {
			return notApplicable("%s", s.missing)
		}
	}
	return r.judge(g)
}

func numbers(arrivals []*arrival) (ns []int) {
	for _, a := range arrivals {
		ns = append(ns, a.n)
	}
	slices.Sort(ns)
	return slices.Compact(ns)
}

func (g *grader) requests() (list []grade.Request) {
	for _, in := range g.inboxes {
		for _, a := range in.all() {
			list = append(list, grade.Request{N: a.n, Rule: in.name, At: a.at, What: a.describe(), Answer: a.outcome()})
		}
	}
	slices.SortFunc(list, func(a, b grade.Request) int { return a.N - b.N })
	return list
}

func (g *grader) close() {
	for _, in := range g.inboxes {
		in.close()
	}
}
