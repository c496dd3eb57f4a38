package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"petstore/callbacks"
	"petstore/models/postgrestest"
)

// attempt is a request of a server that a test kills.
type attempt struct {
	callbacks.Update
	path   string
	number int // 1, 2, 3, … of this callback at this path
	at     time.Time
}

// newTarget is a receiver that tells of each attempt before answer does what it likes.
func newTarget(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, a attempt)) (url string, came chan attempt) {
	t.Helper()
	came = make(chan attempt, 100)
	var mu sync.Mutex
	numbers := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := attempt{path: r.URL.Path, at: time.Now()}
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, &a.Update) != nil {
			return // its sender was killed
		}
		mu.Lock()
		numbers[a.path+a.CallbackID]++
		a.number = numbers[a.path+a.CallbackID]
		mu.Unlock()
		came <- a
		answer(w, r, a)
	}))
	t.Cleanup(server.Close)
	return server.URL, came
}

func nextAttempt(t *testing.T, came chan attempt) attempt {
	t.Helper()
	select {
	case a := <-came:
		return a
	case <-time.After(40 * time.Second): // more than any sweep takes
		t.Fatal("waited in vain for an attempt")
		panic("unreachable")
	}
}

// tell places an order that calls back when it has ended, and a webhook before that which hears of it, too.
func tell(t *testing.T, server *process, target string) {
	t.Helper()
	webhook := `{"url":"` + target + `/webhook","events":["order.completed"]}`
	order := `{"product":"dog-food","callback_events":["order.completed"],"callback_url":"` + target + `/callback"}`
	err := call(t.Context(), http.MethodPost, server.url+"/api/webhooks", webhook, http.StatusCreated, nil)
	if err == nil {
		err = call(t.Context(), http.MethodPost, server.url+"/api/orders", order, http.StatusAccepted, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestKilledWithRetriesWaiting (reliability 6): a callback and, another instance, a webhook's, have failed and wait for their
// retries when the server is killed. The next server makes these when they are due, not when a sweep finds them.
func TestKilledWithRetriesWaiting(t *testing.T) {
	killedWithRetriesWaiting(t, "DATABASE_URL="+tempDatabase(t))
}

// TestKilledWithRetriesWaitingOnPostgres (reliability 6) is the same where the dead server could still hold what it had claimed.
func TestKilledWithRetriesWaitingOnPostgres(t *testing.T) {
	killedWithRetriesWaiting(t, "DATABASE_URL="+postgrestest.URL(t), "BLOB_URL=mem://")
}

func killedWithRetriesWaiting(t *testing.T, settings ...string) {
	t.Helper()
	t.Parallel()
	target, came := newTarget(t, func(w http.ResponseWriter, _ *http.Request, a attempt) {
		if a.number == 1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	settings = append(settings, "STEP_DELAY=0s", "RETRY_SCHEDULE=1s,1h")
	server := startProcess(t, settings...)
	tell(t, server, target)
	due := map[string]time.Time{}
	waitUntil(t, "both retries wait", func() bool {
		var page struct {
			Items []struct {
				URL           string     `json:"url"`
				Attempts      int        `json:"attempts"`
				NextAttemptAt *time.Time `json:"next_attempt_at"`
			} `json:"items"`
		}
		if err := call(t.Context(), http.MethodGet, server.url+"/api/callbacks?status=pending", "", http.StatusOK, &page); err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Items {
			if d.Attempts == 1 && d.NextAttemptAt != nil {
				due[strings.TrimPrefix(d.URL, target)] = *d.NextAttemptAt
			}
		}
		return len(due) == 2
	})
	server.Kill()
	server = startProcess(t, settings...)
	ready := time.Now()
	for again := 0; again < 2; {
		a := nextAttempt(t, came)
		if a.number == 1 {
			continue
		}
		again++
		if late := a.at.Sub(later(due[a.path], ready)); a.at.Before(due[a.path]) || late > 4*time.Second {
			t.Errorf("%s: the retry was due at %v, the server was ready at %v, and it came at %v", a.path, due[a.path], ready, a.at)
		}
	}
	checkNothingPending(t, server.url)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// TestKilledWhileItSends (reliability 6, another instance): the server is killed while the exchanges of a callback and of a
// webhook's are under way. The next one makes them again at once.
func TestKilledWhileItSends(t *testing.T) {
	t.Parallel()
	sender := startSending(t, "DATABASE_URL="+tempDatabase(t))
	sender.server.Kill()
	sender.sentBy(startProcess(t, sender.settings...))
}

// TestKilledWhileItSendsOnPostgres (reliability 6, another instance): there the next server takes up what the dead one had
// claimed before it listens.
func TestKilledWhileItSendsOnPostgres(t *testing.T) {
	t.Parallel()
	database := postgrestest.URL(t)
	sender := startSending(t, "DATABASE_URL="+database, "BLOB_URL=mem://")
	sender.server.Kill()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	waitUntil(t, "PostgreSQL sees that it is dead", func() (dead bool) {
		err := conn.QueryRow(t.Context(), "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()").Scan(&dead)
		return err == nil && dead
	})
	next := startProcess(t, sender.settings...)
	next.Says(regexp.MustCompile(`(?s)Work of a crashed server was recovered.*listens at`))
	sender.sentBy(next)
}

// TestOneOfTwoIsKilled (reliability 6, another instance): what a server was sending when it was killed is sent by the other one,
// which has left it alone before.
func TestOneOfTwoIsKilled(t *testing.T) {
	t.Parallel()
	sender := startSending(t, "DATABASE_URL="+postgrestest.URL(t), "BLOB_URL=mem://")
	other := startProcess(t, sender.settings...)
	if len(sender.came) > 0 {
		t.Fatal("it sends what a server that lives is sending")
	}
	sender.server.Kill()
	sender.sentBy(other)
}

// sending is a server whose callback and webhook have no answer yet.
type sending struct {
	t        *testing.T
	server   *process
	settings []string
	came     chan attempt
}

func startSending(t *testing.T, settings ...string) *sending {
	t.Helper()
	target, came := newTarget(t, func(_ http.ResponseWriter, r *http.Request, a attempt) {
		if a.number == 1 {
			<-r.Context().Done() // its sender is dead
		}
	})
	s := &sending{t: t, settings: append(settings, "STEP_DELAY=0s", "RETRY_SCHEDULE=1h"), came: came}
	s.server = startProcess(t, s.settings...)
	tell(t, s.server, target)
	for range 2 {
		nextAttempt(t, came)
	}
	return s
}

// sentBy waits until the next server has sent both.
func (s *sending) sentBy(next *process) {
	s.t.Helper()
	for range 2 {
		if a := nextAttempt(s.t, s.came); a.number != 2 {
			s.t.Errorf("attempt %d came", a.number)
		}
	}
	checkNothingPending(s.t, next.url)
}
