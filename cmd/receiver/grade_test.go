package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"petstore/callbacks/grade"
)

// once is a sender that calls once, unsigned, while its request waits.
func once(w http.ResponseWriter, r *http.Request) {
	request, err := http.NewRequestWithContext(r.Context(), "POST", r.URL.Query().Get("to"), strings.NewReader(`{"id":"1","status":"completed"}`))
	if err == nil {
		request.Header.Set("Content-Type", "application/json")
		var response *http.Response
		if response, err = http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
		}
	}
	if err != nil {
		w.WriteHeader(500)
	}
}

// TestGrade: both triggers, each format, and what goes wrong.
func TestGrade(t *testing.T) {
	t.Setenv("no_proxy", "127.0.0.1") // a proxy of who runs the tests; curl would ask it
	sender := httptest.NewServer(http.HandlerFunc(once))
	defer sender.Close()
	defer http.DefaultClient.CloseIdleConnections()
	flags := []string{"-secret", "x", "-rules", "answers-first,content-type,signature", "-quiet", "1s"}
	byHTTP := append([]string{"-trigger-http", "GET " + sender.URL + "/?to={url}", "-json"}, flags...)
	var out bytes.Buffer
	if err := gradeSender(t.Context(), byHTTP, nothing, &out, t.Output()); !errors.Is(err, grade.ErrFailed) {
		t.Fatalf("%v, want rules that are broken", err)
	}
	var report grade.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range report.Marks {
		got = append(got, fmt.Sprint(m.Rule, " ", m.Verdict, " ", m.Evidence))
	}
	if text := strings.Join(got, ", "); text != "answers-first fail [2], content-type pass [1], signature fail [1]" {
		t.Errorf("the marks are %s", text)
	}
	out.Reset()
	byCommand := append([]string{"-trigger", "curl -s '" + sender.URL + "/?to={url}'", "-junit"}, flags...)
	if err := gradeSender(t.Context(), byCommand, nothing, &out, t.Output()); !errors.Is(err, grade.ErrFailed) {
		t.Fatalf("%v, want rules that are broken", err)
	}
	var suites struct {
		Suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(out.Bytes(), &suites); err != nil || suites.Suite.Tests != 3 || suites.Suite.Failures != 2 {
		t.Errorf("JUnit has %+v, %v", suites, err)
	}
}

func nothing(string) string { return "" }

// TestGradeRefuses what it cannot grade, and says what it wants.
func TestGradeRefuses(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer silent.Close()
	defer http.DefaultClient.CloseIdleConnections()
	answers := "GET " + silent.URL + "/{url}"
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "-trigger"},
		{[]string{"-trigger", "true"}, "{url}"},
		{[]string{"-trigger", "true {url}", "-trigger-http", "GET {url}"}, "not both"},
		{[]string{"-trigger", "echo no such order; exit 3; {url}"}, "no such order"},
		{[]string{"-trigger-http", answers, "-rules", "signatur"}, "signatur"},
		{[]string{"-trigger-http", answers, "-scheme", "other"}, "scheme"},
		{[]string{"-trigger-http", answers, "-contract", "no such file"}, "no such file"},
		{[]string{"-trigger-http", answers, "-wait", "2h"}, "wait"},
		{[]string{"-trigger-http", answers, "-host", "localhost"}, "localhost"},
		{[]string{"-trigger-http", answers, "-wait", "1s", "-quiet", "1s"}, "no callback came within 1s"},
		{[]string{"-trigger-http", answers, "too", "much"}, `"too"`},
	} {
		err := gradeSender(t.Context(), c.args, nothing, t.Output(), t.Output())
		if !errors.Is(err, grade.ErrUngraded) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want an error with %s", c.args, err, c.want)
		}
	}
}
