package verdict

import (
	"fmt"
	"strconv"
	"time"

	"petstore/callbacks"
)

// timestamp judges when the request says that it was signed: within [callbacks.Tolerance] of its arrival.
func timestamp(r *Request, s *scheme, text string) Verdict {
	v := Verdict{Check: CheckTimestamp, Scheme: s.name, Source: s.source}
	if s.name == SchemeStandard {
		v.Source = standardSource + "#verifying-signatures"
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		v.Code, v.Text = TimestampMalformed, fmt.Sprintf("The timestamp %q is not a number of seconds since 1970.", clip(text, 40))
		return v
	}
	const farFuture = 1e11 // seconds: the year 5138; as milliseconds, 1973
	if seconds > farFuture || seconds < 0 {
		v.Code, v.Text = TimestampMalformed, fmt.Sprintf("The timestamp %d is not one in seconds: has it milliseconds?", seconds)
		return v
	}
	age := r.At.Sub(time.Unix(seconds, 0))
	switch {
	case age > callbacks.Tolerance:
		v.Code, v.Text = TimestampOld, fmt.Sprintf("It was signed %s before it came; %s are allowed. A retry is signed anew.", span(age), span(callbacks.Tolerance))
	case age < -callbacks.Tolerance:
		v.Code, v.Text = TimestampFuture, fmt.Sprintf("It was signed %s after it came; %s are allowed. Whose clock is wrong?", span(-age), span(callbacks.Tolerance))
	default:
		v.Code, v.OK, v.Text = TimestampOK, true, "It was signed within "+span(callbacks.Tolerance)+" of its arrival."
	}
	return v
}

// span is a duration in words: 5 minutes.
func span(d time.Duration) string {
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if n := int64(d / unit.size); n > 1 {
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return fmt.Sprintf("%d seconds", int64(d/time.Second))
}
