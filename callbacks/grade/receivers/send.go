package receivers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/grade"
)

const noAnswer = "no answer"

// message is a callback as it goes over the wire.
type message struct {
	what   string // for the list of requests
	method string
	header http.Header
	body   []byte
}

// answer is what a receiver did with a message.
type answer struct {
	status int // 0 if none came
	body   string
	err    error
	took   time.Duration
}

func (a answer) accepted() bool { return a.status >= 200 && a.status <= 299 }

func (a answer) String() string {
	if a.status == 0 {
		return noAnswer
	}
	return fmt.Sprint(a.status)
}

// sign makes the message of a body that a callback of this id carries.
func (g *grader) sign(what, id string, body []byte, at time.Time) message {
	m := message{what: what, method: http.MethodPost, header: http.Header{"Content-Type": {"application/json"}}, body: body}
	callbacks.Sign(m.header, id, at, body, g.options.Secret)
	return m
}

// tell makes the message of an update.
func (g *grader) tell(u callbacks.Update) message {
	body, err := callbacks.Encode(u)
	if err != nil {
		panic(err) // The grader's own updates are valid.
	}
	return g.sign(u.Type, u.CallbackID, body, time.Now())
}

// with returns m with another header, or without it if value is "".
func (m message) with(name, value string) message {
	m.header = m.header.Clone()
	if value == "" {
		m.header.Del(name)
	} else {
		m.header.Set(name, value)
	}
	return m
}

// as returns m under another description.
func (m message) as(what string) message {
	m.what = what
	return m
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// send sends m and notes it.
func (g *grader) send(ctx context.Context, m message) answer {
	return g.note(m, func() answer { return g.inTime(ctx, m, bytes.NewReader(m.body), int64(len(m.body))) })
}

// note lists a request, and looks into its answer.
func (g *grader) note(m message, exchange func() answer) answer {
	g.mu.Lock()
	i := len(g.requests)
	g.requests = append(g.requests, grade.Request{N: i + 1, Rule: g.rule, At: time.Now(), What: m.method + " " + m.what})
	g.mu.Unlock()
	a := exchange()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests[i].Answer = a.String()
	g.look(i+1, m, a)
	return a
}

// inTime is exchange for as long as an answer may take.
func (g *grader) inTime(ctx context.Context, m message, body io.Reader, length int64) answer {
	ctx, cancel := context.WithTimeout(ctx, g.options.Timeout)
	defer cancel()
	return g.exchange(ctx, m, body, length)
}

// exchange sends m with a body of that length; -1 is chunked.
func (g *grader) exchange(ctx context.Context, m message, body io.Reader, length int64) (a answer) {
	start := time.Now()
	defer func() { a.took = time.Since(start) }()
	request, err := http.NewRequestWithContext(ctx, m.method, g.options.URL, body)
	if err != nil {
		return answer{err: err}
	}
	request.Header, request.ContentLength = m.header.Clone(), length
	response, err := g.client.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return answer{status: response.StatusCode, body: string(text), err: err}
}

// accepts fails unless every message is answered 2xx.
func (g *grader) accepts(ctx context.Context, messages ...message) error {
	for _, m := range messages {
		if a := g.send(ctx, m); !a.accepted() {
			return brokenBecause("%s: answered %s%s", m.what, a, excerpt(a))
		}
	}
	return nil
}

// refuses fails unless every message is answered 400, 401 or 403.
func (g *grader) refuses(ctx context.Context, messages ...message) error {
	for _, m := range messages {
		switch a := g.send(ctx, m); a.status {
		case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		default:
			return brokenBecause("%s: answered %s, not 401%s", m.what, a, excerpt(a))
		}
	}
	return nil
}

// excerpt is the beginning of an answer, to show.
func excerpt(a answer) string {
	const most = 80
	text, _, _ := strings.Cut(strings.TrimSpace(a.body), "\n")
	if text == "" {
		return ""
	}
	if len(text) > most {
		text = text[:most] + "…"
	}
	return fmt.Sprintf(" %q", text)
}
