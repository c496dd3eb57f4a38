package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	var out bytes.Buffer
	if err := run(context.Background(), []string{"compare", "-orders", "3", "-work", "200ms", "-poll", "20ms"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, w := range transports {
		row := regexp.MustCompile(`(?m)^  ` + w.name + ` +\d+ +\d+ +\d+ +[\d.]+ kB +\d+ ms +\d+ ms$`)
		if !row.Match(out.Bytes()) {
			t.Errorf("no row for %s", w.name)
		}
		if n := strings.Count(out.String(), "  "+w.name); n != 5 { // announced, in the table, and in three charts
			t.Errorf("%s is shown %d times, want 5", w.name, n)
		}
	}
	if bytes.Contains(out.Bytes(), []byte("\x1b")) {
		t.Error("colours, although this is no terminal")
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestCompareRefuses(t *testing.T) {
	for _, args := range []string{"-orders 0", "-orders 1001", "-work 1ns", "-work 1h", "-poll 0", "-x", "more"} {
		if err := compare(context.Background(), strings.Fields(args), new(bytes.Buffer)); err == nil {
			t.Errorf("compare %s is accepted", args)
		}
	}
}

func TestBar(t *testing.T) {
	for part, want := range map[float64]string{0: "▏", 1: strings.Repeat("█", barWidth), 0.5: strings.Repeat("█", barWidth/2), 1.5 / barWidth: "█▌"} {
		if got := bar(part); got != want {
			t.Errorf("bar(%v) is %s, want %s", part, got, want)
		}
	}
}
