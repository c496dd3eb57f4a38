package senders

import (
	"fmt"

	"petstore/callbacks/grade"
)

// Where the rules come from.
const (
	article     = "the article, "
	standard    = "Standard Webhooks, "
	outcome     = standard + "Delivery success and failure"
	reliability = standard + "Deliverability and reliability"
	metadata    = standard + "Webhook metadata"
	timeouts    = standard + "Request timeouts"
	ssrf        = standard + "Server side request forgery"
)

// rule is one thing that a sender has to do.
type rule struct {
	name, says, source string
	// scenarios are what it is judged by; without them it is not applicable.
	scenarios []*scenario
	judge     func(g *grader) finding
}

// finding is what came of judging.
type finding struct {
	verdict  grade.Verdict
	why      string
	evidence []*arrival
}

func pass(evidence ...*arrival) finding { return finding{verdict: grade.Pass, evidence: evidence} }

func fail(evidence []*arrival, format string, args ...any) finding {
	return finding{grade.Fail, fmt.Sprintf(format, args...), evidence}
}

func notApplicable(format string, args ...any) finding {
	return finding{verdict: grade.NotApplicable, why: fmt.Sprintf(format, args...)}
}

func of(scenarios ...*scenario) []*scenario { return scenarios }

// rules are all rules.
var rules = []rule{
	{"answers-first", "answers the request before it waits for the receiver", article + "Webhook callbacks", of(&slow), judgeAnswersFirst},
	{"content-type", "says what its body is", "RFC 9110, 8.3", of(&accepted), judgeContentType},
	{"content-length", "says how long its body is", "RFC 9112, 6.2", of(&accepted), judgeContentLength},
	{"signature", "signs its callbacks", article + "Security Considerations", of(&accepted), judgeSignature},
	{"signature-retry", "signs what it sends again", standard + "Signature scheme", of(&errored), judgeSignatureRetry},
	{"id", "names each callback", metadata, of(&accepted), judgeID},
	{"id-stable", "keeps the name when it tries again", metadata, of(&errored), judgeIDStable},
	{"timestamp-fresh", "says the time of the attempt, not of the first", metadata, of(&errored), judgeTimestamp},
	{"body-identical", "sends the same bytes when it tries again", metadata, of(&errored), judgeBody},
	{"contract", "sends what its contract announces", "OpenAPI 3.1, Callback Object", of(&accepted), judgeContract},
	{"order", "keeps a task's callbacks in order, one at a time", "callbacks.Update, Sequence", of(&ordered), judgeOrder},

	{"retries-error", "tries again after 500", outcome, of(&errored), retries(&errored)},
	{"retries-timeout", "tries again when no answer came", outcome, of(&hanging), retries(&hanging)},
	{"retries-reset", "tries again after a connection was reset", outcome, of(&resetting), retries(&resetting)},
	{"retries-garbage", "tries again after an answer that is not HTTP", outcome, of(&garbled), retries(&garbled)},
	{"retries-refused", "tries again after a connection was refused", outcome, of(&refusing), arrives(&refusing, 1)},
	{"retries-dns", "tries again after a name was not found", outcome, of(&unknown), arrives(&unknown, 1)},
	{"retries-redirect", "takes a redirect for a failure", outcome, of(&redirected), judgeRedirectFails},
	{"backs-off", "waits longer each time", reliability, of(&herd), judgeBacksOff},
	{"jitters", "does not come back with all at once", reliability, of(&herd), judgeJitters},
	{"retry-after-seconds", "waits for the seconds of Retry-After, after 429 and 503", "RFC 9110, 10.2.3; RFC 6585, 4", of(&busySeconds, &downSeconds, &herd), judgeRetryAfter(&busySeconds, &downSeconds)},
	{"retry-after-date", "waits for the date of Retry-After, after 429 and 503", "RFC 9110, 10.2.3; RFC 6585, 4", of(&busyDate, &downDate, &herd), judgeRetryAfter(&busyDate, &downDate)},
	{"stops-at-2xx", "sends nothing again that was accepted", outcome, of(&accepted), judgeStops(&accepted)},
	{"stops-at-410", "sends nothing again that was answered 410", outcome, of(&gone, &errored), judgeStopsAtGone},
	{"no-redirect", "follows no redirect", ssrf, of(&redirected), judgeRedirect},

	{"bounded-wait", "hangs up when no answer comes", timeouts, of(&hanging), judgeHangsUp(&hanging)},
	{"bounded-body", "hangs up when an answer never ends", timeouts, of(&dripping), judgeHangsUp(&dripping)},
	{"endless-body", "reads no answer of 64 MiB", "CWE-400", of(&flooding), judgeFlood},
	{"isolation", "calls others while 20 callbacks get no answer", reliability, of(&stuck), judgeIsolation},
	{"end-after-outage", "tells the end of a task after an outage", reliability, of(&away), arrives(&away, 1)},
	{"survives-kill", "tells the end of a task after kill -9", reliability, of(&restarted), arrives(&restarted, killedTasks)},
	{"verifies-tls", "sends nothing to a certificate that nobody has signed", "RFC 9110, 4.3.4", of(&untrusted), judgeTLS},
	{"private-addresses", "refuses private addresses in any spelling", ssrf, of(&private), judgePrivate},
}
