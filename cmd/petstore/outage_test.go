package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/models/db"
	"petstore/models/postgrestest"
)

// absent is a receiver that can be away: then it answers nothing.
type absent struct {
	*httptest.Server
	away  atomic.Bool
	came  atomic.Int64 // that were answered
	mu    sync.Mutex
	ended map[string]int // last callbacks, by task
}

func newAbsent(tb testing.TB) *absent {
	tb.Helper()
	a := &absent{ended: map[string]int{}}
	a.Server = httptest.NewServer(a)
	tb.Cleanup(a.Close)
	return a
}

func (a *absent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if a.away.Load() {
		panic(http.ErrAbortHandler) // resets the connection
	}
	var u callbacks.Update
	if json.Unmarshal(body, &u) == nil && u.Terminal() && r.URL.Path == "/callback" {
		a.mu.Lock()
		a.ended[u.TaskID]++
		a.mu.Unlock()
	}
	a.came.Add(1)
}

func (a *absent) told() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ended)
}

// TestOutage (reliability 1): a receiver is away while orders come in, with two webhooks at the same
// host. Once it is back, all that it has missed comes quickly, also from a server that
// was killed meanwhile; nobody else notices.
func TestOutage(t *testing.T) { outage(t, "DATABASE_URL="+tempDatabase(t)) }

// TestOutageOnPostgres is the same with the other engine.
func TestOutageOnPostgres(t *testing.T) {
	outage(t, "DATABASE_URL="+postgrestest.URL(t), "BLOB_URL=mem://")
}

func outage(t *testing.T, settings ...string) {
	t.Helper()
	t.Parallel()
	const orders = 400
	settings = append(settings, "STEP_DELAY=0s")
	server := startProcess(t, settings...)
	away, well := newAbsent(t), newAbsent(t)
	for range 2 {
		if err := call(t.Context(), "POST", server.url+"/api/webhooks", `{"url":"`+away.URL+`/webhook","events":["order.*"]}`, 201, nil); err != nil {
			t.Fatal(err)
		}
	}
	away.away.Store(true)
	order := func(url string) {
		if err := call(t.Context(), "POST", server.url+"/api/orders", `{"product":"dog-food","callback_url":"`+url+`/callback"}`, 202, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range orders {
		order(away.URL)
		if i%20 == 0 {
			order(well.URL)
		}
	}
	waitUntil(t, "the other receiver is told", func() bool { return well.told() == orders/20 })
	server.Kill()
	away.away.Store(false)
	server = startProcess(t, settings...)
	waitUntil(t, "all is told that was missed", func() bool { return away.told() == orders })
	checkNothingPending(t, server.url)
	if n := away.came.Load(); n < 5*orders { // its end by callback, and beginning and end to two webhooks
		t.Errorf("%d callbacks came, want at least %d", n, 5*orders)
	}
}

// waitUntil waits for what happens elsewhere.
func waitUntil(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(60 * time.Second)
	for !is() {
		select {
		case <-ticker.C:
		case <-deadline:
			tb.Fatalf("waited in vain until %s", what)
		}
	}
}

// BenchmarkOutage has 150 orders a second come in, with two webhooks, and their receiver be
// away for a minute. It reports how long a POST takes before, during and after, how long
// it takes until nothing is pending any more, and how long the write-ahead log has become.
func BenchmarkOutage(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		database := tempDatabase(b)
		benchmarkOutage(b, database+"-wal", "DATABASE_URL="+database)
	})
	b.Run("postgres", func(b *testing.B) {
		postgrestest.Durable = true
		benchmarkOutage(b, "", "DATABASE_URL="+postgrestest.URL(b), "BLOB_URL=mem://")
	})
}

func benchmarkOutage(b *testing.B, wal string, settings ...string) {
	b.Helper()
	for b.Loop() {
		server := startProcess(b, append(settings, "STEP_DELAY=0s")...)
		rc := newAbsent(b)
		for range 2 {
			if err := call(b.Context(), "POST", server.url+"/api/webhooks", `{"url":"`+rc.URL+`/webhook","events":["order.*"]}`, 201, nil); err != nil {
				b.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(b.Context())
		var mu sync.Mutex
		var posts []time.Duration
		var largest int64
		var placing sync.WaitGroup
		placing.Go(func() {
			ticker := time.NewTicker(time.Second / 150)
			defer ticker.Stop()
			for ctx.Err() == nil {
				<-ticker.C
				placing.Go(func() {
					begun := time.Now()
					if err := call(b.Context(), "POST", server.url+"/api/orders", `{"product":"dog-food","callback_url":"`+rc.URL+`/callback"}`, 202, nil); err != nil {
						b.Error(err)
					}
					mu.Lock()
					posts = append(posts, time.Since(begun))
					mu.Unlock()
				})
				if info, err := os.Stat(wal); err == nil {
					largest = max(largest, info.Size())
				}
			}
		})
		phase := func(name string, d time.Duration) {
			mu.Lock()
			posts = nil
			mu.Unlock()
			came := rc.came.Load()
			<-time.After(d)
			mu.Lock()
			defer mu.Unlock()
			b.ReportMetric(milliseconds(quantile(slices.Clone(posts), 0.5)), name+"-post-p50-ms")
			b.ReportMetric(float64(rc.came.Load()-came)/d.Seconds(), name+"-arrivals/s")
		}
		unit := time.Second
		if os.Getenv("CI") != "" {
			unit /= 10 // there it is only seen that it works
		}
		phase("before", 15*unit)
		rc.away.Store(true)
		phase("away", 60*unit)
		rc.away.Store(false)
		back := time.Now()
		phase("back", 10*unit)
		phase("after", 10*unit)
		stop()
		placing.Wait()
		for pending := true; pending; {
			var page struct {
				Items []json.RawMessage `json:"items"`
			}
			if err := call(b.Context(), "GET", server.url+"/api/callbacks?status=pending&limit=1", "", 200, &page); err != nil {
				b.Fatal(err)
			}
			if pending = len(page.Items) > 0; pending {
				<-time.After(100 * time.Millisecond)
			}
			if time.Since(back) > 5*time.Minute {
				b.Fatalf("still pending: %s", page.Items)
			}
		}
		b.ReportMetric(time.Since(back).Seconds(), "s-until-nothing-pending")
		b.ReportMetric(float64(largest)/(1<<20), "WAL-MiB")
		b.ReportMetric(float64(server.resident())/(1<<20), "MiB")
		b.ReportMetric(0, "ns/op")
		server.Kill()
	}
}

// BenchmarkBacklog starts a server that has 200,000 pending deliveries to one receiver, and
// reports how fast it drains them, and how long a POST takes meanwhile.
func BenchmarkBacklog(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkBacklog(b, tempDatabase(b)) })
	b.Run("postgres", func(b *testing.B) {
		postgrestest.Durable = true
		benchmarkBacklog(b, postgrestest.URL(b), "BLOB_URL=mem://")
	})
}

func benchmarkBacklog(b *testing.B, database string, settings ...string) {
	b.Helper()
	size := 200_000
	if os.Getenv("CI") != "" {
		size /= 100
	}
	rc := newAbsent(b)
	for b.Loop() {
		storePending(b, database, rc.URL+"/callback", size)
		came := rc.came.Load()
		begun := time.Now()
		server := startProcess(b, append(settings, "DATABASE_URL="+database, "STEP_DELAY=0s")...)
		var posts []time.Duration
		for rc.came.Load() < came+int64(size) {
			posting := time.Now()
			if err := call(b.Context(), "POST", server.url+"/api/orders", `{"product":"dog-food"}`, 202, nil); err != nil {
				b.Fatal(err)
			}
			posts = append(posts, time.Since(posting))
			<-time.After(20 * time.Millisecond)
		}
		b.ReportMetric(float64(size)/time.Since(begun).Seconds(), "deliveries/s")
		b.ReportMetric(milliseconds(quantile(posts, 0.5)), "post-p50-ms")
		b.ReportMetric(float64(server.resident())/(1<<20), "MiB")
		b.ReportMetric(0, "ns/op")
		server.Kill()
	}
}

// BenchmarkDeadHost has 100,000 deliveries pending to a receiver that is away when the server
// starts. It reports what orders to another one take beside that, and how fast all is
// delivered once the first is back.
func BenchmarkDeadHost(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkDeadHost(b, tempDatabase(b)) })
	b.Run("postgres", func(b *testing.B) {
		postgrestest.Durable = true
		benchmarkDeadHost(b, postgrestest.URL(b), "BLOB_URL=mem://")
	})
}

func benchmarkDeadHost(b *testing.B, database string, settings ...string) {
	b.Helper()
	size := 100_000
	if os.Getenv("CI") != "" {
		size /= 100
	}
	settings = append(settings, "DATABASE_URL="+database, "STEP_DELAY=0s")
	rc := newAbsent(b)
	measure := func(name string, server *process) {
		load := newLoad(b, server.url, 8)
		load.place(b, 100) // warm up
		latencies := load.place(b, 1000)
		b.ReportMetric(milliseconds(quantile(latencies, 0.5)), name+"-p50-ms")
		b.ReportMetric(milliseconds(quantile(latencies, 0.99)), name+"-p99-ms")
	}
	for b.Loop() {
		server := startProcess(b, settings...)
		measure("alone", server)
		server.Kill()
		storePending(b, database, rc.URL+"/callback", size)
		rc.away.Store(true)
		came := rc.came.Load()
		server = startProcess(b, settings...)
		measure("beside", server)
		rc.away.Store(false)
		back := time.Now()
		for rc.came.Load() < came+int64(size) {
			<-time.After(10 * time.Millisecond)
		}
		b.ReportMetric(time.Since(back).Seconds(), "s-until-delivered")
		b.ReportMetric(0, "ns/op")
		server.Kill()
	}
}

// storePending stores tasks that have ended, and their callbacks, which are due.
func storePending(b *testing.B, database, url string, n int) {
	b.Helper()
	store, err := db.Open(b.Context(), database)
	if err != nil {
		b.Fatal(err)
	}
	for range n / 1000 {
		err = errors.Join(err, store.InTx(b.Context(), func(tx *models.Tx) error {
			for range 1000 {
				t := &models.Task{
					ID: models.NewID(models.PrefixTask), Kind: "order", ResourceID: models.NewID(callbacks.KindOrder.Prefix), Status: models.StatusCompleted,
					Progress: 100, Sequence: 1, CallbackURL: url, Result: []byte(`{"summary":"Done"}`), CreatedAt: models.Now(), UpdatedAt: models.Now(),
				}
				u := models.Update{
					CallbackID: models.NewID(models.PrefixCallback), TaskID: t.ID, Kind: t.Kind, Sequence: 1,
					Type: "order.completed", Status: t.Status, Progress: 100, CreatedAt: t.CreatedAt,
				}
				if err := errors.Join(models.CreateTask(tx, t), models.CreateUpdate(tx, &u)); err != nil {
					return err
				}
				if _, err := models.CreateDelivery(tx, models.NewDelivery(u, "", url)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if err := errors.Join(err, store.Close()); err != nil {
		b.Fatal(err)
	}
}
