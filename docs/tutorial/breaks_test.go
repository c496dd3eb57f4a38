package tutorial_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
)

func serve(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server
}

// killed: the process dies while it works, and is started again. Who was promised a callback waits for it.
func killed(t *testing.T, s *shop) finding {
	t.Helper()
	const orders = 20
	var mu sync.Mutex
	ended, all := map[string]bool{}, make(chan struct{})
	receiver := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		u := readUpdate(r)
		mu.Lock()
		defer mu.Unlock()
		if u.ended() && !ended[u.OrderID] {
			ended[u.OrderID] = true
			if len(ended) == orders {
				close(all)
			}
		}
	})
	s.Kill()
	s.start("STEP_DELAY=1m") // none ends before the crash
	for range orders {
		s.order(t, receiver.URL)
	}
	s.Kill()
	s.start("STEP_DELAY=200ms")
	s.does(t, all)
	mu.Lock()
	defer mu.Unlock()
	lost := orders - len(ended)
	return finding{fmt.Sprintf("%d of %d callbacks are lost", lost, orders), lost == 0}
}

// away: the receiver is being deployed when it is called.
func away(t *testing.T, s *shop) finding {
	t.Helper()
	var mu sync.Mutex
	tries, accepted := 0, make(chan struct{})
	receiver := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !readUpdate(r).ended() {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		close(accepted)
	})
	s.order(t, receiver.URL)
	if !s.does(t, accepted) {
		return finding{"the outcome is never told", false}
	}
	return finding{fmt.Sprintf("told at attempt %d", tries), true}
}

// hanging: a receiver takes connections, and never answers. What does that cost the server?
func hanging(t *testing.T, s *shop) finding {
	t.Helper()
	const orders, most = 80, 64
	var mu sync.Mutex
	open, reached, beyond := 0, make(chan struct{}), make(chan struct{})
	release := make(chan struct{})
	receiver := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_ = readUpdate(r)
		mu.Lock()
		switch open++; open {
		case most:
			close(reached)
		case 2 * orders: // both callbacks of each
			close(beyond)
		}
		mu.Unlock()
		<-release
	})
	t.Cleanup(func() { close(release) }) // before the server is closed
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range orders / 8 {
				s.order(t, receiver.URL)
			}
		})
	}
	clients.Wait()
	receive(t, closed(reached))
	s.fails(t, beyond)
	told := make(chan bool, 10)
	s.order(t, serve(t, func(_ http.ResponseWriter, r *http.Request) { told <- readUpdate(r).ended() }).URL)
	for !receive(t, told) { // Another receiver is told all the same.
	}
	mu.Lock()
	defer mu.Unlock()
	return finding{fmt.Sprintf("%d connections wait for it", open), open <= most}
}

// closed turns the closing of a channel into a value.
func closed(c <-chan struct{}) <-chan bool {
	value := make(chan bool, 1)
	go func() {
		<-c
		value <- true
	}()
	return value
}

// overtaken: the receiver is slow with what is told of progress, and ends up with what it has handled last.
func overtaken(t *testing.T, s *shop) finding {
	t.Helper()
	completed, settled, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	var state update
	handled := 0
	receiver := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		u := readUpdate(r)
		if !u.ended() {
			<-release
		}
		mu.Lock()
		defer mu.Unlock()
		state = u
		handled++
		if u.ended() {
			close(completed)
		}
		// Petstore may leave out progress that was overtaken, but tells the end last.
		if handled == 2 || u.ended() && !s.naive {
			close(settled)
		}
	})
	s.order(t, receiver.URL)
	s.fails(t, completed) // while the receiver is at it
	close(release)
	receive(t, closed(settled))
	mu.Lock()
	defer mu.Unlock()
	return finding{fmt.Sprintf("ends as *%s*", state.Status), state.ended()}
}

// told is the body of a callback.
const told = `{"callback_id":%q,"type":"order.completed","task_id":"task_1","order_id":"ord_1","sequence":3,` +
	`"status":"completed","progress":100,"metadata":{},"timestamp":"2026-11-26T09:00:00.000Z"}`

// call posts a callback to the receiver of a shop, and returns what it answers.
func call(t *testing.T, s *shop, id string, body string, sign callbacks.Signer, at time.Time) (status int, text string) {
	t.Helper()
	request, err := http.NewRequest("POST", s.receiver, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	sign(request.Header, id, at, []byte(body))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(answer)
}

// forged: somebody who doesn't know the secret knows the URL.
func forged(t *testing.T, s *shop) finding {
	t.Helper()
	genuine := callbacks.SignWith(secret)
	altered := func(h http.Header, id string, at time.Time, body []byte) {
		genuine(h, id, at, bytes.Replace(body, []byte("completed"), []byte("failed"), 1))
	}
	accepted := 0
	for _, forgery := range []struct {
		name string
		sign callbacks.Signer
		age  time.Duration
	}{
		{"unsigned", func(http.Header, string, time.Time, []byte) {}, 0},
		{"signed with another secret", callbacks.SignWith("guessed"), 0},
		{"altered on its way", altered, 0},
		{"captured an hour ago", genuine, time.Hour},
	} {
		id := "cb_" + strings.ReplaceAll(forgery.name, " ", "_")
		status, _ := call(t, s, id, fmt.Sprintf(told, id), forgery.sign, time.Now().Add(-forgery.age))
		if status == http.StatusOK {
			accepted++
		}
	}
	return finding{fmt.Sprintf("%d of 4 accepted", accepted), accepted == 0}
}

// doubled: at-least-once delivery delivers again what it was not sure of.
func doubled(t *testing.T, s *shop) finding {
	t.Helper()
	handled := 0
	for range 3 {
		status, text := call(t, s, "cb_double", fmt.Sprintf(told, "cb_double"), callbacks.SignWith(secret), time.Now())
		if status != http.StatusOK {
			t.Errorf("it was answered %d %s", status, text)
		}
		if text == "OK" {
			handled++
		}
	}
	return finding{fmt.Sprintf("handled %d of 3 times", handled), handled == 1}
}

// endless: a body is sent for as long as the server takes it, up to 16 MiB.
func endless(t *testing.T, s *shop) finding {
	t.Helper()
	taken := 0
	for _, url := range []string{s.api + "/api/orders", s.receiver} {
		if !refuses(t, url) {
			taken++
		}
	}
	return finding{fmt.Sprintf("%d of 2 read on", taken), taken == 0}
}

// refuses reports whether a URL answers before 16 MiB have been sent.
func refuses(t *testing.T, url string) bool {
	t.Helper()
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answered := make(chan bool, 1)
	go func() {
		n, _ := conn.Read(make([]byte, 1))
		answered <- n == 1
	}()
	fmt.Fprintf(conn, "POST /%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", path, host)
	fmt.Fprintf(conn, "c\r\n{\"product\":\"\r\n")
	part := []byte(fmt.Sprintf("%x\r\n%s\r\n", 64<<10, strings.Repeat("a", 64<<10)))
	for range 16 << 20 / (64 << 10) {
		_ = conn.SetWriteDeadline(time.Now().Add(30 * time.Second))
		if _, err := conn.Write(part); err != nil {
			break // It was hung up on.
		}
		select {
		case a := <-answered:
			return a
		default:
		}
	}
	select {
	case a := <-answered:
		return a
	case <-time.After(time.Second):
		return false
	}
}

// redirected: the receiver sends the caller on, to where only the caller can get.
func redirected(t *testing.T, s *shop) finding {
	t.Helper()
	reached := make(chan struct{}, 1)
	private := serve(t, func(_ http.ResponseWriter, _ *http.Request) {
		select {
		case reached <- struct{}{}:
		default:
		}
	})
	called := make(chan struct{}, 100)
	receiver := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, private.URL+"/latest/meta-data", http.StatusTemporaryRedirect)
		called <- struct{}{}
	})
	s.order(t, receiver.URL)
	receive(t, called)
	if s.fails(t, reached) {
		return finding{"POSTs there", false}
	}
	return finding{"does not follow", true}
}
