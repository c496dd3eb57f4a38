package handlers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"petstore/docs"
	"petstore/models"
	"petstore/models/db"
	"petstore/models/postgrestest"
)

// cable stands between a server and its PostgreSQL, and can be pulled out.
type cable struct {
	net.Listener
	real string

	mu    sync.Mutex
	conns []net.Conn // nil once it is pulled out
	ended sync.WaitGroup
}

// plug returns the URL of a database behind a cable.
func plug(t testing.TB, database string) (string, *cable) {
	t.Helper()
	u, err := url.Parse(database)
	must(t, err)
	query := u.Query()
	folder := t.TempDir()
	const socket = ".s.PGSQL.5432"
	listener, err := net.Listen("unix", filepath.Join(folder, socket))
	must(t, err)
	c := &cable{Listener: listener, real: filepath.Join(query.Get("host"), socket), conns: []net.Conn{}}
	c.ended.Go(c.serve)
	t.Cleanup(c.pull)
	query.Set("host", folder)
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // pgx takes a + as it is
	return u.String(), c
}

func (c *cable) serve() {
	for {
		near, err := c.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("unix", c.real)
		c.mu.Lock()
		if err != nil || c.conns == nil {
			near.Close()
		} else {
			c.conns = append(c.conns, near, far)
			c.ended.Go(func() { _, _ = io.Copy(far, near); far.Close() })
			c.ended.Go(func() { _, _ = io.Copy(near, far); near.Close() })
		}
		c.mu.Unlock()
	}
}

func (c *cable) pull() {
	c.Close()
	c.mu.Lock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
	c.mu.Unlock()
	c.ended.Wait()
}

// TestReadsWithoutDatabase (reliability 4): whatever reads first once PostgreSQL is away, it is answered 503 and when to come
// again, as whatever writes is.
func TestReadsWithoutDatabase(t *testing.T) {
	database, cable := plug(t, postgrestest.URL(t))
	a := newAPI(t, settings{database: database})
	f := a.fill()
	cable.pull()
	requests := []string{"POST /api/orders", "PATCH /api/products/{product_id}", "DELETE /api/webhooks/{webhook_id}"}
	var contract struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	must(t, json.Unmarshal(docs.JSON(), &contract))
	for path, methods := range contract.Paths {
		if methods["get"] != nil && path != "/api/ws" && path != "/api/callbacks/hosts" { // they read nothing yet
			requests = append(requests, "GET "+path)
		}
	}
	t.Run("away", func(t *testing.T) {
		for _, request := range append(requests, "GET /api/tasks/{task_id}?wait=10") {
			t.Run(request, func(t *testing.T) {
				t.Parallel()
				method, path, _ := strings.Cut(request, " ")
				req, err := http.NewRequestWithContext(t.Context(), method, a.url+f.path(path), strings.NewReader(valid[request]))
				must(t, err)
				if valid[request] != "" {
					req.Header.Set("Content-Type", "application/json")
				}
				res, err := http.DefaultClient.Do(req)
				must(t, err)
				defer res.Body.Close()
				if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
					t.Errorf("it answers %s, Retry-After %q", res.Status, res.Header.Get("Retry-After"))
				}
			})
		}
	})
	http.DefaultClient.CloseIdleConnections()
}

// TestSocketsWithoutDatabase (reliability 4, another instance): what is asked over a socket while PostgreSQL is away is answered with
// the problem that HTTP would answer; and so is long polling that had begun before.
func TestSocketsWithoutDatabase(t *testing.T) {
	database, cable := plug(t, postgrestest.URL(t))
	a := newAPI(t, settings{database: database})
	waiting := a.order(valid["POST /api/orders"])
	s := a.socket()
	polled := make(chan *http.Response, 1)
	go func() {
		res, err := http.Get(a.url + "/api/tasks/" + waiting.TaskID + "?wait=1")
		if err == nil {
			res.Body.Close()
		}
		polled <- res
	}()
	s.say(`{"event":"subscribe","id":1,"data":"` + waiting.TaskID + `"}`)
	if m := s.hear(); m.Event != "ack" {
		t.Fatalf("heard %+v", m)
	}
	s.hear() // what the task has told
	cable.pull()
	for _, say := range []string{`"process","data":{"kind":"order","product":"dog-food"}`, `"subscribe","data":"task_other"`} {
		s.say(`{"id":2,"event":` + say + `}`)
		expectUnavailable(t, s.hear())
	}
	if res := <-polled; res == nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("long polling is answered %+v", res)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestSubscriptionWithoutDatabase (reliability 4, another instance): a subscription that ends because the database is away says so.
func TestSubscriptionWithoutDatabase(t *testing.T) {
	a := newAPI(t, settings{unreadable: true})
	s := a.socket()
	s.say(`{"event":"process","data":{"kind":"order","product":"dog-food"}}`)
	expectUnavailable(t, s.hear())
}

func expectUnavailable(t *testing.T, m message) {
	t.Helper()
	var p problem
	must(t, json.Unmarshal(m.Data, &p))
	if m.Event != "error" || p.Code != db.CodeUnavailable {
		t.Errorf("heard %s %s", m.Event, m.Data)
	}
}

// unreadableFeed is one whose database is away.
type unreadableFeed struct{ brokenFeed }

func (unreadableFeed) Follow(context.Context, models.UpdateFilter, int64, time.Duration) iter.Seq2[[]models.Update, error] {
	return func(yield func([]models.Update, error) bool) {
		yield(nil, fmt.Errorf("following: %w", &pgconn.PgError{Code: "57P01"}))
	}
}
