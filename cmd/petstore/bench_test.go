package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"petstore/models/postgrestest"
)

// clients is how many clients place orders at the same time where a benchmark does
// not vary that.
const clients = 64

// manyClients are the loads that BenchmarkOrders tries: what is fast at 32 may
// collapse at 64.
var manyClients = []int{1, 32, 64, 128, 256, 512}

// BenchmarkOrders measures the whole way: an order is POSTed, processed, and its
// last callback received. Each client places its next order when it has been
// called back for the one before. Client and receiver share the machine with
// the server, which is a process of its own. floor-ratio is the throughput beside
// that of the floor (floor_test.go), with the same clients, in the same run.
func BenchmarkOrders(b *testing.B) {
	for _, n := range manyClients {
		b.Run(fmt.Sprintf("clients=%d", n), func(b *testing.B) {
			server := startProcess(b, "DATABASE_URL="+tempDatabase(b), "STEP_DELAY=0s")
			benchmarkOrders(b, newLoad(b, server.url, n), server.cpu, server.resident)
		})
	}
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("clients=64/receivers=%d", n), func(b *testing.B) {
			server := startProcess(b, "DATABASE_URL="+tempDatabase(b), "STEP_DELAY=0s")
			load := newLoad(b, server.url, clients)
			load.spread(b, n)
			benchmarkOrders(b, load, server.cpu, server.resident)
		})
	}
}

// BenchmarkOrdersPostgres is BenchmarkOrders on PostgreSQL, whose processor time
// counts with the server's.
func BenchmarkOrdersPostgres(b *testing.B) {
	postgrestest.Durable = true
	for _, n := range []int{1, 32, 64, 128, 256, 512} {
		b.Run(fmt.Sprintf("clients=%d", n), func(b *testing.B) {
			server := startProcess(b, "DATABASE_URL="+postgrestest.URL(b), "BLOB_URL=mem://", "STEP_DELAY=0s")
			benchmarkOrders(b, newLoad(b, server.url, n), func() time.Duration { return server.cpu() + postgrestest.CPU(b) }, server.resident)
		})
	}
	b.Run("clients=64/replicas=2", func(b *testing.B) {
		settings := []string{"DATABASE_URL=" + postgrestest.URL(b), "BLOB_URL=mem://", "STEP_DELAY=0s"}
		first, second := startProcess(b, settings...), startProcess(b, settings...)
		load := newLoad(b, first.url, clients)
		load.also = second.url
		benchmarkOrders(b, load, func() time.Duration { return first.cpu() + second.cpu() + postgrestest.CPU(b) },
			func() int { return first.resident() + second.resident() })
	})
}

func benchmarkOrders(b *testing.B, load *load, cpu func() time.Duration, resident func() int) {
	b.Helper()
	load.place(b, 500) // warm up
	before := cpu()
	b.ResetTimer()
	latencies := load.place(b, b.N)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
	b.ReportMetric(milliseconds(cpu()-before)/float64(b.N), "cpu-ms/order")
	b.ReportMetric(milliseconds(quantile(latencies, 0.5)), "p50-ms")
	b.ReportMetric(milliseconds(quantile(latencies, 0.99)), "p99-ms")
	b.ReportMetric(float64(resident())/(1<<20), "MiB")
	b.ReportMetric(0, "ns/op") // the same as orders/s
}

// BenchmarkIdle measures one order at a time on a server with nothing else to do.
func BenchmarkIdle(b *testing.B) {
	server := startProcess(b, "DATABASE_URL="+tempDatabase(b), "STEP_DELAY=0s")
	load := newLoad(b, server.url, 1)
	load.place(b, 20)
	b.ResetTimer()
	latencies := load.place(b, b.N)
	b.StopTimer()
	b.ReportMetric(milliseconds(quantile(latencies, 0.5)), "p50-ms")
	b.ReportMetric(milliseconds(quantile(latencies, 0.95)), "p95-ms")
}

// load places orders and receives their callbacks.
type load struct {
	url       string
	also      string // another server, which half of the orders go to
	clients   int
	http      *http.Client
	receiver  *httptest.Server
	receivers []string // URLs
	waiting   sync.Map // order id → chan struct{}
}

func newLoad(tb testing.TB, url string, n int) *load {
	tb.Helper()
	l := &load{url: url, clients: n}
	l.receiver = httptest.NewServer(http.HandlerFunc(l.receive))
	l.receivers = []string{l.receiver.URL}
	transport := &http.Transport{MaxIdleConnsPerHost: n}
	l.http = &http.Client{Transport: transport}
	tb.Cleanup(func() {
		l.receiver.Close()
		transport.CloseIdleConnections()
	})
	return l
}

// spread has n receivers, each a host of its own.
func (l *load) spread(tb testing.TB, n int) {
	tb.Helper()
	for range n - 1 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(l.receive), ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(listener) }()
		tb.Cleanup(func() { _ = server.Close() })
		l.receivers = append(l.receivers, "http://"+listener.Addr().String())
	}
}

func (l *load) receive(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var update struct {
		Status   string            `json:"status"`
		Metadata map[string]string `json:"metadata"`
	}
	if json.Unmarshal(body, &update) == nil && update.Status != "processing" {
		if done, ok := l.waiting.LoadAndDelete(update.Metadata["n"]); ok {
			close(done.(chan struct{}))
		}
	}
	_, _ = io.WriteString(w, "OK")
}

// place places n orders and returns how long each took from POST to callback.
func (l *load) place(tb testing.TB, n int) []time.Duration {
	tb.Helper()
	latencies := make([]time.Duration, n)
	next := make(chan int)
	var group sync.WaitGroup
	for range l.clients {
		group.Go(func() {
			for i := range next {
				var err error
				if latencies[i], err = l.one(i); err != nil {
					tb.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
	if tb.Failed() {
		tb.FailNow()
	}
	return latencies
}

func (l *load) one(i int) (time.Duration, error) {
	name := fmt.Sprintf("%d-%d", time.Now().UnixNano(), i)
	done := make(chan struct{})
	l.waiting.Store(name, done)
	body := fmt.Sprintf(`{"product":"dog-food","callback_url":"%s/callbacks","metadata":{"n":"%s"}}`, l.receivers[i%len(l.receivers)], name)
	url := l.url
	if l.also != "" && i%2 == 1 {
		url = l.also
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/orders", bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := l.http.Do(req)
	if err != nil {
		return 0, err
	}
	answer, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != http.StatusAccepted {
		return 0, fmt.Errorf("POST /api/orders: %s %s %w", res.Status, answer, err)
	}
	select {
	case <-done:
		return time.Since(start), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("order %s was not called back in time", answer)
	}
}

func quantile(d []time.Duration, q float64) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[int(q*float64(len(d)-1))]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// BenchmarkBlackHole measures how healthy receivers fare beside what never answers:
// orders whose callbacks go to one host, or each to a host of its own, and images that
// are to be fetched from there. It reports the latency of 500 orders to a healthy
// receiver, and of those before, from the same run.
func BenchmarkBlackHole(b *testing.B) {
	hole := newBlackHole(b)
	_, port, _ := strings.Cut(strings.TrimPrefix(hole, "http://"), ":")
	order := func(url string) string { return fmt.Sprintf(`{"product":"dog-food","callback_url":"%s/"}`, url) }
	for _, test := range []struct {
		name string
		n    int
		path string
		body func(i int) string
	}{
		{"orders=500", 500, "/api/orders", func(int) string { return order(hole) }},
		{"orders=10000", 10_000, "/api/orders", func(int) string { return order(hole) }},
		{"hosts=6000", 6000, "/api/orders", func(i int) string { return order(fmt.Sprintf("http://127.%d.%d.1:%s", 1+i/200, i%200, port)) }},
		{"images=4200", 4200, "/api/images/process", func(int) string { return fmt.Sprintf(`{"image_url":"%s/cat.jpg"}`, hole) }},
	} {
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				server := startProcess(b, "DATABASE_URL="+tempDatabase(b), "STEP_DELAY=0s")
				load := newLoad(b, server.url, 8)
				load.place(b, 500)
				alone := load.place(b, 500)
				var posting sync.WaitGroup
				for c := range 16 {
					posting.Go(func() {
						for i := c; i < test.n; i += 16 {
							if err := call(b.Context(), http.MethodPost, server.url+test.path, test.body(i), http.StatusAccepted, nil); err != nil {
								b.Error(err)
							}
						}
					})
				}
				posting.Wait()
				beside := load.place(b, 500)
				b.ReportMetric(float64(server.resident())/(1<<20), "MiB")
				server.Kill()
				b.ReportMetric(milliseconds(quantile(alone, 0.5)), "alone-p50-ms")
				b.ReportMetric(milliseconds(quantile(alone, 0.99)), "alone-p99-ms")
				b.ReportMetric(milliseconds(quantile(beside, 0.5)), "beside-p50-ms")
				b.ReportMetric(milliseconds(quantile(beside, 0.99)), "beside-p99-ms")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// newBlackHole listens, accepts, and never answers.
func newBlackHole(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "0.0.0.0:0") // all of 127.0.0.0/8 reaches it
	if err != nil {
		tb.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		var held []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			held = append(held, conn)
		}
		for _, conn := range held {
			_ = conn.Close()
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close()
		accepting.Wait()
	})
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return "http://127.0.0.1:" + port
}

// BenchmarkMemory measures what the server holds after 100,000 orders, and how
// much of a processor it uses when there is nothing to do.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		server := startBuilt(b, "DATABASE_URL="+tempDatabase(b), "STEP_DELAY=0s")
		load := newLoad(b, server.url, clients)
		load.place(b, 100_000)
		b.ReportMetric(float64(server.resident())/(1<<20), "MiB")
		time.Sleep(2 * time.Second) //nolint:forbidigo // let the queue finish its notes
		const idle = 10 * time.Second
		before := server.cpu()
		time.Sleep(idle) //nolint:forbidigo // this is what is measured
		b.ReportMetric(100*float64(server.cpu()-before)/float64(idle), "idle-cpu-%")
		server.Kill()
	}
}
