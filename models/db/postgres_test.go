package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"

	"petstore/models/postgrestest"
)

// onPostgres is the test whose parts run on PostgreSQL.
const onPostgres = "TestOnPostgres"

// TestOnPostgres repeats the tests of what both engines promise.
func TestOnPostgres(t *testing.T) {
	t.Run("context", TestContextEndsInItsTurn)
	t.Run("expensive reads", TestExpensiveReads)
}

func TestPostgresTransactions(t *testing.T) {
	s := openStore(t, postgrestest.URL(t))
	var queued []string
	away := errors.New("the queue is away")
	_, inserters, _ := s.Postgres()
	inserters.SQL = func(ctx context.Context, tx *sql.Tx, kinds, ids []string) error {
		var seen int // what GORM wrote in the same transaction
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM products WHERE slug = $1", ids[0]).Scan(&seen); err != nil || seen != 1 || kinds[0] != "kind" {
			return fmt.Errorf("the queue sees %d products: %w", seen, err)
		}
		if ids[0] == "away" {
			return away
		}
		return nil
	}
	after := 0
	write := func(slug string, ending func(tx *Tx) error) error {
		return s.InTx(within(t), func(tx *Tx) error {
			tx.Enqueue("kind", slug)
			tx.AfterCommit(func() {
				queued = append(queued, slug)
				if slices.Contains(slugs(t, s), slug) { // others see it
					after++
				}
			})
			if err := CreateProduct(tx, product(slug, 1)); err != nil {
				return err
			}
			return ending(tx)
		})
	}
	fine := func(*Tx) error { return nil }
	refused := errors.New("refused")
	if err := write("a", fine); err != nil {
		t.Error(err)
	}
	if err := write("b", func(*Tx) error { return refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
	if err := write("c", func(*Tx) error { panic("oh") }); err == nil || !strings.Contains(err.Error(), "panic in a transaction: oh") {
		t.Error(err)
	}
	if err := write("a", fine); !errors.Is(err, gorm.ErrDuplicatedKey) {
		t.Error(err)
	}
	if err := write("away", fine); !errors.Is(err, away) {
		t.Error(err)
	}
	if err := write("d", func(tx *Tx) error { tx.Exec("NOT SQL"); return nil }); err == nil {
		t.Error("a transaction that the server has given up was committed")
	}
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	if err := s.InTx(ctx, func(*Tx) error { t.Error("ran"); return nil }); !errors.Is(err, context.Canceled) || code(err) != "" {
		t.Error(err)
	}
	if got := slugs(t, s); !slices.Equal(got, []string{"a"}) || !slices.Equal(queued, got) || after != 1 {
		t.Errorf("stored %v, queued %v, told %d", got, queued, after)
	}
}

func TestPostgresOpensTogether(t *testing.T) {
	url := postgrestest.URL(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := Open(within(t), url)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestPostgresFailures(t *testing.T) {
	for _, url := range []string{"postgres://:secret@127.0.0.1:x/db", "postgres://u:secret@127.0.0.1:1/db"} {
		if _, err := Open(within(t), url); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	url := postgrestest.URL(t)
	s := openStore(t, url)
	err := s.InTx(within(t), func(tx *Tx) error {
		other, err := pgx.Connect(within(t), url)
		if err != nil {
			return err
		}
		defer other.Close(within(t))
		if _, err := other.Exec(within(t), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
			return err
		}
		return CreateProduct(tx, product("a", 1))
	})
	if code(err) != CodeUnavailable {
		t.Errorf("a connection that is cut off: %v", err)
	}
	addProduct(t, s, "b", 1) // on a new connection
	if got := slugs(t, s); !slices.Equal(got, []string{"b"}) {
		t.Errorf("stored %v", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.InTx(within(t), func(*Tx) error { return nil }); !errors.Is(err, errClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// TestPostgresDeadlock: two transactions that wait for each other both get done.
func TestPostgresDeadlock(t *testing.T) {
	s := openStore(t, postgrestest.URL(t))
	rows := []*Product{addProduct(t, s, "a", 10), addProduct(t, s, "b", 10)}
	const take = "UPDATE products SET stock = stock - 1 WHERE id = ?"
	var first [2]sync.Once
	var met, both sync.WaitGroup
	met.Add(2)
	for i := range 2 {
		both.Go(func() {
			err := s.InTx(within(t), func(tx *Tx) error {
				if err := tx.Exec("SELECT 1").Error; err != nil { // each in a transaction of its own
					return err
				}
				if _, err := tx.Write(take, rows[i].ID); err != nil {
					return err
				}
				first[i].Do(func() { met.Done(); met.Wait() })
				_, err := tx.Write(take, rows[1-i].ID)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	for _, row := range rows {
		if p, err := find(s.Read(within(t)), row.Slug); err != nil || p.Stock != 8 {
			t.Errorf("%d are left, %v", p.Stock, err)
		}
	}
}
