package senders

import (
	"petstore/callbacks/receiver/verdict"
)

// findings are the verdicts on one request that are against the sender, of the given checks, and whether there were
// any verdicts of these.
func (g *grader) findings(a *arrival, checks ...string) (against []verdict.Verdict, judged bool) {
	request := verdict.Request{Method: a.method, URI: a.path, Body: a.body, At: a.at}
	for name, values := range a.header {
		for _, value := range values {
			request.Headers = append(request.Headers, verdict.Header{Name: name, Value: value})
		}
	}
	for _, v := range g.rules.Judge(request, verdict.NewHistory(1)) {
		for _, check := range checks {
			if v.Check == check {
				judged = true
				if !v.OK {
					against = append(against, v)
				}
			}
		}
	}
	return against, judged
}

// judgeSignatures wants each of the requests to be signed with the secret, and lately.
func (g *grader) judgeSignatures(came []*arrival) finding {
	if g.Secret == "" {
		return notApplicable("only the secret tells: give -secret")
	}
	for i, a := range came {
		if against, _ := g.findings(a, verdict.CheckSignature, verdict.CheckTimestamp); len(against) > 0 {
			return fail(came[i:i+1], "%s", against[0].Text)
		}
	}
	return pass(came...)
}

func judgeContract(g *grader) finding {
	if g.Contract == nil {
		return notApplicable("only the contract tells: give -contract")
	}
	came := g.inboxes[accepted.name].all()
	for i, a := range came {
		against, judged := g.findings(a, verdict.CheckSchema)
		switch {
		case len(against) > 0:
			return fail(came[i:i+1], "%s", against[0].Text)
		case !judged:
			return notApplicable("the contract says nothing of it")
		}
	}
	return pass(came...)
}
