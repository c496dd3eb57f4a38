package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
)

// BenchmarkFloor is what BenchmarkOrders is held against: the same clients and
// the same receiver, and between them only what cannot be left out. A request
// stores one row, and later the same row's end, each in a group-committed
// transaction with synchronous=FULL, and the receiver is POSTed to. No
// framework, no queue, no checks, no history.
func BenchmarkFloor(b *testing.B) {
	for _, n := range []int{32, 64, 128} {
		b.Run(fmt.Sprintf("clients=%d", n), func(b *testing.B) {
			floor := newFloor(b)
			server := httptest.NewServer(floor)
			b.Cleanup(server.Close)
			load := newLoad(b, server.URL, n)
			load.place(b, 500)
			b.ResetTimer()
			latencies := load.place(b, b.N)
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
			b.ReportMetric(milliseconds(quantile(latencies, 0.5)), "p50-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

type floor struct {
	tb     testing.TB
	db     *sql.DB
	client *http.Client
	writes chan floorWrite
	sends  sync.WaitGroup
}

type floorWrite struct {
	query string
	args  []any
	done  chan error
}

func newFloor(tb testing.TB) *floor {
	tb.Helper()
	db, err := sql.Open(sqlite.DriverName, "file:"+tempDatabase(tb)+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_stmt_cache_size=20")
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, body BLOB, status TEXT)"); err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * clients}
	f := &floor{tb: tb, db: db, client: &http.Client{Transport: transport}, writes: make(chan floorWrite, 1024)}
	written := make(chan struct{})
	go func() {
		defer close(written)
		f.write()
	}()
	tb.Cleanup(func() {
		f.sends.Wait()
		close(f.writes)
		<-written
		transport.CloseIdleConnections()
		_ = db.Close()
	})
	return f
}

// write takes all that waits into one transaction.
func (f *floor) write() {
	for first := range f.writes {
		group := []floorWrite{first}
		for len(f.writes) > 0 && len(group) < 256 {
			group = append(group, <-f.writes)
		}
		tx, err := f.db.Begin()
		for _, w := range group {
			if err == nil {
				_, err = tx.Exec(w.query, w.args...)
			}
		}
		if err == nil {
			err = tx.Commit()
		}
		for _, w := range group {
			w.done <- err
		}
	}
}

func (f *floor) exec(query string, args ...any) {
	done := make(chan error, 1)
	f.writes <- floorWrite{query, args, done}
	if err := <-done; err != nil {
		f.tb.Error(err)
	}
}

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.tb.Error(err)
	}
	id := time.Now().UnixNano()
	f.exec("INSERT INTO orders (body, status) VALUES (?, 'processing')", body)
	w.WriteHeader(http.StatusAccepted)
	f.sends.Go(func() { f.finish(id, body) })
}

// finish ends an order and calls back, with the request as the body: the load
// finds its metadata there.
func (f *floor) finish(id int64, body []byte) {
	f.exec("UPDATE orders SET status = 'completed' WHERE id = ?", id)
	callback := callbackURL(body)
	res, err := f.client.Post(callback, "application/json", bytes.NewReader(body))
	if err != nil {
		f.tb.Error(err)
		return
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
}

// callbackURL cuts the URL out of an order of the load.
func callbackURL(body []byte) string {
	_, after, _ := bytes.Cut(body, []byte(`"callback_url":"`))
	url, _, _ := bytes.Cut(after, []byte(`"`))
	return string(url)
}
