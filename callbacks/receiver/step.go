package receiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Step is one step of an inbox's script: which requests it is for, and what happens to them. A request meets the first
// step that is not used up and whose chance comes up; with none it is answered "OK".
type Step struct {
	// Times is for how many requests, 1 to 1,000,000; Probability for what part of them, above 0 and at most 1. With
	// neither the step is for all, so nothing may come after it.
	Times       int     `json:"times,omitempty"`
	Probability float64 `json:"probability,omitempty"`
	// By says what Times counts: ByRequest (or "") the requests of the inbox, ByAttempt the attempts of each delivery.
	By string `json:"by,omitempty"`

	// Delay is how long to wait before the answer, up to 60 s.
	Delay Duration `json:"delay,omitempty"`
	// Status is 200 to 599. It is 302 with Redirect, 503 with RetryAfter and else 200 if not set.
	Status int `json:"status,omitempty"`
	// RetryAfter is 0 to 86,400 seconds; as an HTTP date with RetryAfterDate.
	RetryAfter     *int              `json:"retry_after,omitempty"`
	RetryAfterDate bool              `json:"retry_after_date,omitempty"`
	Headers        map[string]string `json:"headers,omitempty"`
	// Body is at most 1 MiB.
	Body *string `json:"body,omitempty"`
	// Redirect is the Location.
	Redirect string `json:"redirect,omitempty"`
	// SlowBody is how long the body takes, up to 10 min.
	SlowBody Duration `json:"slow_body,omitempty"`
	// HugeBody is how many bytes the body has, up to 1 GiB; -1 is no end, for 10 minutes.
	HugeBody int64 `json:"huge_body,omitempty"`
	// Truncate breaks the body off after so many bytes. Content-Length says more.
	Truncate *int `json:"truncate,omitempty"`
	// Drop is DropBefore, DropDuring or DropAfter.
	Drop string `json:"drop,omitempty"`
	// BadHTTP is BadGarbage, BadHeader or BadLength.
	BadHTTP string `json:"bad_http,omitempty"`
	// Hang gives no answer until the sender gives up, or 10 minutes have passed.
	Hang bool `json:"hang,omitempty"`

	// The rest is for what goes to forward_to. Hold and Swap answer at once; what is held is passed on after so long,
	// up to 10 min, what is swapped after the request that comes next, or after 10 s.
	Hold Duration `json:"hold,omitempty"`
	Swap bool     `json:"swap,omitempty"`
	// Repeat passes the request on so many times more, 1 to 100.
	Repeat int `json:"repeat,omitempty"`
	// CorruptSignature changes one character of each signature.
	CorruptSignature bool `json:"corrupt_signature,omitempty"`
}

// What Times can count.
const (
	ByRequest = "request"
	ByAttempt = "attempt"
)

// How a connection can be dropped.
const (
	DropBefore = "before" // reset, without an answer
	DropDuring = "during" // reset in the middle of the answer's body
	DropAfter  = "after"  // closed after the whole answer, which did not announce it
)

// Answers that are not HTTP, or not quite.
const (
	BadGarbage = "garbage" // nothing like HTTP
	BadHeader  = "header"  // 1 MiB of headers
	BadLength  = "length"  // two values of Content-Length
)

// Bounds of steps.
const (
	maxTimes    = 1_000_000
	maxSteps    = 100
	maxPatience = 10 * time.Minute
	maxHuge     = 1 << 30
	maxRepeat   = 100
	endless     = -1
)

// Duration is a time.Duration that JSON has as "1.5s", or as a number of seconds.
type Duration time.Duration

// MarshalJSON writes text, such as "1.5s".
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads text or seconds.
func (d *Duration) UnmarshalJSON(data []byte) error {
	text := string(data)
	if quoted, err := strconv.Unquote(text); err == nil {
		text = quoted
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		text = strconv.FormatFloat(seconds, 'f', -1, 64) + "s"
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return errDuration
	}
	*d = Duration(parsed)
	return nil
}

var errDuration = errors.New(`must be a time such as "1.5s", or a number of seconds`)

// checkScript returns what is wrong with the steps, for the client.
func checkScript(steps []Step) (wrong []FieldError) {
	if len(steps) > maxSteps {
		return []FieldError{{"script", fmt.Sprintf("must have at most %d steps", maxSteps)}}
	}
	for i, step := range steps {
		at := fmt.Sprintf("script[%d]", i)
		for _, fault := range step.check() {
			wrong = append(wrong, FieldError{at + "." + fault.Field, fault.Message})
		}
		if step.Times == 0 && step.Probability == 0 && i < len(steps)-1 {
			wrong = append(wrong, FieldError{at, "needs times or probability: without, the steps after it are never reached"})
		}
	}
	return wrong
}

// check returns what is wrong with the step, by the names of its members.
func (s *Step) check() (wrong []FieldError) {
	require := func(holds bool, field, message string) {
		if !holds {
			wrong = append(wrong, FieldError{field, message})
		}
	}
	require(s.Times >= 0 && s.Times <= maxTimes, "times", "must be a number from 1 to 1000000")
	require(s.Probability >= 0 && s.Probability <= 1, "probability", "must be above 0 and at most 1")
	require(s.Times == 0 || s.Probability == 0, "probability", "cannot be combined with times")
	require(oneOf(s.By, ByRequest, ByAttempt), "by", "must be request or attempt")
	require(within(s.Delay, maxWait), "delay", "must be from 0s to 60s")
	require(s.Status == 0 || s.Status >= 200 && s.Status <= 599, "status", "must be a number from 200 to 599")
	require(s.RetryAfter == nil || *s.RetryAfter >= 0 && *s.RetryAfter <= 86400, "retry_after", "must be a number from 0 to 86400")
	require(s.RetryAfter != nil || !s.RetryAfterDate, "retry_after_date", "needs retry_after")
	require(validHeaders(s.Headers), "headers", "must be at most 100 header fields, with names and values that HTTP allows")
	require(s.Body == nil || len(*s.Body) <= maxBody, "body", "must be at most 1 MiB long")
	require(httpguts.ValidHeaderFieldValue(s.Redirect) && len(s.Redirect) <= 8192, "redirect", "must be a URL or a path")
	require(within(s.SlowBody, maxPatience), "slow_body", "must be from 0s to 10m")
	require(s.HugeBody >= endless && s.HugeBody <= maxHuge, "huge_body", "must be a number from 1 to 1073741824, or -1 for no end")
	require(s.Truncate == nil || *s.Truncate >= 0 && *s.Truncate <= maxBody, "truncate", "must be a number from 0 to 1048576")
	require(oneOf(s.Drop, DropBefore, DropDuring, DropAfter), "drop", "must be before, during or after")
	require(oneOf(s.BadHTTP, BadGarbage, BadHeader, BadLength), "bad_http", "must be garbage, header or length")
	require(within(s.Hold, maxPatience), "hold", "must be from 0s to 10m")
	require(s.Repeat >= 0 && s.Repeat <= maxRepeat, "repeat", "must be a number from 1 to 100")
	return wrong
}

func within(d Duration, most time.Duration) bool { return d >= 0 && time.Duration(d) <= most }

// oneOf takes "" for a member that is not set.
func oneOf(value string, known ...string) bool { return value == "" || slices.Contains(known, value) }

func validHeaders(headers map[string]string) bool {
	for name, value := range headers {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) || len(value) > 8192 {
			return false
		}
	}
	return len(headers) <= 100
}

// status is that of the step's answer.
func (s *Step) status() int {
	switch {
	case s.Status != 0:
		return s.Status
	case s.Redirect != "":
		return http.StatusFound
	case s.RetryAfter != nil:
		return http.StatusServiceUnavailable
	default:
		return http.StatusOK
	}
}

// answerHeaders are those that the step asks for, by name.
func (s *Step) answerHeaders(now time.Time) http.Header {
	headers := http.Header{}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		headers.Set(name, s.Headers[name])
	}
	if s.Redirect != "" {
		headers.Set("Location", s.Redirect)
	}
	if s.RetryAfter != nil {
		headers.Set("Retry-After", strconv.Itoa(*s.RetryAfter))
		if s.RetryAfterDate {
			// A date has no fractions of a second: rounded up, it is not sooner than was asked for.
			at := now.Add(time.Duration(*s.RetryAfter)*time.Second + time.Second - 1)
			headers.Set("Retry-After", at.UTC().Format(http.TimeFormat))
		}
	}
	return headers
}

// forwards reports whether the request is passed on where there is a forward_to. An answer of its own takes the place of
// that, but for a connection that is dropped when the handler has done its work.
func (s *Step) forwards() bool {
	if s.Drop == DropDuring || s.Drop == DropAfter {
		return true
	}
	return s.Status == 0 && s.RetryAfter == nil && s.Redirect == "" && s.Body == nil && s.SlowBody == 0 && s.HugeBody == 0 &&
		s.Truncate == nil && s.Drop == "" && s.BadHTTP == "" && !s.Hang
}
