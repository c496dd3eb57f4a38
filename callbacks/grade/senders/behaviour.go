package senders

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"petstore/callbacks/pause"
)

// exchange is one request that is being answered.
type exchange struct {
	http.ResponseWriter

	request *http.Request
	arrival *arrival
	inbox   *inbox
}

// behaviour is what an inbox does with a request.
type behaviour func(x *exchange)

// decide notes what is answered, before it is sent.
func (x *exchange) decide(status int) {
	x.inbox.mu.Lock()
	defer x.inbox.mu.Unlock()
	x.arrival.status, x.arrival.decided = status, time.Now()
}

// hungUp notes that the sender has ended the exchange, unless the inbox was closed or its scenario is over.
func (x *exchange) hungUp() {
	x.inbox.mu.Lock()
	defer x.inbox.mu.Unlock()
	x.arrival.hungUp = x.request.Context().Err() == nil && !x.inbox.over
}

// accept answers 200.
func accept(x *exchange) { answer(http.StatusOK)(x) }

// answer answers with a status and headers, given as names and values.
func answer(status int, headers ...string) behaviour {
	return func(x *exchange) {
		for i := 0; i < len(headers); i += 2 {
			x.Header().Set(headers[i], headers[i+1])
		}
		x.decide(status)
		x.WriteHeader(status)
		if status == http.StatusOK {
			_, _ = io.WriteString(x, "OK") // The sender may have gone.
		}
	}
}

// retryAfterDate answers with a status, and a date until which the sender is to wait.
func retryAfterDate(status int, d time.Duration) behaviour {
	return func(x *exchange) {
		date := time.Now().Add(d).Truncate(time.Second).Add(time.Second) // HTTP dates have whole seconds.
		answer(status, "Retry-After", date.UTC().Format(http.TimeFormat))(x)
	}
}

func retryAfterSeconds(status int, d time.Duration) behaviour {
	return answer(status, "Retry-After", strconv.Itoa(int(d/time.Second)))
}

// elsewhere ends the paths that redirects lead to.
const elsewhere = "/elsewhere"

// redirect leads to another path of the same inbox.
func redirect(status int) behaviour {
	return func(x *exchange) {
		answer(status, "Location", "http://"+x.inbox.address+x.arrival.path+elsewhere)(x)
	}
}

// atEnd misbehaves at the first requests that tell the end of a task, with one fault after the other; all others are
// accepted.
func atEnd(faults ...behaviour) behaviour {
	var mu sync.Mutex
	seen := map[string]int{}
	return func(x *exchange) {
		if !x.arrival.isEnd() {
			accept(x)
			return
		}
		mu.Lock()
		n := seen[x.arrival.path]
		seen[x.arrival.path]++
		mu.Unlock()
		if n < len(faults) {
			faults[n](x)
			return
		}
		accept(x)
	}
}

// repeated is a list of the same fault.
func repeated(times int, fault behaviour) []behaviour {
	faults := make([]behaviour, times)
	for i := range faults {
		faults[i] = fault
	}
	return faults
}

// forTime misbehaves at ends for d, counted from the first.
func forTime(d time.Duration, fault behaviour) behaviour {
	first := sync.OnceValue(time.Now)
	return func(x *exchange) {
		if x.arrival.isEnd() && time.Since(first()) < d {
			fault(x)
			return
		}
		accept(x)
	}
}

// take takes the connection over.
func (x *exchange) take() net.Conn {
	conn, _, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // never: it speaks HTTP/1.1
	}
	return conn
}

// hang never answers.
func hang(x *exchange) {
	conn := x.take()
	defer conn.Close()
	stop := context.AfterFunc(x.request.Context(), func() { conn.Close() })
	defer stop()
	_, _ = io.Copy(io.Discard, conn) // until the sender closes it, or the inbox
	x.hungUp()
}

// reset breaks the connection.
func reset(x *exchange) {
	conn := x.take()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // Where it fails, the connection is closed the ordinary way.
	}
	conn.Close()
}

// garbage answers what is not HTTP.
func garbage(x *exchange) {
	conn := x.take()
	defer conn.Close()
	_, _ = io.WriteString(conn, "220 mail.example.com ESMTP\r\n") // The sender may have gone.
}

// drip accepts, with a body that comes byte by byte and never ends.
func drip(x *exchange) {
	x.pour(http.StatusOK, []byte("."), func() bool { return pause.For(x.request.Context(), 100*time.Millisecond) == nil })
}

// floodLimit is how much of an endless body is offered, in bytes.
const floodLimit = 64 << 20

// flood accepts, with a body that comes as fast as it is taken and never ends.
func flood(x *exchange) {
	x.pour(http.StatusOK, make([]byte, 64<<10), func() bool { return x.arrival.answered < floodLimit })
}

// pour answers with pieces of a body, until next says no or the sender hangs up.
func (x *exchange) pour(status int, piece []byte, next func() bool) {
	x.decide(status)
	conn := x.take()
	defer conn.Close()
	stop := context.AfterFunc(x.request.Context(), func() { conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, "HTTP/1.1 "+strconv.Itoa(status)+" OK\r\nContent-Type: text/plain\r\n\r\n"); err != nil {
		x.hungUp()
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _ = io.Copy(io.Discard, conn) // until it is closed
	}()
	defer func() { conn.Close(); <-closed }()
	for next() {
		n, err := conn.Write(piece)
		x.took(n)
		if err != nil {
			x.hungUp()
			return
		}
		select {
		case <-closed:
			x.hungUp()
			return
		default:
		}
	}
}

func (x *exchange) took(n int) {
	x.inbox.mu.Lock()
	defer x.inbox.mu.Unlock()
	x.arrival.answered += int64(n)
}
