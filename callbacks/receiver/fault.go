package receiver

import (
	"cmp"
	"errors"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// fault is what the query of a callback URL asks to go wrong.
type fault struct {
	attempts   int // how many of the first attempts fail
	status     int
	retryAfter string
	drop       bool
	delay      time.Duration
}

// parseFault reads a fault. Its errors are meant for the caller. Parameters that it doesn't know are left alone: a
// callback URL may carry its own.
func parseFault(values url.Values) (fault, error) {
	f := fault{retryAfter: values.Get("retry_after")}
	var err error
	if f.attempts, err = number(values, "fail", 0, 1000); err != nil {
		return fault{}, err
	}
	if f.status, err = number(values, "status", 200, 599); err != nil {
		return fault{}, err
	}
	if _, err = number(values, "retry_after", 0, 86400); err != nil {
		return fault{}, err
	}
	if values.Has("drop") {
		if f.drop, err = strconv.ParseBool(values.Get("drop")); err != nil {
			return fault{}, errors.New("drop must be 1 or 0")
		}
	}
	if values.Has("delay") {
		if f.delay, err = parseDuration("delay", values.Get("delay")); err != nil {
			return fault{}, err
		}
	}
	if !values.Has("fail") && (f.status > 0 || f.retryAfter != "" || f.drop) {
		f.attempts = math.MaxInt
	}
	return f, nil
}

func number(values url.Values, name string, low, high int) (int, error) {
	if !values.Has(name) {
		return 0, nil
	}
	n, err := strconv.Atoi(values.Get(name))
	if err != nil || n < low || n > high {
		return 0, errors.New(name + " must be a number from " + strconv.Itoa(low) + " to " + strconv.Itoa(high))
	}
	return n, nil
}

// strike makes the given attempt go wrong, and reports whether it did.
func (f fault) strike(w http.ResponseWriter, attempt int) bool {
	if attempt > f.attempts {
		return false
	}
	if f.drop {
		reset(w)
		return true
	}
	status := f.status
	if f.retryAfter != "" {
		w.Header().Set("Retry-After", f.retryAfter)
		status = cmp.Or(status, http.StatusServiceUnavailable)
	}
	w.WriteHeader(cmp.Or(status, http.StatusInternalServerError))
	return true
}

// reset closes the connection so that the sender sees it reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // The next best: closed without an answer.
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // Where it fails, the connection is closed the ordinary way.
	}
	conn.Close()
}
