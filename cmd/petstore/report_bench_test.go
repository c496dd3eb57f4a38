package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"petstore/models"
	"petstore/models/db"
)

// reportOrders is how many orders BenchmarkSalesReport reports on.
const reportOrders = 1_000_000

// BenchmarkSalesReport measures a report on a million orders of two items each,
// from the request to the callback, in a server that is a process of its own:
// the time, and how much memory it holds at its peak.
func BenchmarkSalesReport(b *testing.B) {
	database := tempDatabase(b)
	seedOrders(b, database, reportOrders)
	server := startProcess(b, "DATABASE_URL="+database)
	before, cpu := server.peak(), server.cpu()
	for b.Loop() {
		makeReport(b, server.url, `{"type":"sales"}`)
	}
	b.ReportMetric(float64(b.N)*reportOrders/b.Elapsed().Seconds(), "orders/s")
	b.ReportMetric((server.cpu()-cpu).Seconds()/float64(b.N), "cpu-s/report")
	b.ReportMetric(float64(before)/(1<<20), "MiB-before")
	b.ReportMetric(float64(server.peak())/(1<<20), "MiB-peak")
}

// makeReport asks for a report, waits for its end and downloads it.
func makeReport(tb testing.TB, url, request string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	var report struct {
		ReportID string `json:"report_id"`
		TaskID   string `json:"task_id"`
		Status   string `json:"status"`
		Result   struct {
			Summary string `json:"summary"`
		} `json:"result"`
	}
	err := call(ctx, http.MethodPost, url+"/api/reports", request, http.StatusAccepted, &report)
	for err == nil && report.Status == models.StatusProcessing {
		err = call(ctx, http.MethodGet, url+"/api/tasks/"+report.TaskID+"?wait=60", "", http.StatusOK, &report)
	}
	if err != nil {
		tb.Fatal(err)
	}
	if want := fmt.Sprintf("%s orders so far: ", "1,000,000"); !strings.HasPrefix(report.Result.Summary, want) {
		tb.Fatalf("the report says %q", report.Result.Summary)
	}
	res, err := http.Get(url + "/api/reports/" + report.ReportID + "/download?format=html")
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK || n < 10_000 {
		tb.Fatalf("download: %s, %d bytes, %v", res.Status, n, err)
	}
}

// seedOrders fills a database with n orders of 2026, of 200 products in 8
// categories: 2% have failed, 1% are cancelled.
func seedOrders(tb testing.TB, database string, n int) {
	tb.Helper()
	store, err := db.Open(tb.Context(), database)
	if err != nil {
		tb.Fatal(err)
	}
	err = store.InTx(tb.Context(), func(tx *models.Tx) error {
		for _, statement := range seedStatements {
			if err := tx.Exec(seedRows+statement, map[string]any{"n": n, "from": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()}).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if closed := store.Close(); err == nil {
		err = closed
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// seedRows is n rows, each with the time, the end of the ids, and the status of
// an order. Ids are built as models.NewID builds them.
const seedRows = `WITH RECURSIVE rows(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM rows WHERE i + 1 < @n),
	seed AS (SELECT i, printf('%012x%020x', @from + i * 31536000000 / @n, i) AS id,
		strftime('%Y-%m-%d %H:%M:%f+00:00', (@from + i * 31536000000 / @n) / 1000.0, 'unixepoch') AS at,
		CASE WHEN i % 50 = 7 THEN 'failed' WHEN i % 100 = 3 THEN 'cancelled' ELSE 'completed' END AS status FROM rows)
	`

const seedItem = `INSERT INTO order_items (order_id, position, product_id, slug, name, category, quantity, price)
	SELECT 'ord_' || id, %d, 'prod_' || (i * %d %% 200), 'product-' || (i * %[2]d %% 200), 'Product ' || (i * %[2]d %% 200),
		'category-' || (i * %[2]d %% 8), 1 + i %% 3, 499 + (i * %[2]d %% 200) * 10 FROM seed`

var seedStatements = []string{
	`INSERT INTO tasks (id, kind, resource_id, status, progress, message, sequence, metadata, callback_url, result,
		error_code, error_message, created_at, updated_at, revision)
		SELECT 'task_' || id, 'order', 'ord_' || id, status, 100, 'Completed', 3, '{}', 'http://127.0.0.1:9090/callbacks', NULL, '', '', at, at, 1 FROM seed`,
	`INSERT INTO orders (id, task_id, total, currency, created_at, updated_at)
		SELECT 'ord_' || id, 'task_' || id, 2000, 'USD', at, at FROM seed`,
	fmt.Sprintf(seedItem, 0, 7), fmt.Sprintf(seedItem, 1, 13),
}

// peak is the most memory that the process has held so far, in bytes.
func (p *process) peak() int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid))
	if err != nil {
		p.tb.Fatal(err)
	}
	kib, _ := strconv.Atoi(regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindStringSubmatch(string(status))[1])
	return kib << 10
}
