package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/docs/contracttest"
	"petstore/handlers"
	"petstore/models"
	"petstore/models/db"

	"github.com/jackc/pgx/v5/pgconn"
)

// faulty stands for use cases and a database that are out of order.
type faulty struct{ err error }

func (f faulty) Ping(context.Context) error { return f.err }

func (f faulty) List(context.Context, models.DeliveryFilter, models.Page) (models.List[models.Delivery], error) {
	return models.List[models.Delivery]{}, f.err
}

func (f faulty) Get(context.Context, string, models.Page) (models.Delivery, models.List[models.Attempt], error) {
	panic(f.err)
}

func (f faulty) Redeliver(context.Context, string) (models.Delivery, error) {
	return models.Delivery{}, f.err
}

func (f faulty) Hosts(models.Page) models.List[models.HostStatus] {
	return models.List[models.HostStatus]{}
}

func (f faulty) RedeliverAll(context.Context, models.DeliveryFilter) (int, error) { return 0, f.err }

// TestFaults shows what a client is told of faults that are not its own: what
// it can do about them, and nothing of what is inside.
func TestFaults(t *testing.T) {
	inside := errors.New("pq: password of /secret/petstore.db")
	full := &models.Error{Code: db.CodeFull, Message: "The server's disk is full.", Err: inside}
	unavailable := &models.Error{Code: db.CodeUnavailable, Message: "The server's database cannot be used.", Err: inside}
	tests := map[string]struct {
		err          error
		method, path string
		status       int
		code         string
	}{
		"error":        {inside, "GET", "/api/callbacks", 500, "INTERNAL_ERROR"},
		"unknown code": {&models.Error{Code: "NEW"}, "GET", "/api/callbacks", 500, "INTERNAL_ERROR"},
		"panic":        {inside, "GET", "/api/callbacks/dlv_1", 500, "INTERNAL_ERROR"},
		"disk full":    {full, "POST", "/api/callbacks/redeliver", 507, "STORE_FULL"},
		"unavailable":  {unavailable, "POST", "/api/callbacks/dlv_1/redeliver", 503, "STORE_UNAVAILABLE"},
		"database":     {fmt.Errorf("reading: %w", &pgconn.PgError{Code: "57P01"}), "GET", "/api/callbacks", 503, "STORE_UNAVAILABLE"},
		"descriptors":  {fmt.Errorf("opening: %w", syscall.EMFILE), "GET", "/api/callbacks", 503, "UNAVAILABLE"}, // reliability 4
		"health":       {inside, "GET", "/health", 503, "UNAVAILABLE"},
		"timed out":    {context.DeadlineExceeded, "GET", "/api/callbacks", 500, "INTERNAL_ERROR"},
		"cancelled":    {context.Canceled, "GET", "/api/callbacks", 500, "INTERNAL_ERROR"}, // by us: the client waits
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handlers.New(handlers.Config{Resources: []handlers.Resource{handlers.Deliveries(faulty{test.err})}, Health: faulty{test.err}}))
			defer server.Close()
			req, err := http.NewRequest(test.method, server.URL+test.path, strings.NewReader(`{"status":"gone"}`))
			must(t, err)
			res, err := server.Client().Do(req)
			must(t, err)
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			must(t, err)
			contracttest.Load(t).Response(t, req, res, body)
			p := read[problem](answer{t, res, body})
			if res.StatusCode != test.status || p.Code != test.code || strings.Contains(string(body), "secret") {
				t.Errorf("answers %s %s", res.Status, body)
			}
			if (res.Header.Get("Retry-After") != "") != (test.status > 500) {
				t.Errorf("%d with Retry-After %q", test.status, res.Header.Get("Retry-After"))
			}
		})
	}
}

// brokenFeed is a feed with a bug.
type brokenFeed struct{}

func (brokenFeed) Newest(context.Context) (int64, error)        { return 7, nil }
func (brokenFeed) Reached(context.Context, int64) (bool, error) { return true, nil }
func (brokenFeed) Follow(context.Context, models.UpdateFilter, int64, time.Duration) iter.Seq2[[]models.Update, error] {
	panic("a bug")
}

// TestStreamThatPanics holds that a bug in a stream ends that stream, and gives its place back.
func TestStreamThatPanics(t *testing.T) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	api := handlers.New(handlers.Config{Hosts: exampleHosts, Feed: brokenFeed{}, Policy: callbacks.DevelopmentPolicy()})
	server := httptest.NewServer(api)
	defer server.Close()
	for range 2 {
		res, err := http.Get(server.URL + "/api/tasks/stream")
		must(t, err)
		body, err := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusOK || err != nil || !strings.Contains(string(body), "id: 7") {
			t.Errorf("%s %v %q", res.Status, err, body)
		}
		res.Body.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	must(t, api.Close(ctx))
}

// TestHead (faults 15) holds that whatever can be read answers HEAD, too (RFC 9110, section 9.3.2).
func TestHead(t *testing.T) {
	api := handlers.New(handlers.Config{Hosts: exampleHosts, Health: faulty{}})
	for path, want := range map[string]int{"/": 200, "/docs/": 200, "/docs": 308, "/openapi.yaml": 200, "/openapi.json": 200, "/health": 200} {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest(http.MethodHead, path, nil))
		if w.Code != want {
			t.Errorf("HEAD %s answers %d, want %d", path, w.Code, want)
		}
	}
}

// firehose is a feed that never ends.
type firehose struct{ brokenFeed }

func (firehose) Follow(context.Context, models.UpdateFilter, int64, time.Duration) iter.Seq2[[]models.Update, error] {
	return func(yield func([]models.Update, error) bool) {
		for yield([]models.Update{{ID: 8, Body: strings.Repeat("x", 1<<20)}}, nil) {
		}
	}
}

// TestStopBesideAClientThatDoesNotRead holds that such a client does not keep the server from
// stopping for as long as it may otherwise take to read.
func TestStopBesideAClientThatDoesNotRead(t *testing.T) {
	api := handlers.New(handlers.Config{Hosts: exampleHosts, Feed: firehose{}, WriteTimeout: time.Minute})
	server := httptest.NewServer(api)
	defer server.Close()
	res, err := http.Get(server.URL + "/api/tasks/stream")
	must(t, err)
	defer res.Body.Close()
	_, err = io.ReadFull(res.Body, make([]byte, 1<<20)) // and no more
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	must(t, api.Close(ctx))
}
