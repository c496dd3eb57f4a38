package services

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"petstore/callbacks"
	"petstore/models"
	"petstore/services/report"
	"petstore/services/statistics"
)

// newReporter is an engine that makes reports, on a database in which there may
// be orders already. It works on nothing before start.
func newReporter(t *testing.T) (*engine, *Reports) {
	t.Helper()
	e := newEngine(t, options{idle: true, register: func(e *engine) { e.tasks.Register(NewReporting(e.store)) }})
	return e, NewReports(e.store, e.tasks)
}

// sold stores an order, as if it had been placed at that time, and has ended.
func (e *engine) sold(at time.Time, status, currency string, items ...models.OrderItem) {
	e.t.Helper()
	err := e.store.InTx(within(e.t), func(tx *models.Tx) error {
		now := at.UTC().Truncate(time.Millisecond)
		order := models.Order{ID: models.NewID(callbacks.KindOrder.Prefix), Currency: currency, CreatedAt: now, UpdatedAt: now}
		// The time in an id is that of the row.
		order.ID = fmt.Sprintf("%s%012x%s", callbacks.KindOrder.Prefix, now.UnixMilli(), order.ID[len(callbacks.KindOrder.Prefix)+12:])
		task := models.Task{ID: "task_" + order.ID, Kind: callbacks.KindOrder.Name, ResourceID: order.ID, Status: status, Sequence: 1,
			Metadata: models.Metadata{}, CreatedAt: now, UpdatedAt: now}
		if err := models.CreateTask(tx, &task); err != nil {
			return err
		}
		order.TaskID = task.ID
		for i, item := range items {
			item.OrderID, item.Position = order.ID, i
			order.Items = append(order.Items, item)
		}
		return models.CreateOrder(tx, &order)
	})
	if err != nil {
		e.t.Fatal(err)
	}
}

func item(slug, category string, quantity, price int64) models.OrderItem {
	return models.OrderItem{ProductID: "prod_" + slug, Slug: slug, Name: strings.ToUpper(slug), Category: category, Quantity: quantity, Price: price}
}

// reports makes a report and returns what it says, as a program reads it.
func (e *engine) reports(r *Reports, n models.Report) (models.Task, map[string][]map[string]any) {
	e.t.Helper()
	row, err := r.Create(within(e.t), n)
	if err != nil {
		e.t.Fatal(err)
	}
	task := e.ended(row.TaskID)
	if task.Status != models.StatusCompleted {
		return task, nil
	}
	content, err := r.Download(within(e.t), row.ID, "json")
	if err != nil {
		e.t.Fatal(err)
	}
	var says struct {
		Tables map[string][]map[string]any `json:"tables"`
	}
	if err := json.Unmarshal(content, &says); err != nil {
		e.t.Fatal(err)
	}
	return task, says.Tables
}

// summary is the sentence in the result of a task.
func summary(t *testing.T, task models.Task) string {
	t.Helper()
	var result reported
	if err := json.Unmarshal(task.Result, &result); err != nil {
		t.Fatal(err)
	}
	return result.Summary
}

var march = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func TestSalesReport(t *testing.T) {
	e, r := newReporter(t)
	midnight := time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC)
	e.sold(march, models.StatusCompleted, "USD", item("bone", "dog", 2, 500), item("ball", "dog", 1, 250), item("bone", "dog", 1, 500))
	e.sold(march, models.StatusFailed, "USD", item("bone", "dog", 9, 500))
	e.sold(march, models.StatusCancelled, "USD", item("bone", "dog", 9, 500))
	e.sold(midnight.Add(-time.Millisecond), models.StatusCompleted, "USD", item("ball", "dog", 1, 250))
	e.sold(midnight, models.StatusCompleted, "JPY", item("fish", "cat", 2, 100))
	e.start()

	task, tables := e.reports(r, models.Report{Type: models.ReportSales})
	want := "5 orders so far: 7 items sold for 20.00 USD and 200 JPY; 1 order failed (20.0%). Best seller: BONE, 3 items."
	if got := summary(t, task); got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	rows := func(table string) string {
		var text []string
		for _, row := range tables[table] {
			text = append(text, strings.TrimSpace(fmt.Sprintln(row["day"], row["product"], row["category"], row["currency"], row["orders"], row["failed"], row["units"], row["revenue"])))
		}
		return strings.Join(text, "|")
	}
	const none = "<nil>"
	for table, want := range map[string]string{
		"totals":      "- - - USD 4 1 5 2000|- - - JPY 1 0 2 200",
		"by_day":      "2026-03-14 - - USD 4 1 5 2000|2026-03-15 - - JPY 1 0 2 200",
		"by_product":  "- fish - JPY 1 0 2 200|- bone - USD 3 1 3 1500|- ball - USD 2 0 2 500",
		"by_category": "- - cat JPY 1 0 2 200|- - dog USD 4 1 5 2000",
	} {
		if got := strings.ReplaceAll(rows(table), none, "-"); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", table, got, want)
		}
	}

	for name, test := range map[string]struct{ from, to, want string }{
		"a day":         {"2026-03-14", "2026-03-14", "4 orders on 2026-03-14: 5 items sold for 20.00 USD; 1 order failed (25.0%). Best seller: BONE, 3 items."},
		"the day after": {"2026-03-15", "", "1 order since 2026-03-15: 2 items sold for 200 JPY. Best seller: FISH, 2 items."},
		"before":        {"", "2026-03-13", "No orders were placed until 2026-03-13."},
		"both":          {"2026-03-14", "2026-03-15", "5 orders from 2026-03-14 to 2026-03-15: 7 items sold for 20.00 USD and 200 JPY; 1 order failed (20.0%). Best seller: BONE, 3 items."},
	} {
		task, _ := e.reports(r, models.Report{Type: models.ReportSales, FromDay: test.from, ToDay: test.to})
		if got := summary(t, task); got != test.want {
			t.Errorf("%s: says %q, want %q", name, got, test.want)
		}
	}
}

// TestProgressOfTheArticle: a report on a thousand orders tells what the
// article's progress callback tells, to the letter.
func TestProgressOfTheArticle(t *testing.T) {
	t.Parallel()
	e, r := newReporter(t)
	e.seed(1000)
	rc := newReceiver(t, nil)
	row, err := r.Create(within(t), models.Report{Type: models.ReportSales, Task: models.Task{CallbackURL: rc.URL, Metadata: models.Metadata{"for": "the boss"}}})
	if err != nil {
		t.Fatal(err)
	}
	e.start()
	rc.last(row.TaskID)
	e.drain()
	var told []string
	for _, u := range e.updates(row.TaskID) {
		var update struct {
			ReportID string            `json:"report_id"`
			Progress int               `json:"progress"`
			Message  string            `json:"message"`
			Metadata map[string]string `json:"metadata"`
		}
		if err := json.Unmarshal([]byte(u.Body), &update); err != nil {
			t.Fatal(err)
		}
		if update.ReportID != row.ID || update.Metadata["for"] != "the boss" {
			t.Errorf("an update is %s", u.Body)
		}
		told = append(told, fmt.Sprintf("%s %d %s", u.Type, update.Progress, update.Message))
	}
	want := "report.created 0 Report requested|report.progress 0 Processing items 0-500|report.progress 50 Processing items 500-1000|" +
		"report.progress 99 Writing the report|report.completed 100 Completed"
	if got := strings.Join(told, "|"); got != want {
		t.Errorf("told\n%s\nwant\n%s", got, want)
	}
	if d, _ := e.lastSent(row.TaskID); d.Status != models.DeliveryDelivered || d.Type != "report.completed" {
		t.Errorf("the last delivery is %+v", d)
	}
}

// seed stores n orders of one item each, one a minute.
func (e *engine) seed(n int) {
	e.t.Helper()
	for i := range n {
		e.sold(march.Add(time.Duration(i)*time.Minute), models.StatusCompleted, "USD", item(fmt.Sprint("p", i%7), "dog", 1, 100))
	}
}

// TestReportIsOneMoment changes what was counted and what is still to be
// counted, between two batches of a report.
func TestReportIsOneMoment(t *testing.T) {
	e, _ := newReporter(t)
	e.seed(1000)
	d := report.Document{}
	batches := 0
	meddle := func(int, string) error {
		if batches++; batches == 2 {
			e.exec("UPDATE tasks SET status = 'failed'")
			e.exec("UPDATE order_items SET quantity = 100")
			e.sold(march.AddDate(1, 0, 0), models.StatusCompleted, "USD", item("new", "new", 1, 1))
		}
		return nil
	}
	err := e.store.Snapshot(within(t), func(db *gorm.DB) error { return statistics.Sales(db, &d, meddle) })
	if err != nil {
		t.Fatal(err)
	}
	if want := "1,000 orders so far: 1,000 items sold for 1,000.00 USD. Best seller: P0, 143 items."; batches != 2 || d.Summary != want {
		t.Errorf("after %d batches it says %q, want %q", batches, d.Summary, want)
	}
}

// TestReportGoesOnFromWhatIsStored: a run that was killed after it had stored the content
// is not repeated; one that was killed before is.
func TestReportGoesOnFromWhatIsStored(t *testing.T) {
	e, r := newReporter(t)
	done, err := r.Create(within(t), models.Report{Type: models.ReportInventory})
	if err != nil {
		t.Fatal(err)
	}
	content, err := report.Document{ReportID: done.ID, Summary: "Made before the crash."}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	err = e.store.InTx(within(t), func(tx *models.Tx) error { return models.SaveReportContent(tx, done.ID, content) })
	if err != nil {
		t.Fatal(err)
	}
	e.start()
	if got := summary(t, e.ended(done.TaskID)); got != "Made before the crash." {
		t.Errorf("says %q", got)
	}
}

func TestInventoryReport(t *testing.T) {
	e, r := newReporter(t)
	e.start()
	task, _ := e.reports(r, models.Report{Type: models.ReportInventory})
	if got := summary(t, task); got != "The catalogue has no products." {
		t.Errorf("says %q", got)
	}
	e.product("none", 0)
	e.product("few", statistics.LowStock)
	e.product("many", statistics.LowStock+1)
	rich := models.Product{Slug: "rich", Name: "Rich", Category: "gold", Price: 1_000_000_000, Currency: "JPY", Stock: 1_000_000_000}
	for i := range 20 { // together they are worth more than an int64 holds
		rich.Slug = fmt.Sprint("rich-", i)
		if _, err := e.products.Create(within(t), rich); err != nil {
			t.Fatal(err)
		}
	}
	task, tables := e.reports(r, models.Report{Type: models.ReportInventory})
	want := "23 products with 20,000,000,041 units in stock, worth 20,000,000,000,000,000,000 JPY and 102.50 USD; 1 is low and 1 is out of stock."
	if got := summary(t, task); got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	if len(tables["products"]) != 23 || tables["products"][0]["product"] != "few" || tables["products"][0]["stock"] != "low" {
		t.Errorf("products are %v", tables["products"])
	}
}

func TestCallbacksReport(t *testing.T) {
	e, r := newReporter(t)
	e.start()
	task, _ := e.reports(r, models.Report{Type: models.ReportCallbacks})
	if got := summary(t, task); got != "No callbacks were sent so far." {
		t.Errorf("says %q", got)
	}
	e.seedDeliveries(map[string]int{"http://good.test/a?secret=1": 97, "http://BAD.test:81/b": 3})
	task, tables := e.reports(r, models.Report{Type: models.ReportCallbacks, FromDay: "2026-03-14", ToDay: "2026-03-14"})
	want := "100 callbacks on 2026-03-14: 97.0% of the settled ones were delivered, half of them within 49 ms and 99% within 96 ms. " +
		"The worst host is bad.test:81, where 3 of 3 failed."
	if got := summary(t, task); got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	hosts := fmt.Sprint(tables["by_host"])
	if len(tables["by_host"]) != 2 || tables["by_host"][0]["host"] != "bad.test:81" || strings.Contains(hosts, "secret") {
		t.Errorf("hosts are %s", hosts)
	}
	if fast := tables["latency"][0]; fmt.Sprint(fast["percentile"], fast["latency_ms"]) != "50 49" {
		t.Errorf("the median is %v", fast)
	}
}

// seedDeliveries stores deliveries by URL: those to good hosts were delivered
// within 1, 2, 3, … ms, the others have failed for good.
func (e *engine) seedDeliveries(urls map[string]int) {
	e.t.Helper()
	e.sold(march, models.StatusCompleted, "USD", item("bone", "dog", 1, 100))
	err := e.store.InTx(within(e.t), func(tx *models.Tx) error {
		var taskID string
		if err := tx.Raw("SELECT task_id FROM orders LIMIT 1").Scan(&taskID).Error; err != nil {
			return err
		}
		update := models.Update{CallbackID: "cb_1", TaskID: taskID, Kind: callbacks.KindOrder.Name, Sequence: 1, Status: models.StatusCompleted, CreatedAt: march}
		if err := models.CreateUpdate(tx, &update); err != nil {
			return err
		}
		for url, n := range urls {
			for i := range n {
				d := models.Delivery{ID: fmt.Sprintf("%s%012x%s", models.PrefixDelivery, march.UnixMilli(), models.NewID("")), UpdateID: update.ID,
					URL: url, Status: models.DeliveryExhausted, Attempts: 7, CreatedAt: march, UpdatedAt: march}
				if strings.Contains(url, "good") {
					at := march.Add(time.Duration(i+1) * time.Millisecond)
					d.Status, d.Attempts, d.DeliveredAt = models.DeliveryDelivered, 1, &at
				}
				if err := tx.Omit("Update").Create(&d).Error; err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		e.t.Fatal(err)
	}
}

func TestDatasetReport(t *testing.T) {
	e, r := newReporter(t)
	e.start()
	for data, want := range map[string]string{
		"large dataset":               "Text of 1 line, 2 words and 13 characters.",
		"a,b\n1,2\n3,\n":              "CSV of 2 rows and 2 columns, with 1 value missing.",
		`[{"a":1}]`:                   "JSON of 1 row and 1 column, with no value missing.",
		"[]":                          "The data is empty.",
		strings.Repeat("line\n", 3e3): "Text of 3,000 lines, 3,000 words and 12,000 characters.",
	} {
		task, tables := e.reports(r, models.Report{Type: models.ReportDataset, Data: data})
		if got := summary(t, task); got != want {
			t.Errorf("%.20q: says %q, want %q", data, got, want)
		}
		if want != "The data is empty." && len(tables["columns"]) == 0 {
			t.Errorf("%.20q: no columns", data)
		}
	}
	task, _ := e.reports(r, models.Report{Type: models.ReportDataset, Data: `[{"a":1},`})
	if task.Status != models.StatusFailed || task.ErrorCode != CodeInvalidDataset || !strings.Contains(task.ErrorMessage, "ends before") {
		t.Errorf("bad data ends as %s: %s %s", task.Status, task.ErrorCode, task.ErrorMessage)
	}
}

// TestDeletingAReport cancels it: whoever is called back learns of it.
func TestDeletingAReport(t *testing.T) {
	e, r := newReporter(t)
	rc := newReceiver(t, nil)
	row, err := r.Create(within(t), models.Report{Type: models.ReportSales, Task: models.Task{CallbackURL: rc.URL}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Download(within(t), row.ID, "json"); models.Code(err) != models.CodeConflict {
		t.Errorf("a report that is not made yet: %v", err)
	}
	if err := r.Delete(within(t), row.ID); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(within(t), row.ID); models.Code(err) != models.CodeNotFound {
		t.Errorf("the second time: %v", err)
	}
	e.start()
	if a := rc.next(); a.Type != "report.cancelled" || a.ReportID != row.ID {
		t.Errorf("called back with %s", a.Body)
	}
	e.drain()
	rc.nothingMore()
}
