package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"petstore/callbacks/pause"
	"petstore/models"
	"petstore/services/task"
)

// quick is an operation that has nothing to tell but its end.
func quick() []task.Operation {
	return []task.Operation{operation(func(context.Context, *models.Task, task.Progress) (any, error) { return "done", nil })}
}

func TestAttemptsAreKept(t *testing.T) {
	e := newEngine(t, options{operations: quick()})
	rc := newReceiver(t, func(w http.ResponseWriter, a arrival) {
		w.Header().Set("X-Attempt", fmt.Sprint(a.Attempt))
		w.WriteHeader([]int{500, 502, 200}[a.Attempt-1])
		fmt.Fprintf(w, "answer %d", a.Attempt)
	})
	began := models.Now()
	task := e.begin(rc.URL)
	for range 3 {
		rc.next()
	}
	e.drain()
	rc.nothingMore()
	d, attempts := e.lastSent(task.ID)
	if d.Status != models.DeliveryDelivered || d.Attempts != 3 || d.StatusCode != 200 || d.Error != "" || d.DeliveredAt == nil || d.NextAttemptAt != nil {
		t.Errorf("got %+v", d)
	}
	if len(attempts) != 3 {
		t.Fatalf("%d attempts kept", len(attempts))
	}
	for i, a := range attempts {
		if a.Number != i+1 || a.StatusCode != []int{500, 502, 200}[i] || a.Body != fmt.Sprintf("answer %d", i+1) ||
			a.Headers.Get("X-Attempt") != fmt.Sprint(i+1) || a.Address != rc.Listener.Addr().String() || a.Error != "" ||
			a.Duration <= 0 || a.StartedAt.Before(began) || a.StartedAt.After(models.Now()) {
			t.Errorf("attempt %d: %+v", i+1, a)
		}
	}
}

func TestOutcomes(t *testing.T) {
	retryAfter := func(status int, value string) answer {
		return func(w http.ResponseWriter, _ arrival) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(status)
		}
	}
	inTwoHours := func(w http.ResponseWriter, a arrival) {
		retryAfter(503, time.Now().Add(2*time.Hour).UTC().Format(http.TimeFormat))(w, a)
	}
	for _, test := range []struct {
		name     string
		answer   answer
		status   string
		attempts int
		code     int
		err      string
		wait     time.Duration // at least, until the next attempt
	}{
		{name: "no answer", answer: hang, status: models.DeliveryExhausted, attempts: 2, err: "timed out"},
		{name: "reset", answer: reset, status: models.DeliveryExhausted, attempts: 2, err: "connection closed early"},
		{name: "slow body", answer: slowBody, status: models.DeliveryDelivered, attempts: 1, code: 200, err: "timed out"},
		{name: "500", answer: statuses(500), status: models.DeliveryExhausted, attempts: 2, code: 500},
		{name: "404", answer: statuses(404), status: models.DeliveryExhausted, attempts: 2, code: 404},
		{name: "redirect", answer: func(w http.ResponseWriter, _ arrival) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusFound)
		}, status: models.DeliveryExhausted, attempts: 2, code: 302},
		// faults 6: 410 ends the attempts of that delivery
		{name: "gone", answer: statuses(410), status: models.DeliveryGone, attempts: 1, code: 410},
		{name: "gone later", answer: statuses(500, 410), status: models.DeliveryGone, attempts: 2, code: 410},
		{name: "204", answer: statuses(204), status: models.DeliveryDelivered, attempts: 1, code: 204},
		{name: "429, seconds", answer: retryAfter(429, "3600"), status: models.DeliveryPending, attempts: 1, code: 429, wait: time.Hour},
		{name: "503, date", answer: inTwoHours, status: models.DeliveryPending, attempts: 1, code: 503, wait: 2*time.Hour - 2*time.Second},
		{name: "500 has no say", answer: retryAfter(500, "3600"), status: models.DeliveryExhausted, attempts: 2, code: 500},
		{name: "bounded", answer: retryAfter(429, "99999999"), status: models.DeliveryPending, attempts: 1, code: 429, wait: 24 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			timeout := 10 * time.Second
			if test.err == "timed out" {
				timeout = 300 * time.Millisecond
			}
			e := newEngine(t, options{operations: quick(), waits: []time.Duration{time.Millisecond}, timeout: timeout})
			rc := newReceiver(t, test.answer)
			began := models.Now()
			task := e.begin(rc.URL)
			for range test.attempts {
				if a := rc.next(); a.Path != "/" {
					t.Errorf("a redirect was followed to %s", a.Path)
				}
			}
			e.drain()
			rc.nothingMore()
			d, attempts := e.lastSent(task.ID)
			if d.Status != test.status || d.Attempts != test.attempts || len(attempts) != test.attempts || d.StatusCode != test.code || d.Error != test.err {
				t.Errorf("got %+v", d)
			}
			if test.wait == 0 {
				if d.NextAttemptAt != nil {
					t.Errorf("another attempt at %v", d.NextAttemptAt)
				}
				return
			}
			if wait := d.NextAttemptAt.Sub(began); wait < test.wait || wait > test.wait+patienceOfTests {
				t.Errorf("the next attempt comes after %v", wait)
			}
		})
	}
}

// slowBody accepts, and then never ends its answer.
func slowBody(w http.ResponseWriter, a arrival) {
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, "to be cont")
	_ = http.NewResponseController(w).Flush()
	<-a.Context.Done()
}

func TestNobodyListens(t *testing.T) {
	e := newEngine(t, options{operations: quick(), waits: []time.Duration{}})
	rc := newReceiver(t, nil)
	rc.Close()
	task := e.begin(rc.URL)
	e.ended(task.ID)
	e.drain()
	if d, _ := e.lastSent(task.ID); d.Status != models.DeliveryExhausted || d.Error != "connection refused" || d.Attempts != 1 {
		t.Errorf("got %+v", d)
	}
}

func TestRedeliverWhatIsExhausted(t *testing.T) {
	e := newEngine(t, options{operations: quick()})
	var well atomic.Bool
	rc := newReceiver(t, func(w http.ResponseWriter, a arrival) {
		if !well.Load() || a.Attempt == 5 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	task := e.begin(rc.URL)
	for range 4 { // the schedule has three waits
		rc.next()
	}
	e = e.restart(nil)
	d, _ := e.lastSent(task.ID)
	if d.Status != models.DeliveryExhausted || d.Attempts != 4 {
		t.Fatalf("got %+v", d)
	}
	well.Store(true)
	if d, err := e.deliveries.Redeliver(within(t), d.ID); err != nil || d.Status != models.DeliveryPending || d.RetryCount != 0 || d.Attempts != 4 {
		t.Fatalf("got %+v, %v", d, err)
	}
	rc.next() // fails, and has its retries again
	rc.next()
	e.drain()
	rc.nothingMore()
	d, attempts := e.lastSent(task.ID)
	if d.Status != models.DeliveryDelivered || d.Attempts != 6 || len(attempts) != 6 || attempts[5].Number != 6 {
		t.Errorf("got %+v", d)
	}
	if _, err := e.deliveries.Redeliver(within(t), "dlv_x"); models.Code(err) != models.CodeNotFound {
		t.Errorf("redelivering nothing: %v", err)
	}
}

// TestRedeliverBesideAnAttempt redelivers while an attempt hangs. To what is pending for
// the first time that adds nothing; else it counts, unless the attempt succeeds.
func TestRedeliverBesideAnAttempt(t *testing.T) {
	for _, test := range []struct {
		name        string
		hangs       int // the attempt that does
		first, then int // what that is answered, and those after it
		status      string
		attempts    int
	}{
		{"the first fails", 1, 500, 500, models.DeliveryExhausted, 3},
		{"the first succeeds", 1, 200, 500, models.DeliveryDelivered, 1},
		{"a retry succeeds", 2, 200, 500, models.DeliveryDelivered, 2},
		{"a retry fails, and what follows succeeds", 2, 500, 200, models.DeliveryDelivered, 3},
		{"a retry fails, and what follows fails", 2, 500, 500, models.DeliveryExhausted, 5},
		{"a retry is told that the receiver is gone", 2, 410, 200, models.DeliveryDelivered, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			rc := newReceiver(t, func(w http.ResponseWriter, a arrival) {
				switch {
				case a.Attempt < test.hangs:
					w.WriteHeader(500)
				case a.Attempt == test.hangs:
					<-release
					w.WriteHeader(test.first)
				default:
					w.WriteHeader(test.then)
				}
			})
			e := newEngine(t, options{operations: quick(), waits: []time.Duration{time.Millisecond, time.Millisecond}})
			begun := e.begin(rc.URL)
			for range test.hangs {
				rc.next()
			}
			d, _ := e.lastSent(begun.ID)
			for range 3 {
				if _, err := e.deliveries.Redeliver(within(t), d.ID); err != nil {
					t.Fatal(err)
				}
			}
			close(release)
			for n := test.hangs; n < test.attempts; n++ {
				rc.next()
			}
			e.attempted(d.ID, test.attempts)
			e.drain()
			rc.nothingMore()
			d, attempts := e.lastSent(begun.ID)
			if d.Status != test.status || d.Attempts != test.attempts || len(attempts) != test.attempts {
				t.Errorf("got %+v", d)
			}
		})
	}
}

// attempted waits until n attempts of a delivery are stored. They are stored
// after the receiver has answered, and nothing tells of it, so this looks again
// whenever a write has been committed: its own.
func (e *engine) attempted(deliveryID string, n int) {
	e.t.Helper()
	for ctx := within(e.t); ; {
		attempts, err := models.DeliveryAttempts(e.store.Read(ctx), deliveryID, models.Page{Limit: 100})
		if err == nil && len(attempts.Items) < n {
			err = e.store.InTx(ctx, func(*models.Tx) error { return nil })
		} else if err == nil {
			return
		}
		if err != nil {
			e.t.Fatal(err)
		}
	}
}

func TestRedeliverAll(t *testing.T) {
	e := newEngine(t, options{operations: quick(), waits: []time.Duration{}})
	rc := newReceiver(t, func(w http.ResponseWriter, a arrival) {
		if a.Attempt == 1 && a.Path == "/bad" {
			w.WriteHeader(500)
		}
	})
	want := map[string]bool{}
	for range 5 {
		want[e.begin(rc.URL+"/bad").ID] = true
		e.begin(rc.URL + "/good")
	}
	for range 10 {
		rc.next()
	}
	e = e.restart(nil)
	n, err := e.deliveries.RedeliverAll(within(t), models.DeliveryFilter{Status: models.DeliveryExhausted})
	if err != nil || n != 5 {
		t.Fatalf("%d, %v", n, err)
	}
	for range 5 {
		a := rc.next()
		if !want[a.TaskID] || a.Attempt != 2 {
			t.Errorf("attempt %d of a delivery to %s", a.Attempt, a.Path)
		}
		delete(want, a.TaskID)
	}
	e.drain()
	rc.nothingMore()
	if n, err := e.deliveries.RedeliverAll(within(t), models.DeliveryFilter{Status: models.DeliveryExhausted}); n != 0 || err != nil {
		t.Errorf("%d left, %v", n, err)
	}
}

// TestOvertakenProgressIsNotSent holds the first progress at the receiver while
// the operation goes on to its end.
func TestOvertakenProgressIsNotSent(t *testing.T) {
	release := make(chan struct{})
	rc := newReceiver(t, func(_ http.ResponseWriter, a arrival) {
		if !a.Terminal() {
			<-release
		}
	})
	underWay := make(chan struct{})
	e := newEngine(t, options{operations: []task.Operation{operation(func(_ context.Context, _ *models.Task, report task.Progress) (any, error) {
		for i, message := range []string{"one", "two", "three", "four"} {
			if err := report(i, message); err != nil {
				return nil, err
			}
			if i == 0 {
				<-underWay
			}
		}
		return "done", nil
	})}})
	task := e.begin(rc.URL)
	first := rc.next()
	close(underWay)
	e.ended(task.ID) // though the receiver has not answered
	close(release)
	if first.Message != "one" {
		t.Errorf("got %s", first.Body)
	}
	if second := rc.next(); second.Sequence != 6 || !second.Terminal() {
		t.Errorf("overtaken progress was sent: %s", second.Body)
	}
	e.drain()
	rc.nothingMore()
	var states []string
	for _, d := range e.sent(task.ID) {
		states = append(states, d.Status)
	}
	// Progress that was overtaken before it could be sent leaves no delivery.
	if want := "delivered delivered"; strings.Join(states, " ") != want {
		t.Errorf("deliveries are %v, want %s", states, want)
	}
}

// TestFailingProgressIsTriedAgain: progress is worth a retry as long as nothing
// newer has come.
func TestFailingProgressIsTriedAgain(t *testing.T) {
	accepted := make(chan struct{})
	rc := newReceiver(t, func(w http.ResponseWriter, a arrival) {
		switch {
		case a.Terminal():
		case a.Attempt == 3:
			close(accepted)
		default:
			w.WriteHeader(500)
		}
	})
	e := newEngine(t, options{operations: []task.Operation{operation(func(_ context.Context, _ *models.Task, report task.Progress) (any, error) {
		err := report(50, "half")
		<-accepted
		return nil, err
	})}})
	task := e.begin(rc.URL)
	rc.last(task.ID)
	e.drain()
	if all := e.sent(task.ID); len(all) != 2 || all[0].Status != models.DeliveryDelivered || all[0].Attempts != 3 || all[1].Attempts != 1 {
		t.Errorf("got %+v", all)
	}
}

// TestOrderHoldsUnderFaults lets many tasks report at random to a receiver that
// fails at random: what it accepts of each task must come in order, and end with
// the last update.
func TestOrderHoldsUnderFaults(t *testing.T) {
	const tasks = 60
	var seed = rand.Uint64()
	t.Logf("seed %d", seed)
	random := &lockedRand{r: rand.New(rand.NewPCG(seed, 1))}
	rc := newReceiver(t, func(w http.ResponseWriter, a arrival) {
		pauseFor(a.Context, random.upTo(30*time.Millisecond))
		switch random.n(10) {
		case 0, 1:
			w.WriteHeader(500)
		case 2:
			w.WriteHeader(503)
		case 3:
			reset(w, a)
		}
	})
	waits := make([]time.Duration, 100) // never exhausted
	for i := range waits {
		waits[i] = 20 * time.Millisecond
	}
	e := newEngine(t, options{waits: waits, operations: []task.Operation{operation(func(ctx context.Context, _ *models.Task, report task.Progress) (any, error) {
		for i := range 1 + random.n(6) {
			if err := report(10*i, "step"); err != nil {
				return nil, err
			}
			if err := pause.For(ctx, random.upTo(60*time.Millisecond)); err != nil {
				return nil, err
			}
		}
		return "done", nil
	})}})
	pending := map[string]bool{}
	for range tasks {
		pending[e.begin(rc.URL).ID] = true
	}
	for id := range pending {
		e.ended(id)
	}
	for id := range pending {
		e.delivered(id)
	}
	e.drain()
	for id := range pending {
		var before int64
		all := rc.acceptedOf(id)
		for _, u := range all {
			if u.Sequence <= before {
				t.Errorf("%s: sequence %d was accepted after %d", id, u.Sequence, before)
			}
			before = u.Sequence
		}
		if len(all) == 0 || !all[len(all)-1].Terminal() {
			t.Errorf("%s: the last accepted of %d is not terminal", id, len(all))
		}
		for _, d := range e.sent(id) {
			if d.Status != models.DeliveryDelivered && d.Status != models.DeliverySuperseded {
				t.Errorf("%s: a delivery is left %s", id, d.Status)
			}
		}
	}
}

// delivered waits until the last update of a task is delivered.
func (e *engine) delivered(taskID string) {
	e.t.Helper()
	e.ended(taskID)
	for ctx := within(e.t); ; {
		if d, _ := e.lastSent(taskID); d.Status == models.DeliveryDelivered {
			return
		}
		if err := e.store.InTx(ctx, func(*models.Tx) error { return nil }); err != nil {
			e.t.Fatal(err)
		}
	}
}

type lockedRand struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (l *lockedRand) n(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.IntN(n)
}

func (l *lockedRand) upTo(d time.Duration) time.Duration { return time.Duration(l.n(int(d))) }

// pauseFor delays an answer, as a busy receiver does.
func pauseFor(ctx interface{ Done() <-chan struct{} }, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// TestBlackHole (security 2) fills one host with callbacks that are never answered. It gets
// no more than its share, and another host does not notice.
func TestBlackHole(t *testing.T) {
	const maxPerHost = 64
	const calls = 3 * maxPerHost
	var now, most atomic.Int64
	release := make(chan struct{})
	hole := newReceiver(t, func(http.ResponseWriter, arrival) {
		n := now.Add(1)
		defer now.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		<-release
	})
	well := newReceiver(t, nil)
	e := newEngine(t, options{operations: quick()})
	for range calls {
		e.begin(hole.URL)
	}
	for range maxPerHost {
		hole.next()
	}
	for range 20 {
		began := time.Now()
		task := e.begin(well.URL)
		well.last(task.ID)
		if took := time.Since(began); took > 5*time.Second { // a place at the hole takes 15 s to come free
			t.Errorf("a callback to another host took %v", took)
		}
	}
	close(release)
	for range calls - maxPerHost {
		hole.next()
	}
	e.drain()
	hole.nothingMore()
	if most.Load() != maxPerHost {
		t.Errorf("%d sends to one host at a time, want %d", most.Load(), maxPerHost)
	}
	list, err := e.deliveries.List(within(t), models.DeliveryFilter{Status: models.DeliveryPending}, models.Page{Limit: 1})
	if err != nil || len(list.Items) != 0 {
		t.Errorf("pending: %+v, %v", list.Items, err)
	}
}

// TestWhatIsLookedForTakesTurns (security 7, another instance): what is to be sent again is looked for with the lists, two at a time, and
// not while it keeps connections, or the writer, from everybody else.
func TestWhatIsLookedForTakesTurns(t *testing.T) {
	e := newHookEngine(t)
	hook := e.register("http://127.0.0.1:1/", "*")
	release := make(chan struct{})
	var lists sync.WaitGroup
	underWay := make(chan struct{})
	for range 2 {
		lists.Go(func() {
			err := e.store.LimitedRead(within(t), func(*gorm.DB) error { underWay <- struct{}{}; <-release; return nil })
			if err != nil {
				t.Error(err)
			}
		})
		await(t, underWay, "a list")
	}
	deliveries := NewDeliveries(e.store, e.dispatcher)
	for name, look := range map[string]func(ctx context.Context) (int, error){
		"what was given up": func(ctx context.Context) (int, error) {
			return deliveries.RedeliverAll(ctx, models.DeliveryFilter{Status: models.DeliveryGone})
		},
		"what was missed": func(ctx context.Context) (int, error) { return e.webhooks.Replay(ctx, hook.ID, time.Time{}) },
	} {
		hurry, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if _, err := look(hurry); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s is looked for beside two lists: %v", name, err)
		}
		cancel()
	}
	close(release)
	lists.Wait()
}

// TestRedeliverAllAgainAndAgain (security 2, another instance): what is asked for repeatedly while it is under way is sent once.
func TestRedeliverAllAgainAndAgain(t *testing.T) {
	release := make(chan struct{})
	e := newEngine(t, options{operations: quick(), waits: []time.Duration{}})
	rc := newReceiver(t, func(w http.ResponseWriter, a arrival) {
		if a.Attempt == 1 {
			w.WriteHeader(500)
			return
		}
		<-release
	})
	const tasks = 3
	for range tasks {
		e.begin(rc.URL)
	}
	for range tasks {
		rc.next()
	}
	e = e.restart(nil)
	for range 20 {
		if n, err := e.deliveries.RedeliverAll(within(t), models.DeliveryFilter{URL: rc.URL}); n != tasks || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	for range tasks {
		if a := rc.next(); a.Attempt != 2 {
			t.Errorf("attempt %d", a.Attempt)
		}
	}
	close(release)
	e.drain()
	rc.nothingMore()
}
