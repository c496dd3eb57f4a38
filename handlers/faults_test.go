package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"petstore/docs/contracttest"
	"petstore/handlers"
	"petstore/models"

	"github.com/jackc/pgx/v5/pgconn"
)

// faulty stands for use cases and a database that are out of order.
type faulty struct{ err error }

func (f faulty) Ping(context.Context) error { return f.err }

func (f faulty) List(context.Context, models.DeliveryFilter, models.Page) (models.List[models.Delivery], error) {
	return models.List[models.Delivery]{}, f.err
}

func (f faulty) Get(context.Context, string) (models.Delivery, []models.Attempt, error) {
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
	full := &models.Error{Code: models.CodeStoreFull, Message: "The server's disk is full.", Err: inside}
	unavailable := &models.Error{Code: models.CodeStoreFailed, Message: "The server's database cannot be used.", Err: inside}
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
