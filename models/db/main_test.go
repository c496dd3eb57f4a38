package db

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/gorm"

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

// code returns err's code, "" if it has none.
func code(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
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
	s, err := Open(within(t), url)
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

// Product and ProductTag are rows to write, of tables that have what a store is tested on:
// a key, a constraint, a table that refers to another.
type Product struct {
	ID, Slug, Name, Category, Currency, Description, ImageURL string
	Price, Stock, Version                                     int64
	CreatedAt, UpdatedAt                                      time.Time
	Tags                                                      []ProductTag
}

type ProductTag struct {
	ProductID, Tag string
	Position       int
}

// CreateProduct writes a product and its tags, by GORM and by hand.
func CreateProduct(tx *Tx, p *Product) error {
	if err := tx.Create(p).Error; err != nil {
		return err
	}
	_, err := tx.Write("INSERT INTO product_slugs (slug, product_id) VALUES (?, ?)", p.Slug, p.ID)
	return err
}

// product is a product with what the tables require.
func product(slug string, stock int64) *Product {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return &Product{ID: "prod_" + rand.Text(), Slug: slug, Name: slug, Category: "dog", Price: 100, Currency: "USD", Stock: stock,
		Version: 1, CreatedAt: now, UpdatedAt: now}
}

func addProduct(t testing.TB, s *Store, slug string, stock int64) *Product {
	t.Helper()
	p := product(slug, stock)
	inTx(t, s, func(tx *Tx) error { return CreateProduct(tx, p) })
	return p
}

// find reads the product that a slug names.
func find(db *gorm.DB, slug string) (p Product, err error) {
	return p, db.Where("slug = ?", slug).First(&p).Error
}

// slugs lists the slugs of all products, in their order.
func slugs(t testing.TB, s *Store) []string {
	t.Helper()
	var all []string
	if err := s.Read(within(t)).Model(&Product{}).Order("slug").Pluck("slug", &all).Error; err != nil {
		t.Fatal(err)
	}
	return all
}
