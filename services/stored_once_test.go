package services

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"petstore/callbacks"
	"petstore/models"
)

// copies counts how often a text stands in the database, in whichever table, and how many bytes all rows have.
func (e *engine) copies(text string) (times, total int) {
	e.t.Helper()
	view := e.store.Read(within(e.t))
	var tables []string
	if err := view.Raw("SELECT name FROM sqlite_schema WHERE type = 'table'").Scan(&tables).Error; err != nil {
		e.t.Fatal(err)
	}
	for _, table := range tables {
		var rows []map[string]any
		if err := view.Table(table).Find(&rows).Error; err != nil {
			e.t.Fatal(err)
		}
		for _, row := range rows {
			for _, column := range row {
				value := fmt.Appendf(nil, "%s", column)
				times += bytes.Count(value, []byte(text))
				total += len(value)
			}
		}
	}
	return times, total
}

// TestMetadataIsStoredOnce (security 8): an order of 99 KB, of 100 items with 16 KiB of metadata, takes as much in the database, not
// 9.8 MB, though each of its hundred updates tells the metadata.
func TestMetadataIsStoredOnce(t *testing.T) {
	rc := newReceiver(t, nil)
	e := newEngine(t, options{})
	e.product("dog-food", 1000)
	mark := strings.Repeat("m", 16_000)
	var lines []models.OrderLine
	for range 100 {
		lines = append(lines, models.OrderLine{Product: "dog-food", Quantity: 1, Field: "product"})
	}
	_, before := e.copies(mark)
	order, err := e.orders.Create(within(t), models.NewOrder{Lines: lines, Task: models.Task{CallbackURL: rc.URL, Metadata: models.Metadata{"note": mark}}})
	if err != nil {
		t.Fatal(err)
	}
	if ended := e.ended(order.TaskID); ended.Sequence < 100 {
		t.Errorf("%d updates", ended.Sequence)
	}
	if last := rc.last(order.TaskID); last.Metadata["note"] != mark {
		t.Error("the callback does not tell it")
	}
	e.drain()
	if times, after := e.copies(mark); times != 1 || after-before > 120_000 {
		t.Errorf("stored %d times, in %d bytes", times, after-before)
	}
}

// TestChangedMetadataIsStoredOnce (security 8, another instance): what replaces it is stored once, too, and what nobody was told
// of is not kept.
func TestChangedMetadataIsStoredOnce(t *testing.T) {
	e := newEngine(t, options{idle: true})
	e.product("dog-food", 10)
	order := e.order("", "dog-food")
	marks := []string{strings.Repeat("a", 10_000), strings.Repeat("b", 10_000), strings.Repeat("c", 10_000)}
	for _, mark := range marks {
		_, err := e.orders.Change(within(t), order.ID, func(t *models.Task) error { t.Metadata = models.Metadata{"note": mark}; return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	e.start()
	e.ended(order.TaskID)
	for i, mark := range marks {
		want := 0 // nobody was told of it
		if i == len(marks)-1 {
			want = 1
		}
		if times, _ := e.copies(mark); times != want {
			t.Errorf("metadata %d is stored %d times, want %d", i, times, want)
		}
	}
	var told int
	for _, u := range e.updates(order.TaskID) {
		told += strings.Count(u.Body, marks[2])
	}
	if told < 2 {
		t.Errorf("%d updates tell the newest", told)
	}
}

// TestDatasetIsStoredOnce (security 8, another instance): what a report is made of is in none of its updates, and not in its task.
func TestDatasetIsStoredOnce(t *testing.T) {
	e, reports := newReporter(t)
	e.start()
	mark := strings.Repeat("d", 1000)
	r, err := reports.Create(within(t), models.Report{Type: models.ReportDataset, Data: "name,n\n" + mark + ",1\n", Task: models.Task{Kind: callbacks.KindReport.Name}})
	if err != nil {
		t.Fatal(err)
	}
	e.ended(r.TaskID)
	if times, _ := e.copies(mark); times != 1 {
		t.Errorf("stored %d times", times)
	}
}
