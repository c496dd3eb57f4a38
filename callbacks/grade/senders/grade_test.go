package senders

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"petstore/callbacks/grade"
	"petstore/callbacks/receiver/verdict/contract"
)

// A query that the name server has taken, but not answered when it was closed, waits for its timeout.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net.(*Resolver).goLookupIPCNAMEOrder"))
}

// document announces what the sender sends.
const document = `{"openapi":"3.1.0","info":{"title":"T","version":"1"},"webhooks":{"task":{"post":{"requestBody":{"content":{
	"application/json":{"schema":{"type":"object","required":["status"],"properties":{"sequence":{"type":"integer"}}}}
}},"responses":{"200":{"description":"OK"}}}}}}`

// options ask for everything that can be asked of a sender, but for what needs a network.
func options(t *testing.T, s *sender, only ...string) Options {
	t.Helper()
	announced, err := contract.Read([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Trigger: s.trigger, Secret: secret, Contract: announced, Restart: s.restart,
		Wait: 15 * time.Second, Quiet: 3 * time.Second, RetryAfter: 4 * time.Second, Only: only,
	}
}

func (s *sender) trigger(ctx context.Context, url string) error {
	path := "/"
	if strings.Contains(url, "/in/private/") {
		path = "/private"
	}
	request, err := http.NewRequestWithContext(ctx, "POST", s.server.URL+path, strings.NewReader(url))
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != 202 {
		return fmt.Errorf("answered %s", response.Status)
	}
	return nil
}

// networked are the rules that need a network: they are checked by the machine's. All others are checked by a fake clock, on
// which the load of the machine does not show.
var networked = []string{"retries-reset", "retries-refused", "retries-dns", "verifies-tls", "private-addresses"}

// TestEachRule has a sender break each rule, and no other one.
func TestEachRule(t *testing.T) {
	for _, defect := range append([]string{""}, Rules()...) {
		if slices.Contains(networked, defect) {
			continue // TestEachRuleOfTheNetwork
		}
		only := slices.DeleteFunc(Rules(), func(rule string) bool { return slices.Contains(networked, rule) })
		switch defect {
		case "content-type": // The contract names the type, too.
			only = slices.DeleteFunc(only, func(rule string) bool { return rule == "contract" })
		case "isolation": // Whoever has one place for all is late everywhere.
			only = []string{defect}
		}
		t.Run(defect, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				network := &memory{}
				o := options(t, newSender(t, defect, network), only...)
				o.listen = network.listen
				report, err := Grade(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				expectBroken(t, report, defect)
			})
		})
	}
}

// TestEachRuleOfTheNetwork does so where sockets, names and certificates matter. All run side by side: they mostly wait.
func TestEachRuleOfTheNetwork(t *testing.T) {
	t.Parallel()
	var wait sync.WaitGroup
	for _, defect := range append([]string{""}, networked...) {
		dns, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := newSender(t, defect, nil)
		s.names = dns.LocalAddr().String()
		o := options(t, s, networked...)
		o.DNS, o.RefusesPrivate, o.Wait = dns, true, 10*time.Second
		wait.Go(func() {
			report, err := Grade(t.Context(), o)
			if err != nil {
				t.Errorf("%s: %v", defect, err)
				return
			}
			expectBroken(t, report, defect)
		})
	}
	wait.Wait()
}

func expectBroken(t *testing.T, report grade.Report, defect string) {
	t.Helper()
	broken := []string{}
	for _, m := range report.Marks {
		if m.Verdict == grade.Fail {
			broken = append(broken, m.Rule)
		}
		if m.Verdict == grade.NotApplicable && defect == "" {
			t.Errorf("%s is not applicable: %s", m.Rule, m.Why)
		}
		if m.Verdict == grade.Fail && m.Rule != defect {
			t.Errorf("defect %q: %s: %s %v", defect, m.Rule, m.Why, m.Evidence)
		}
	}
	if defect != "" && !slices.Contains(broken, defect) {
		t.Errorf("defect %q was not found", defect)
	}
}

// TestWaits judges waits that are made up, of senders that TestEachRule does not have.
func TestWaits(t *testing.T) {
	const ms = time.Millisecond
	spread := func(task int, d time.Duration) time.Duration { return d/2 + d*time.Duration(task)/herdTasks } // half of it more or less
	for _, c := range []struct {
		name              string
		wait              func(task, attempt int) time.Duration
		attempts          int
		backsOff, jitters grade.Verdict
	}{
		{"doubles, with jitter", func(task, n int) time.Duration { return spread(task, 100*ms<<n) }, 5, grade.Pass, grade.Pass},
		{"doubles, for all alike", func(task, n int) time.Duration { return 100*ms<<n + time.Duration(task)*ms }, 5, grade.Pass, grade.Fail},
		{"always the same", func(task, _ int) time.Duration { return spread(task, 500*ms) }, 5, grade.Fail, grade.Pass},
		{"gives up early", func(task, n int) time.Duration { return spread(task, 100*ms<<n) }, 3, grade.NotApplicable, grade.Pass},
		{"never tries again", nil, 1, grade.NotApplicable, grade.NotApplicable},
	} {
		g := &grader{inboxes: map[string]*inbox{}}
		in := g.open(herd.name, accept)
		for task := range herdTasks {
			at := time.Now()
			for n := range c.attempts {
				in.arrivals = append(in.arrivals, &arrival{inbox: in, path: in.path(task), at: at, decided: at})
				if n < c.attempts-1 {
					at = at.Add(c.wait(task, n))
				}
			}
		}
		if got := judgeBacksOff(g); got.verdict != c.backsOff {
			t.Errorf("%s: backs-off %s (%s), want %s", c.name, got.verdict, got.why, c.backsOff)
		}
		if got := judgeJitters(g); got.verdict != c.jitters {
			t.Errorf("%s: jitters %s (%s), want %s", c.name, got.verdict, got.why, c.jitters)
		}
		in.close()
	}
}
