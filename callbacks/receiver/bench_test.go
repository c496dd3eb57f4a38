package receiver

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
)

// BenchmarkArrivals sends signed callbacks over 64 connections, and counts that each has its verdict. Wanted: 10,000 a
// second on two cores, sender included.
func BenchmarkArrivals(b *testing.B) {
	t := newBench(b)
	const senders = 64
	transport := &http.Transport{MaxIdleConnsPerHost: senders}
	defer transport.CloseIdleConnections()
	_ = t.receiver.Configure("load", Settings{Secret: secret})
	t.receiver.console.out = nil
	work := make(chan int)
	var sending sync.WaitGroup
	b.ResetTimer()
	for range senders {
		sending.Go(func() {
			for i := range work {
				arrive(b, transport, t.server.URL+"/in/load", i)
			}
		})
	}
	for i := range b.N {
		work <- i
	}
	close(work)
	sending.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "arrivals/s")
	info, _ := t.receiver.store.info("load")
	kept := t.receiver.Requests("load", nil)
	for _, r := range kept {
		if r.Verdict() != verdictOK {
			b.Fatalf("request %d: %q %+v", r.Number, r.Verdict(), r.Verdicts)
		}
	}
	if info.Total != int64(b.N) || info.Verdicts.OK != int64(len(kept)) || len(kept) != min(b.N, limits.Requests) {
		b.Errorf("%d of %d came, %d are kept, of which %d are judged", info.Total, b.N, len(kept), info.Verdicts.OK)
	}
}

func arrive(b *testing.B, transport *http.Transport, url string, i int) {
	b.Helper()
	id := fmt.Sprintf("cb_%d", i)
	body := fmt.Sprintf(`{"callback_id":%q,"type":"order.completed","task_id":"task_%d","order_id":"ord_%d","sequence":3,"status":"completed","progress":100,"metadata":{}}`, id, i, i)
	request, _ := http.NewRequest("POST", url, strings.NewReader(body))
	callbacks.Sign(request.Header, id, time.Now(), []byte(body), secret)
	response, err := transport.RoundTrip(request)
	if err != nil {
		b.Error(err)
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

// BenchmarkMemory has a million requests come to 900 inboxes, and says what is in memory then.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		rc := New(Options{})
		body := []byte(strings.Repeat("x", 400))
		for i := range 1_000_000 {
			request := Request{Method: "POST", Path: "/in/x", DeliveryID: fmt.Sprint(i), Body: body, ReceivedAt: time.Now(), Headers: []Header{{"Host", "h"}}}
			k, added, setup := rc.store.add(fmt.Sprint(i%900), request, true)
			verdicts := setup.judge(&added)
			rc.store.change(k, func(r *Request) { r.Verdicts, r.Answer = verdicts, &Answer{Status: 200} })
		}
		runtime.GC()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		b.ReportMetric(float64(memory.HeapAlloc)/(1<<20), "MiB")
		if rc.store.bytes > limits.Bytes || memory.HeapAlloc > 512<<20 {
			b.Errorf("%d MiB, of which %d are counted", memory.HeapAlloc>>20, rc.store.bytes>>20)
		}
		rc.Close()
	}
}
