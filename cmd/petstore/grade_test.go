package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"petstore/callbacks"
	"petstore/callbacks/grade"
	"petstore/callbacks/grade/receivers/receiverstest"
	"petstore/docs/nodetest"
)

// TestGradeExpress grades the article's handler, as it is printed. What it breaks, and why:
//
//   - article-bodies: the article's error callback has no result, and the handler reads result.error
//   - raw-bytes: it verifies JSON.stringify(req.body)
//   - rotation: it reads X-Callback-Signature, which holds one signature
//   - old, stripped: that signature has no time
//   - duplicate-once, concurrent-once: its idempotency is another snippet of the article
//   - not-json: JSON.stringify overflows its stack
//   - huge: Express reads to the end what it then refuses
//   - no-leaks: Express shows a stack trace, unless NODE_ENV is production
func TestGradeExpress(t *testing.T) {
	t.Parallel()
	want := []string{
		"article-bodies", "raw-bytes", "rotation", "old", "stripped", "duplicate-once", "concurrent-once",
		"not-json", "huge", "no-leaks",
	}
	if got := broken(t, gradeExpress(t)); !slices.Equal(got, want) {
		t.Errorf("the article's handler breaks %q, want %q", got, want)
	}
}

func gradeExpress(t *testing.T) grade.Report {
	t.Helper()
	dir := filepath.Join("testdata", "express")
	nodetest.Need(t, dir)
	node := exec.CommandContext(t.Context(), "node", "run.js")
	node.Dir, node.Env = dir, append(os.Environ(), "CALLBACK_SECRET="+callbacks.DevelopmentSecret, "NODE_ENV=")
	r := receiverstest.Start(t, node, regexp.MustCompile(`"url":"(http://[^"]+)"`))
	effects := r.Effects(t, regexp.MustCompile(`"event":"updateOrder","order_id":"(\w+)","status":"(\w+)"`))
	var out bytes.Buffer
	err := gradeReceiver(t.Context(), []string{r.URL + "/callbacks/order-status", "-effects", effects, "-timeout", "1m", "-json"}, &out)
	if !errors.Is(err, grade.ErrFailed) {
		t.Fatalf("%v, want rules that are broken", err)
	}
	var report grade.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	return report
}

// broken are the rules that were not kept, or could not be judged.
func broken(t *testing.T, r grade.Report) (rules []string) {
	t.Helper()
	for _, m := range r.Marks {
		if m.Verdict != grade.Pass {
			t.Logf("%s: %s, %s", m.Rule, m.Verdict, m.Why)
			rules = append(rules, m.Rule)
		}
	}
	return rules
}

// TestGradeRefuses what it cannot grade, and says what it wants.
func TestGradeRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"":                                         "URL",
		"ftp://127.0.0.1/":                         "URL",
		"http://127.0.0.1:1/ -secret whsec_!":      "base64",
		"http://127.0.0.1:1/ -rules acepts":        "acepts",
		"http://127.0.0.1:1/ -timeout 1h":          "-timeout",
		"http://127.0.0.1:1/ and another argument": `"and"`,
		"http://127.0.0.1:1/":                      "nothing answers",
	} {
		err := gradeReceiver(t.Context(), strings.Fields(args), t.Output())
		if !errors.Is(err, grade.ErrUngraded) || !strings.Contains(err.Error(), want) {
			t.Errorf("grade %s: %v, want an error with %s", args, err, want)
		}
	}
}
