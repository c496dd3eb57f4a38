package receiver

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/receiver/verdict"
)

// maxBody is how much of a body is kept, in bytes.
const maxBody = callbacks.MaxBody

// What can be wrong with a body.
const (
	bodyTooLong    = "too_long"
	bodyIncomplete = "incomplete"
)

// arrival is a request that is being answered.
type arrival struct {
	Request // as it was when it came
	rc      *Receiver
	kept    *kept
	setup   *setup
	w       http.ResponseWriter
	answer  *answerWriter // within w
	conn    *recordedConn // nil without [Listen]
	noted   bool          // the answer is, or will be as it goes out
}

// capture lists what came to an inbox, has it answered, and notes the answer.
func (rc *Receiver) capture(w http.ResponseWriter, r *http.Request, inbox string, respond func(*arrival, *http.Request)) {
	came := time.Now()
	body, failed, release, err := rc.read(r)
	if err != nil {
		fail(w, err)
		return
	}
	defer release()
	request, judged := describe(r, came, body, failed)
	if inbox == UnmatchedInbox {
		request.Hint = hint(r)
	}
	counts := true
	if inbox == DefaultInbox {
		request.verified = callbacks.VerifyEither(r.Header, body, rc.options.Secret, came) == nil
		counts = request.verified
	}
	a := &arrival{rc: rc, answer: &answerWriter{ResponseWriter: w, isHEAD: r.Method == http.MethodHead}, conn: recordedConnOf(r)}
	a.w = a.answer
	a.kept, a.Request, a.setup = rc.store.add(inbox, request, counts)
	judged.ID = strconv.FormatInt(a.Number, 10)
	a.Verdicts = a.setup.judge(judged)
	a.verified = a.verified && a.suitsScheme()
	rc.store.change(a.kept, func(r *Request) { r.Verdicts, r.verified = a.Verdicts, a.verified })
	if a.conn != nil {
		a.conn.expectAnswer()
	}
	ended := false
	defer func() { a.noteAnswer(r, ended) }()
	r.Body = io.NopCloser(bytes.NewReader(body))
	respond(a, r)
	ended = true
}

// noteAnswer has the answer listed: as its head goes out, because that is when all its headers are known, or now if nothing
// more will go out. A fault calls it before the sender can see the end: who tries again at once finds the attempt before it
// listed with its answer.
func (a *arrival) noteAnswer(r *http.Request, more bool) {
	if a.noted {
		return
	}
	a.noted = true
	conclusion := a.answer.finish(r, a.ReceivedAt)
	note := func() {
		a.rc.store.change(a.kept, func(r *Request) { r.Answer, r.handled = conclusion, a.handled })
		a.Answer = conclusion
		a.rc.console.show(&a.Request)
		a.rc.console.warn(a.rc.store.notice())
	}
	if a.conn == nil {
		note()
		return
	}
	a.conn.whenSent(!more, func(head string) {
		conclusion.Headers = parseHead(head)
		note()
	})
}

// What is in memory of requests that are being answered, in bytes, a few KiB for each beside its body; and how long a
// request waits when that is used up.
const (
	maxUnderWay = 256 << 20
	perRequest  = 4 << 10
	maxQueue    = 5 * time.Second
)

// read reads a body. Of one that is too long it returns one byte more than is allowed; of one that breaks off, what came.
// What it takes is counted until release is called.
func (rc *Receiver) read(r *http.Request) (body []byte, failed string, release func(), err error) {
	size := int64(maxBody + 1)
	if r.ContentLength >= 0 {
		size = min(size, r.ContentLength)
	}
	if !rc.underWay.TryAcquire(perRequest + size) {
		waiting, cancel := context.WithTimeout(r.Context(), maxQueue)
		defer cancel()
		if rc.underWay.Acquire(waiting, perRequest+size) != nil {
			return nil, "", nil, errOverloaded
		}
	}
	buffer := bytes.NewBuffer(make([]byte, 0, min(size+bytes.MinRead, 8<<10)))
	_, err = buffer.ReadFrom(io.LimitReader(r.Body, maxBody+1))
	body = buffer.Bytes()
	rc.underWay.Release(size - int64(len(body)))
	release = func() { rc.underWay.Release(perRequest + int64(len(body))) }
	switch {
	case err != nil:
		failed = bodyIncomplete
	case len(body) > maxBody:
		failed = bodyTooLong
	}
	return body, failed, release, nil
}

// describe returns the request as it is listed, and as it is judged.
func describe(r *http.Request, came time.Time, body []byte, failed string) (Request, verdict.Request) {
	target := originForm(r.RequestURI)
	path, query, _ := strings.Cut(target, "?")
	request := Request{
		ReceivedAt: came.UTC(), Method: r.Method, Target: target, Path: path, Query: query, Protocol: r.Proto,
		Host: r.Host, RemoteAddr: r.RemoteAddr, Body: body[:min(len(body), maxBody)], BodyError: failed, head: headOf(r),
	}
	if request.head.text == "" {
		request.Headers, request.Trailers = sortedHeaders(r), headersOf(r.Trailer)
	} else {
		request.Headers, request.Trailers, request.HeadersExact = parseHead(request.head.text), parseFields(request.head.trailer), true
	}
	judged := request.judged()
	request.DeliveryID, request.Type = judged.DeliveryID(), judged.EventType()
	return request, judged
}

// originForm is a target without scheme and host, which senders give that take the receiver for a proxy (RFC 9112, section 3.2.2).
func originForm(target string) string {
	_, rest, absolute := strings.Cut(target, "://")
	if !absolute || strings.HasPrefix(target, "/") {
		return target
	}
	if i := strings.IndexAny(rest, "/?"); i >= 0 && rest[i] == '/' {
		return rest[i:]
	} else if i >= 0 {
		return "/" + rest[i:]
	}
	return "/"
}

// toInbox answers what came to an inbox.
func toInbox(a *arrival, r *http.Request) {
	switch a.BodyError {
	case bodyTooLong:
		http.Error(a.w, "Body too long", http.StatusRequestEntityTooLarge)
	case bodyIncomplete:
		http.Error(a.w, "Invalid body", http.StatusBadRequest)
	default:
		if a.setup.RefuseUnverified && !verdict.Genuine(a.Verdicts) {
			a.refuse()
			return
		}
		a.respond(r)
	}
}

// suitsScheme reports whether a request is signed as the inbox was told to want it, if it was.
func (a *arrival) suitsScheme() bool {
	return a.setup.Scheme == "" || verdict.Genuine(a.Verdicts)
}

// refuse answers what is not verified, as [callbacks.Middleware] does.
func (a *arrival) refuse() {
	a.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	a.w.WriteHeader(http.StatusUnauthorized)
	_ = a.send([]byte("Invalid signature")) // A sender that has gone is noted.
}

// toRoute answers what came to one of the article's routes, where next decides on it.
func toRoute(next http.Handler) func(*arrival, *http.Request) {
	return func(a *arrival, r *http.Request) {
		if a.BodyError == bodyIncomplete {
			http.Error(a.w, "Invalid body", http.StatusBadRequest)
			return
		}
		if a.BodyError == "" && !a.suitsScheme() {
			a.refuse()
			return
		}
		next.ServeHTTP(a.w, r.WithContext(context.WithValue(r.Context(), arrivalKey{}, a)))
	}
}

type arrivalKey struct{}

// process handles a callback that is verified and new.
func process(w http.ResponseWriter, r *http.Request) {
	a := r.Context().Value(arrivalKey{}).(*arrival)
	a.handled, a.w = true, w
	if err := unknownFaults(r.URL.Query()); err != nil {
		http.Error(w, "Invalid fault: "+err.Error(), http.StatusBadRequest)
		return
	}
	a.respond(r)
}

// respond answers as the query, the script and forward_to say.
func (a *arrival) respond(r *http.Request) {
	fault, err := parseFault(r.URL.Query())
	if err != nil {
		http.Error(a.w, "Invalid fault: "+err.Error(), http.StatusBadRequest)
		return
	}
	step := fault.at(a.Attempt)
	if step == nil {
		step = a.setup.script.next(a.Attempt)
	}
	if step == nil {
		step = &Step{}
	}
	ctx := r.Context()
	if step.Delay > 0 {
		a.fault("delay")
		a.pause(ctx, time.Duration(step.Delay))
	}
	if a.setup.forwardTo != nil && step.forwards() {
		a.forward(r, step)
		return
	}
	a.perform(r, step)
}

// fault notes that something went wrong on purpose.
func (a *arrival) fault(name string) { a.answer.faults = append(a.answer.faults, name) }
