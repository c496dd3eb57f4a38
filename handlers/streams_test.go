package handlers_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"petstore/docs/contracttest"
	"petstore/models"
	"petstore/models/postgrestest"
)

// event is one server-sent event.
type event struct{ name, id, data string }

// eventSource reads a stream as browsers do
// (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
type eventSource struct {
	*http.Response
	lines  *bufio.Reader
	lastID string
}

// listen opens a stream, which ends with ctx.
func (a *api) listen(ctx context.Context, path, lastEventID string) (*eventSource, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+path, nil)
	must(a, err)
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	contracttest.Load(a).Response(a, req, res, []byte("event:"))
	if res.StatusCode != http.StatusOK {
		a.Fatalf("GET %s answers %s", path, res.Status)
	}
	return &eventSource{Response: res, lines: bufio.NewReader(res.Body), lastID: lastEventID}, nil
}

// stream opens a stream that must open, until the test ends.
func (a *api) stream(path string, lastEventID ...string) *eventSource {
	a.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	s, err := a.listen(ctx, path, strings.Join(lastEventID, ""))
	must(a, err)
	a.Cleanup(func() { cancel(); s.Body.Close() })
	return s
}

// next waits for an event.
func (s *eventSource) next() (event, error) {
	e, id := event{}, s.lastID
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return event{}, err // an event that was not finished does not count
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "\n":
			s.lastID = id
			if e.id = id; e.data != "" {
				return e, nil
			}
			e = event{}
		case field == "event":
			e.name = value
		case field == "id":
			id = value
		case field == "data":
			e.data += value
		}
	}
}

func (s *eventSource) take(t testing.TB, n int) []event {
	t.Helper()
	events := make([]event, n)
	for i := range events {
		var err error
		if events[i], err = s.next(); err != nil {
			t.Fatalf("after %d of %d events: %v", i, n, err)
		}
	}
	return events
}

// told is what the database says that was told.
func (a *api) told(where string, args ...any) (events []event) {
	a.Helper()
	db := a.store.Read(context.Background())
	var ids []int64
	must(a, db.Table("updates").Where(where, args...).Pluck("id", &ids).Error)
	newest, err := models.NewestUpdate(db)
	must(a, err)
	for page := (models.UpdatePage{More: true}); page.More; {
		page, err = models.UpdatesAfter(db, models.UpdateFilter{}, page.Position, newest)
		must(a, err)
		for _, u := range page.Items {
			if slices.Contains(ids, u.ID) {
				events = append(events, event{"order-update", fmt.Sprint(u.ID), u.Body})
			}
		}
	}
	return events
}

func (a *api) order(body string) order {
	a.Helper()
	return read[order](a.do("POST", "/api/orders", body).want(202))
}

func TestStream(t *testing.T) {
	a := newAPI(t, settings{})
	a.order(`{"product":"dog-food"}`) // told before
	s := a.stream("/api/orders/stream")
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no",
	} {
		if got := s.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	o := a.order(`{"product":"dog-food","metadata":{"emoji":"🐶\u2028</script>"}}`)
	a.start()
	got := s.take(t, 5)
	if want := a.told("id > 1"); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	one := a.stream("/api/orders/stream?order_id=" + o.OrderID) // from its beginning
	if got, want := one.take(t, 3), a.told("task_id = ?", o.TaskID); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	resumed := a.stream("/api/orders/stream?last_event_id=1&status=completed", "4")
	if got, want := resumed.take(t, 1), a.told("id > 4 AND status = 'completed'")[:1]; !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	tasks := a.stream("/api/tasks/stream?kind=order&last_event_id=0")
	if got := tasks.take(t, 1)[0]; got.name != "task-update" || got.data != a.told("id = 1")[0].data {
		t.Errorf("got %v", got)
	}
	report := read[task](a.do("POST", "/api/reports", `{"type":"inventory"}`).want(202))
	reports := a.stream("/api/tasks/stream?task_id=" + report.TaskID)
	if got, want := reports.take(t, 1)[0].data, a.told("task_id = ?", report.TaskID)[0].data; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestStreamRefuses(t *testing.T) {
	a := newAPI(t, settings{})
	o, other := a.order(`{"product":"dog-food"}`), a.order(`{"product":"dog-food"}`)
	a.do("GET", "/api/orders/stream?order_id=ord_none", "").want(404)
	a.do("GET", "/api/tasks/stream?task_id=task_none", "").want(404)
	a.do("GET", "/api/tasks/stream?order_id="+o.OrderID, "").want(422).names("order_id")
	a.do("GET", "/api/orders/stream?status=done", "").want(422).names("status")
	a.do("GET", "/api/tasks/stream?kind=pet", "").want(422).names("kind")
	a.do("GET", "/api/orders/stream?order_id="+o.OrderID+"&task_id="+other.TaskID, "").want(422).names("task_id")
	for _, id := range []string{"x", "-1", "1.5", "99999999999999999999", "1; DROP TABLE updates"} {
		a.do("GET", "/api/orders/stream", "", "Last-Event-ID: "+id).want(422).names("Last-Event-ID")
	}
	a.do("GET", "/api/orders/stream?last_event_id=x", "").want(422).names("last_event_id")
	a.do("HEAD", "/api/orders/stream", "").want(200)
}

// TestStreamResumesByQuery is faults 14: what polyfills of EventSource send, which can't set headers.
func TestStreamResumesByQuery(t *testing.T) {
	a := newAPI(t, settings{})
	a.order(`{"product":"dog-food"}`)
	a.order(`{"product":"dog-food"}`)
	for _, query := range []string{"lastEventId=1&_=123", "evs_last_event_id=1&evs_preamble=2056", "Last-Event-ID=1", "last_event_id=1"} {
		if e := a.stream("/api/orders/stream?"+query).take(t, 1)[0]; e.id != "2" {
			t.Errorf("%s: got %v", query, e)
		}
	}
	// Another instance: Yaffle's EventSource, older than 1.0, at first and after the first event.
	a.stream("/api/tasks/stream?lastEventId=&r=5231847163254198&padding=true")
	if e := a.stream("/api/tasks/stream?lastEventId=1&r=5231847163254198").take(t, 1)[0]; e.id != "2" {
		t.Errorf("with r: got %v", e)
	}
	a.do("GET", "/api/orders/stream?lastEventId=x", "").want(422).names("lastEventId")
}

// TestStreamOfAnotherDatabase has an id that this server has not given out.
func TestStreamOfAnotherDatabase(t *testing.T) {
	a := newAPI(t, settings{})
	s := a.stream("/api/orders/stream", "1000")
	if e := s.take(t, 1)[0]; e.name != "stream-reset" || e.id != "0" || !strings.Contains(e.data, "UNKNOWN_POSITION") {
		t.Errorf("got %v", e)
	}
	a.order(`{"product":"dog-food"}`)
	if e := s.take(t, 1)[0]; e.id != "1" {
		t.Errorf("got %v", e)
	}
}

// TestStreamHeartbeat reads comments while there are only updates that are not
// asked for.
func TestStreamHeartbeat(t *testing.T) {
	a := newAPI(t, settings{heartbeat: 20 * time.Millisecond})
	s := a.stream("/api/orders/stream?status=completed")
	for pulses := 0; pulses < 3; {
		a.order(`{"product":"dog-food"}`)
		line, err := s.lines.ReadString('\n')
		must(t, err)
		if line == ":\n" {
			pulses++
		}
		if strings.HasPrefix(line, "data") {
			t.Fatalf("got %s", line)
		}
	}
}

// TestStreamEndsCleanly has the server stop: clients get the end of the body, not
// a broken connection.
func TestStreamEndsCleanly(t *testing.T) {
	a := newAPI(t, settings{})
	s := a.stream("/api/orders/stream")
	must(t, a.handler.Close(context.Background()))
	if _, err := s.next(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v, want EOF", err)
	}
	res, err := http.Get(a.url + "/api/orders/stream")
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("a stream on a server that stops is answered %s %v", res.Status, res.Header)
	}
}

// TestStreamCutOff cuts a client off at random, at any byte, 200 times while
// 2,000 orders go through.
func TestStreamCutOff(t *testing.T) {
	a := newAPI(t, settings{})
	a.start()
	cutOff(t, 2000, 200, a)
}

// TestStreamCutOffBetweenReplicas has two servers share a PostgreSQL database. The
// client comes back to the one or the other.
func TestStreamCutOffBetweenReplicas(t *testing.T) {
	url := postgrestest.URL(t)
	a, b := newAPI(t, settings{database: url}), newAPI(t, settings{database: url})
	a.start()
	b.start()
	cutOff(t, 500, 50, a, b)
}

// cutOff places orders at all servers, and holds what a client gets that is cut
// off meanwhile against what they have stored.
func cutOff(t *testing.T, orders, cuts int, servers ...*api) {
	t.Helper()
	var got []event
	var group sync.WaitGroup
	group.Go(func() { got = survive(orders, cuts, servers) })
	var next sync.Mutex
	placed := 0
	for range 16 {
		group.Go(func() {
			for {
				next.Lock()
				placed++
				n := placed
				next.Unlock()
				if n > orders {
					return
				}
				if err := servers[n%len(servers)].post(`{"product":"dog-food"}`); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if want := servers[0].told("kind = 'order'"); !slices.Equal(got, want) {
		t.Errorf("got %d events, want %d, the same in the same order", len(got), len(want))
	}
}

// post places an order, faster than do: nothing is held against the contract.
func (a *api) post(body string) error {
	res, err := http.Post(a.url+"/api/orders", "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("POST /api/orders answers %s", res.Status)
	}
	return err
}

// survive reads events until so many orders have ended, and is cut off so often.
func survive(orders, cuts int, servers []*api) (got []event) {
	lastID := "0"
	for ended, cut := 0, 0; ended < orders; cut++ {
		a := servers[rand.IntN(len(servers))]
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		s, err := a.listen(ctx, "/api/orders/stream", lastID)
		if err != nil {
			a.Error(err)
			cancel()
			return got
		}
		if cut < cuts {
			s.lines = bufio.NewReaderSize(io.LimitReader(s.Body, rand.Int64N(18_000)), 16)
		}
		for ended < orders {
			e, err := s.next()
			if err != nil {
				break
			}
			got = append(got, e)
			if !strings.Contains(e.data, `"status":"processing"`) {
				ended++
			}
		}
		lastID = s.lastID
		cancel()
		s.Body.Close()
		if ended == orders && cut < cuts {
			a.Errorf("it was all over after %d cuts, want %d", cut, cuts)
		}
	}
	return got
}

// TestStuckClientHarmsNobody has a client that does not read: it is dropped, and
// nobody waits for it.
func TestStuckClientHarmsNobody(t *testing.T) {
	a := newAPI(t, settings{writeTimeout: 200 * time.Millisecond})
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /api/orders/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	must(t, err)
	reader := bufio.NewReader(conn)
	_, err = reader.ReadString('\n') // it has begun
	must(t, err)
	s := a.stream("/api/orders/stream")
	metadata := make([]string, 30) // of the 16 KiB that it may have
	for i := range metadata {
		metadata[i] = fmt.Sprintf("%q:%q", fmt.Sprint(i), strings.Repeat("x", 500))
	}
	body := fmt.Sprintf(`{"product":"dog-food","metadata":{%s}}`, strings.Join(metadata, ","))
	const size = 15_000 * 1000 // more than the kernel buffers
	for range 1000 {
		must(t, a.post(body))
		s.take(t, 1)
	}
	must(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	if n, err := io.Copy(io.Discard, reader); err != nil && !strings.Contains(err.Error(), "reset") || n > size {
		t.Errorf("the stuck client read %d bytes, and then %v; want it cut off", n, err)
	}
}
