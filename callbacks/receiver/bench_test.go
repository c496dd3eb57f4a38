package receiver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
)

// BenchmarkArrivals sends signed callbacks over 64 connections, and counts that each has its verdict. Wanted: 10,000 a
// second on two cores, sender included. The sender costs little: its requests are written before, and a request takes
// it a write and a read.
func BenchmarkArrivals(b *testing.B) {
	document, err := os.ReadFile("../../openapi.yaml")
	if err != nil {
		b.Fatal(err)
	}
	contract, _ := json.Marshal(string(document))
	b.Run("inbox", func(b *testing.B) { arrivals(b, "load", "/in/load", Settings{Secret: secret}) })
	b.Run("contract", func(b *testing.B) { arrivals(b, "load", "/in/load", Settings{Secret: secret, Contract: contract}) })
	b.Run("article", func(b *testing.B) { arrivals(b, DefaultInbox, callbacks.KindOrder.Path, Settings{}) })
}

func arrivals(b *testing.B, inbox, path string, settings Settings) {
	b.Helper()
	t := newBench(b)
	if err := t.receiver.Configure(inbox, settings); err != nil {
		b.Fatal(err)
	}
	t.receiver.console.out = nil
	const senders = 64
	messages := make([][][]byte, senders)
	for i := range b.N {
		messages[i%senders] = append(messages[i%senders], signedMessage(path, i))
	}
	var sending sync.WaitGroup
	b.ResetTimer()
	for _, mine := range messages {
		sending.Go(func() { sendAll(b, t.server.Listener.Addr().String(), mine) })
	}
	sending.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "arrivals/s")
	info, _ := t.receiver.store.info(inbox)
	kept := t.receiver.Requests(inbox, nil)
	for _, r := range kept {
		if r.Verdict() != verdictOK {
			b.Fatalf("request %d: %q %+v", r.Number, r.Verdict(), r.Verdicts)
		}
	}
	if info.Total != int64(b.N) || info.Verdicts.OK != int64(len(kept)) || len(kept) != min(b.N, limits.Requests) {
		b.Errorf("%d of %d came, %d are kept, of which %d are judged", info.Total, b.N, len(kept), info.Verdicts.OK)
	}
}

// signedMessage is a callback as it goes over the wire.
func signedMessage(path string, i int) []byte {
	id := fmt.Sprintf("cb_%d", i)
	body := fmt.Sprintf(`{"callback_id":%q,"type":"order.completed","task_id":"task_%d","order_id":"ord_%d","sequence":3,`+
		`"status":"completed","progress":100,"metadata":{},"result":{"summary":"2 items shipped"},"timestamp":"2026-11-26T10:00:00Z"}`, id, i, i)
	request, _ := http.NewRequest("POST", "http://127.0.0.1"+path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	callbacks.Sign(request.Header, id, time.Now(), []byte(body), secret)
	var message bytes.Buffer
	_ = request.Write(&message)
	return message.Bytes()
}

// sendAll sends messages over one connection, each when the answer to the one before it is there.
func sendAll(b *testing.B, address string, messages [][]byte) {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Error(err)
		return
	}
	defer conn.Close()
	answer := make([]byte, 4<<10)
	for _, message := range messages {
		if _, err := conn.Write(message); err != nil {
			b.Error(err)
			return
		}
		// So short an answer comes in one piece.
		if n, err := conn.Read(answer); err != nil || !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 200 OK\r\n")) || !bytes.HasSuffix(answer[:n], []byte("\r\n\r\nOK")) {
			b.Errorf("%s %v", answer[:n], err)
			return
		}
	}
}

// BenchmarkMemory has a million requests come to 900 inboxes, and says what is in memory then.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		rc := New(Options{})
		body := []byte(strings.Repeat("x", 400))
		for i := range 1_000_000 {
			request := Request{Method: "POST", Path: "/in/x", DeliveryID: fmt.Sprint(i), Body: body, ReceivedAt: time.Now(), Headers: headers("Host", "h")}
			k, added, setup := rc.store.add(fmt.Sprint(i%900), request, true)
			verdicts := setup.judge(added.judged())
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
