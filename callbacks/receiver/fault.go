package receiver

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// fault is what the query of a callback URL asks to go wrong.
type fault struct {
	attempts int // how many of the first attempts fail
	step     Step
}

// faultNames are the parameters that ask for faults.
var faultNames = []string{"fail", "status", "retry_after", "delay", "drop"}

// unknownFaults returns an error that names the parameters of a callback URL that ask for no fault: a misspelt one
// would do nothing, and nobody would know why.
func unknownFaults(values url.Values) error {
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(faultNames, name) {
			unknown = append(unknown, strconv.Quote(name))
		}
	}
	if unknown == nil {
		return nil
	}
	return fmt.Errorf("%s is none: there are %s (URLs with parameters of their own may go to /in/{inbox})",
		strings.Join(unknown, ", "), strings.Join(faultNames, ", "))
}

// parseFault reads a fault. Its errors are meant for the caller.
func parseFault(values url.Values) (f fault, err error) {
	if f.attempts, err = number(values, "fail", 0, 1000); err != nil {
		return fault{}, err
	}
	if f.step.Status, err = number(values, "status", 200, 599); err != nil {
		return fault{}, err
	}
	seconds, err := number(values, "retry_after", 0, 86400)
	if err != nil {
		return fault{}, err
	}
	if values.Get("retry_after") != "" {
		f.step.RetryAfter = &seconds
	}
	if values.Has("drop") {
		drop, err := strconv.ParseBool(values.Get("drop"))
		if err != nil {
			return fault{}, errors.New("drop must be 1 or 0")
		}
		if drop {
			f.step.Drop = DropBefore
		}
	}
	if values.Has("delay") {
		delay, wrong := parseDuration(values.Get("delay"))
		if wrong != "" {
			return fault{}, errors.New("delay " + wrong)
		}
		f.step.Delay = Duration(delay)
	}
	if !values.Has("fail") && (f.step.Status > 0 || f.step.RetryAfter != nil || f.step.Drop != "") {
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

// at is the step for the given attempt, nil if the query asks for nothing then.
func (f fault) at(attempt int) *Step {
	if attempt > f.attempts {
		if f.step.Delay == 0 {
			return nil
		}
		return &Step{Delay: f.step.Delay}
	}
	step := f.step
	if step.Status == 0 && step.RetryAfter == nil && step.Drop == "" {
		step.Status = http.StatusInternalServerError
	}
	return &step
}
