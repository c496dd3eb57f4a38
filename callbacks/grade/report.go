package grade

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Verdict is how a rule was kept.
type Verdict string

const (
	// Pass says that the rule was kept.
	Pass Verdict = "pass"
	// Fail says that it was broken.
	Fail Verdict = "fail"
	// NotApplicable says that nothing came of it that could be judged.
	NotApplicable Verdict = "not applicable"
)

// ErrFailed means that a rule was broken. The report has said which.
var ErrFailed = errors.New("grade: a rule was broken")

// ErrUngraded means that nothing could be graded.
var ErrUngraded = errors.New("cannot grade")

// ExitStatus is that of a command that ended with err: 1 if a rule was broken, 2 if nothing could be graded.
func ExitStatus(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, ErrUngraded):
		return 2
	}
	return 1
}

// Mark is how one rule was kept.
type Mark struct {
	// Rule is its stable name: "id-stable".
	Rule string `json:"rule"`
	// Says is the rule, in a few words.
	Says    string  `json:"says"`
	Verdict Verdict `json:"verdict"`
	// Why says what was seen, or what was missing to judge.
	Why string `json:"why,omitempty"`
	// Evidence are the numbers of the requests that it rests on, ascending.
	Evidence []int `json:"evidence,omitempty"`
	// Source is where the rule comes from.
	Source string `json:"source"`
}

// Request is one request that the evidence names.
type Request struct {
	N    int       `json:"n"` // from 1
	Rule string    `json:"rule"`
	At   time.Time `json:"at"`
	// What it was: its method and URL, and what it carried.
	What string `json:"what"`
	// Answer is its status, or what became of it instead.
	Answer string `json:"answer"`
}

// Report is what came of grading.
type Report struct {
	Subject  string        `json:"subject"`
	Took     time.Duration `json:"-"`
	Seconds  float64       `json:"seconds"` // Took
	Marks    []Mark        `json:"marks"`
	Passed   int           `json:"passed"`
	Failed   int           `json:"failed"`
	Requests []Request     `json:"requests"`
}

// New returns the report of marks, counted.
func New(subject string, took time.Duration, marks []Mark, requests []Request) Report {
	r := Report{Subject: subject, Took: took, Seconds: took.Seconds(), Marks: marks, Requests: requests}
	for _, m := range marks {
		switch m.Verdict {
		case Pass:
			r.Passed++
		case Fail:
			r.Failed++
		case NotApplicable:
		}
	}
	return r
}

// Err is [ErrFailed] if a rule was broken.
func (r Report) Err() error {
	if r.Failed > 0 {
		return ErrFailed
	}
	return nil
}

// Format is how a report is written.
type Format struct{ JSON, JUnit, Requests bool }

// Flags adds the flags that both commands have: those of a format, and the rules to check.
func Flags(fs *flag.FlagSet, f *Format, only *[]string) {
	fs.BoolVar(&f.JSON, "json", false, "print the report as JSON")
	fs.BoolVar(&f.JUnit, "junit", false, "print the report as JUnit XML")
	fs.BoolVar(&f.Requests, "requests", false, "list the requests, too")
	fs.Func("rules", "`names` of the rules to check, comma-separated; empty for all", func(names string) error {
		*only = strings.FieldsFunc(names, func(r rune) bool { return r == ',' })
		return nil
	})
}

// Write writes the report as text, or as f says.
func (r Report) Write(w io.Writer, f Format) error {
	switch {
	case f.JSON:
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	case f.JUnit:
		return r.junit(w)
	}
	_, err := io.WriteString(w, r.text(f.Requests))
	return err
}

var signs = map[Verdict]string{Pass: "✓", Fail: "✗", NotApplicable: "–"}

// text is one line a rule, one more where there is a reason to give, and a summary.
func (r Report) text(requests bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.Subject)
	rule, says := r.widths()
	for _, m := range r.Marks {
		line := fmt.Sprintf("%s %-*s  %-*s  %-18s [%s]", signs[m.Verdict], rule, m.Rule, says, m.Says, numbers(m.Evidence), m.Source)
		fmt.Fprintln(&b, line)
		if m.Verdict != Pass && m.Why != "" {
			fmt.Fprintf(&b, "    %s\n", m.Why)
		}
	}
	if requests {
		fmt.Fprintln(&b)
		for _, q := range r.Requests {
			fmt.Fprintf(&b, "#%-4d %s  %-20s %s → %s\n", q.N, q.At.Format("15:04:05.000"), q.Rule, q.What, q.Answer)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", r.summary())
	return b.String()
}

func (r Report) widths() (rule, says int) {
	for _, m := range r.Marks {
		rule, says = max(rule, len(m.Rule)), max(says, len(m.Says))
	}
	return rule, says
}

func (r Report) summary() string {
	line := fmt.Sprintf("%d of %d rules kept", r.Passed, r.Passed+r.Failed)
	if rest := len(r.Marks) - r.Passed - r.Failed; rest > 0 {
		line += fmt.Sprintf(", %d not applicable", rest)
	}
	line += fmt.Sprintf("; %d requests in %.1f s", len(r.Requests), r.Seconds)
	if r.Failed == 0 {
		return line
	}
	var broken []string
	for _, m := range r.Marks {
		if m.Verdict == Fail {
			broken = append(broken, m.Rule)
		}
	}
	return line + "\nbroken: " + strings.Join(broken, ", ")
}

// numbers writes [1 2 3 7] as "#1-3 #7".
func numbers(evidence []int) string {
	var parts []string
	for i := 0; i < len(evidence); {
		end := i
		for end+1 < len(evidence) && evidence[end+1] == evidence[end]+1 {
			end++
		}
		part := fmt.Sprintf("#%d", evidence[i])
		if end > i {
			part += fmt.Sprintf("-%d", evidence[end])
		}
		parts = append(parts, part)
		i = end + 1
	}
	const most = 3
	if len(parts) > most {
		parts = append(parts[:most], "…")
	}
	return strings.Join(parts, " ")
}

// Check returns an error that names what is wrong if names has a rule that is not in known.
func Check(names, known []string) error {
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no rule %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}
