package grade

import (
	"encoding/xml"
	"io"
)

// The elements that the readers of JUnit reports agree on (the schema of the Jenkins plugin, https://llg.cubic.org/docs/junit).
type (
	suites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suite   suite    `xml:"testsuite"`
	}
	suite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Time     float64    `xml:"time,attr"`
		Cases    []testCase `xml:"testcase"`
	}
	testCase struct {
		Class   string  `xml:"classname,attr"`
		Name    string  `xml:"name,attr"`
		Failure *reason `xml:"failure,omitempty"`
		Skipped *reason `xml:"skipped,omitempty"`
	}
	reason struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func (r Report) junit(w io.Writer) error {
	s := suite{Name: r.Subject, Tests: len(r.Marks), Failures: r.Failed, Skipped: len(r.Marks) - r.Passed - r.Failed, Time: r.Seconds}
	for _, m := range r.Marks {
		c := testCase{Class: "grade", Name: m.Rule + ": " + m.Says}
		why := &reason{Message: m.Why, Text: numbers(m.Evidence) + " [" + m.Source + "]"}
		switch m.Verdict {
		case Fail:
			c.Failure = why
		case NotApplicable:
			c.Skipped = why
		case Pass:
		}
		s.Cases = append(s.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suites{Suite: s}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
