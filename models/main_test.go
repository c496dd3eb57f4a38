package models

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"petstore/models/db"
	"petstore/models/postgrestest"
)

func TestMain(m *testing.M) {
	// The statements that tests let fail would bury the failures.
	if os.Getenv("TEST_LOG") == "" {
		slog.SetDefault(slog.New(slog.DiscardHandler))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		postgrestest.Stop()
		os.Exit(code)
	}))
}

// within returns a context that ends with the test, or when the test has waited
// too long for an event.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// newStore opens an empty database of its own for the test: an SQLite file, or
// a database on a server for those that TestOnPostgres runs.
func newStore(t testing.TB) *Store {
	t.Helper()
	if strings.HasPrefix(t.Name(), onPostgres+"/") {
		return openStore(t, postgrestest.URL(t))
	}
	return openStore(t, filepath.Join(t.TempDir(), "test.db"))
}

func openStore(t testing.TB, url string) *Store {
	t.Helper()
	s, err := db.Open(within(t), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func inTx(t testing.TB, s *Store, fn func(tx *Tx) error) {
	t.Helper()
	if err := s.InTx(within(t), fn); err != nil {
		t.Fatal(err)
	}
}

// product is a product with what the tables require.
func product(slug string, stock int64) *Product {
	now := Now()
	return &Product{ID: NewID(PrefixProduct), Slug: slug, Name: slug, Category: "dog", Price: 100, Currency: "USD", Stock: stock,
		Version: 1, CreatedAt: now, UpdatedAt: now}
}

func addProduct(t testing.TB, s *Store, slug string, stock int64) *Product {
	t.Helper()
	p := product(slug, stock)
	inTx(t, s, func(tx *Tx) error { return CreateProduct(tx, p) })
	return p
}

// task is a task with what the tables require.
func task(n int) *Task {
	now := Now()
	return &Task{ID: NewID(PrefixTask), Kind: "order", ResourceID: fmt.Sprintf("ord_%d", n), Status: StatusProcessing,
		Sequence: 1, Metadata: Metadata{"n": fmt.Sprint(n)}, CallbackURL: "http://receiver.test/", CreatedAt: now, UpdatedAt: now}
}
