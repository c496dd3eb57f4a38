package receiver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// stall is how long an answer waits for a sender that doesn't read it.
const stall = 10 * time.Second

// perform answers as a step says, the delay has passed.
func (a *arrival) perform(r *http.Request, step *Step) {
	switch {
	case step.Hang:
		a.fault("hang")
		a.pause(r.Context(), maxPatience)
		panic(http.ErrAbortHandler)
	case step.Drop == DropBefore:
		a.fault("drop before")
		a.noteAnswer(r, true)
		reset(a.w)
	case step.BadHTTP != "":
		a.fault("bad_http " + step.BadHTTP)
		a.answerBadly(r, step.BadHTTP)
	default:
		a.write(r, step)
	}
}

// pause waits, and closes the connection if the sender or the receiver ends before that.
func (a *arrival) pause(ctx context.Context, d time.Duration) {
	if !a.rc.pause(ctx, d) {
		panic(http.ErrAbortHandler)
	}
}

// pause reports whether d passed before the request or the receiver ended.
func (rc *Receiver) pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-rc.ctx.Done():
		return false
	}
}

// write writes an answer that is HTTP, at least at its beginning.
func (a *arrival) write(r *http.Request, step *Step) {
	a.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	maps.Copy(a.w.Header(), step.answerHeaders(time.Now()))
	if step.Status != 0 || step.Redirect != "" || step.RetryAfter != nil {
		a.fault("status")
	}
	status := step.status()
	switch {
	case step.HugeBody != 0:
		a.fault("huge_body")
		a.w.WriteHeader(status)
		a.pour(r.Context(), step.HugeBody)
	case step.Truncate != nil:
		a.fault("truncate")
		a.breakOff(status, step.body(), *step.Truncate)
	case step.Drop == DropDuring:
		a.fault("drop during")
		body := step.body()
		a.begin(status, len(body), body[:len(body)/2])
		a.noteAnswer(r, true)
		a.flush()
		reset(a.w)
	case step.Drop == DropAfter:
		a.fault("drop after")
		body := step.body()
		a.begin(status, len(body), body)
		a.noteAnswer(r, true)
		a.flush()
		hijack(a.w).Close()
	case step.SlowBody > 0:
		a.fault("slow_body")
		a.trickle(r.Context(), status, step)
	default:
		a.w.WriteHeader(status)
		_ = a.send([]byte(step.text())) // A sender that has gone is noted.
	}
}

// send sends a part of the body. What a script has in it is the wish of who runs the receiver.
func (a *arrival) send(data []byte) error {
	_, err := a.w.Write(data) //nolint:gosec // G705: see above
	return err
}

// text is the body of an ordinary answer.
func (s *Step) text() string {
	switch {
	case s.Body != nil:
		return *s.Body
	case s.Status == 0 && s.status() == http.StatusOK:
		return "OK"
	default:
		return ""
	}
}

// body is one that is long enough to go wrong in its midst.
func (s *Step) body() []byte {
	if text := s.text(); len(text) > 2 {
		return []byte(text)
	}
	return bytes.Repeat([]byte("This answer is here to be long.\n"), 32)
}

// begin has the head of an answer with a body of that length, and the beginning of it, ready to be flushed.
func (a *arrival) begin(status, length int, body []byte) {
	a.w.Header().Set("Content-Length", strconv.Itoa(length))
	a.w.WriteHeader(status)
	_ = a.send(body)
}

// flush sends what was written. A sender that has gone shows in the next write, or nowhere.
func (a *arrival) flush() { _ = http.NewResponseController(a.w).Flush() }

// breakOff sends so many bytes of a body that is said to be longer.
func (a *arrival) breakOff(status int, body []byte, length int) {
	if length >= len(body) {
		body = append(body, bytes.Repeat([]byte(" "), length-len(body)+1)...)
	}
	a.begin(status, len(body), body[:length])
	a.flush()
	panic(http.ErrAbortHandler)
}

// pour sends a body of so many bytes, or one without end.
func (a *arrival) pour(ctx context.Context, length int64) {
	block := bytes.Repeat([]byte("This answer is much too long. \r\n"), 1<<10)
	until := time.Now().Add(maxPatience)
	for left := length; left != 0 && ctx.Err() == nil && time.Now().Before(until); {
		select {
		case <-a.rc.ctx.Done():
			return
		default:
		}
		if left > 0 && left < int64(len(block)) {
			block = block[:left]
		}
		_ = http.NewResponseController(a.w).SetWriteDeadline(time.Now().Add(stall))
		if a.send(block) != nil {
			return
		}
		if left > 0 {
			left -= int64(len(block))
		}
	}
}

// trickle sends the body in up to a hundred pieces, of which the last goes out when the answer is listed.
func (a *arrival) trickle(ctx context.Context, status int, step *Step) {
	body := step.body()
	pieces := min(len(body), 100)
	a.begin(status, len(body), nil)
	for i := range pieces {
		a.flush()
		a.pause(ctx, time.Duration(step.SlowBody)/time.Duration(pieces))
		_ = a.send(body[i*len(body)/pieces : (i+1)*len(body)/pieces])
	}
}

// hijack takes the connection over. Where that can't be, the connection is closed without more.
func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = conn.SetDeadline(time.Now().Add(stall))
	return conn
}

// reset closes the connection so that the sender sees it reset.
func reset(w http.ResponseWriter) {
	conn := hijack(w)
	defer conn.Close()
	if recorded, ok := conn.(*recordedConn); ok {
		conn = recorded.Conn
	}
	if tcp, ok := conn.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0) // Where it fails, the connection is closed the ordinary way.
	}
}

// answerBadly answers with what a careful client refuses, and may not read to its end.
func (a *arrival) answerBadly(r *http.Request, how string) {
	var answer string
	switch how {
	case BadGarbage:
		answer = "\x16\x03\x01 This is not HTTP, and does not end like it"
	case BadHeader:
		const line = "X-Too-Many: these headers are here to be too many\r\n"
		answer = "HTTP/1.1 200 OK\r\n" + strings.Repeat(line, 1<<20/len(line)) + "Content-Length: 2\r\n\r\nOK"
	case BadLength:
		answer = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Length: %d\r\n\r\nOK", 2, 20)
	}
	a.answer.note([]byte(answer), nil)
	a.noteAnswer(r, true)
	conn := hijack(a.w)
	defer conn.Close()
	_, _ = io.WriteString(conn, answer)
}
