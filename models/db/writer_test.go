package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"
)

// asGroup runs functions in one group: a write before them holds the writer
// until all of them wait. It returns what each was told.
func asGroup(t *testing.T, s *Store, fns ...func(tx *Tx) error) []error {
	t.Helper()
	w := writerOf(t, s)
	held, release := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() { first <- s.InTx(within(t), func(*Tx) error { close(held); <-release; return nil }) }()
	<-held
	jobs := make([]*write, len(fns))
	for i, fn := range fns {
		jobs[i] = &write{ctx: within(t), fn: fn, done: make(chan struct{})}
		if err := enqueue(within(t), w.queue, jobs[i]); err != nil {
			t.Fatal(err)
		}
	}
	close(release)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	errs := make([]error, len(fns))
	for i, job := range jobs {
		<-job.done
		errs[i] = Explain(job.err)
	}
	return errs
}

func writerOf(t testing.TB, s *Store) *groupWriter {
	t.Helper()
	e, ok := s.engine.(*sqliteEngine)
	if !ok {
		t.Fatalf("the engine is a %T", s.engine)
	}
	return e.writer
}

func TestGroupTakesNothingFromOthers(t *testing.T) {
	s := newStore(t)
	var after []string
	write := func(slug string, ending func() error) func(tx *Tx) error {
		return func(tx *Tx) error {
			tx.AfterCommit(func() { after = append(after, slug) })
			if err := CreateProduct(tx, product(slug, 1)); err != nil {
				return err
			}
			return ending()
		}
	}
	fine := func() error { return nil }
	refused := errors.New("refused")
	errs := asGroup(t, s,
		write("a", fine),
		write("b", func() error { return refused }),
		write("c", fine),
		write("d", func() error { panic("oh") }),
		write("a", fine), // the slug is taken, by the same group
		write("e", fine),
		func(tx *Tx) error { return tx.Exec("NOT SQL").Error },
		func(tx *Tx) error { return errors.Join(tx.Exec("ROLLBACK TO one").Error, refused) },
		write("f", fine),
	)
	for i, want := range []string{"", "refused", "", "panic in a transaction: oh", gorm.ErrDuplicatedKey.Error(), "", "syntax error", "refused", ""} {
		got := ""
		if errs[i] != nil {
			got = errs[i].Error()
		}
		if !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("function %d was told %q, want %q", i, got, want)
		}
	}
	if got := slugs(t, s); !slices.Equal(got, []string{"a", "c", "e", "f"}) {
		t.Errorf("stored %v", got)
	}
	if !slices.Equal(after, []string{"a", "c", "e", "f"}) {
		t.Errorf("after the commit: %v", after)
	}
}

// TestGroupFailsTogether: what breaks the transaction itself fails all of it.
func TestGroupFailsTogether(t *testing.T) {
	for name, breaks := range map[string]struct {
		fn   func(tx *Tx) error
		want string
	}{
		"transaction ended": {func(tx *Tx) error {
			return tx.Exec("ROLLBACK").Error
		}, "savepoint"},
		"commit refused": {func(tx *Tx) error { // a foreign key that is checked at the end
			return errors.Join(
				tx.Exec("PRAGMA defer_foreign_keys = on").Error,
				tx.Exec("INSERT INTO task_metadata (task_id, revision, metadata) VALUES ('task_x', 1, '')").Error,
			)
		}, "committing"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			told := false
			fine := func(slug string) func(tx *Tx) error {
				return func(tx *Tx) error {
					tx.AfterCommit(func() { told = true })
					return CreateProduct(tx, product(slug, 1))
				}
			}
			refused := errors.New("refused")
			errs := asGroup(t, s, fine("a"), func(tx *Tx) error {
				return errors.Join(CreateProduct(tx, product("refused", 1)), refused)
			}, breaks.fn, fine("b"))
			for i, err := range errs {
				if err == nil || i != 1 && !strings.Contains(err.Error(), breaks.want) {
					t.Errorf("function %d was told %v", i, err)
				}
			}
			if !errors.Is(errs[1], refused) {
				t.Errorf("its own error was lost: %v", errs[1])
			}
			if got := slugs(t, s); len(got) != 0 || told {
				t.Errorf("stored %v; told so: %v", got, told)
			}
			addProduct(t, s, "later", 1) // the store works on
		})
	}
}

func TestContextEndsBeforeItsTurn(t *testing.T) {
	s := newStore(t)
	held, release, result := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	go func() { result <- s.InTx(within(t), func(*Tx) error { close(held); <-release; return nil }) }()
	<-held
	ctx, cancel := context.WithCancel(within(t))
	ran := false
	job := &write{ctx: ctx, fn: func(*Tx) error { ran = true; return nil }, done: make(chan struct{})}
	if err := enqueue(ctx, writerOf(t, s).queue, job); err != nil {
		t.Fatal(err)
	}
	cancel()
	close(release)
	<-job.done
	if !errors.Is(job.err, context.Canceled) || ran {
		t.Errorf("told %v; ran: %v", job.err, ran)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// TestContextEndsInItsTurn: what has begun is finished, and told as it is.
func TestContextEndsInItsTurn(t *testing.T) {
	s := newStore(t)
	ctx, cancel := context.WithCancel(within(t))
	err := s.InTx(ctx, func(tx *Tx) error {
		cancel()
		return CreateProduct(tx, product("a", 1))
	})
	if err != nil || len(slugs(t, s)) != 1 {
		t.Errorf("told %v, stored %v", err, slugs(t, s))
	}
}

func TestFullQueueWaitsForItsCallers(t *testing.T) {
	s := newStore(t)
	w := writerOf(t, s)
	held, release := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() { first <- s.InTx(within(t), func(*Tx) error { close(held); <-release; return nil }) }()
	<-held
	ran := make(chan struct{}, 2*queueSize)
	var jobs []*write
	for range queueSize {
		job := &write{ctx: within(t), fn: func(*Tx) error { ran <- struct{}{}; return nil }, done: make(chan struct{})}
		if err := enqueue(within(t), w.queue, job); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job)
	}
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	if err := s.InTx(ctx, func(*Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has left: %v", err)
	}
	close(release)
	for _, job := range jobs {
		<-job.done
	}
	if len(ran) != queueSize {
		t.Errorf("%d of %d ran", len(ran), queueSize)
	}
	<-first
}

func TestCloseLetsWaitingWritesFinish(t *testing.T) {
	s, err := Open(within(t), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	w := writerOf(t, s)
	held, release := make(chan struct{}), make(chan struct{})
	go func() { _ = s.InTx(within(t), func(*Tx) error { close(held); <-release; return nil }) }()
	<-held
	job := &write{ctx: within(t), fn: func(tx *Tx) error { return CreateProduct(tx, product("a", 1)) }, done: make(chan struct{})}
	if err := enqueue(within(t), w.queue, job); err != nil {
		t.Fatal(err)
	}
	closing := make(chan error, 2)
	for range 2 {
		go func() { closing <- s.Close() }()
	}
	close(release)
	<-job.done
	if job.err != nil {
		t.Errorf("a write that waited: %v", job.err)
	}
	for range 2 {
		if err := <-closing; err != nil {
			t.Error(err)
		}
	}
	if err := s.InTx(within(t), func(*Tx) error { return nil }); !errors.Is(err, errClosed) {
		t.Errorf("a write after the end: %v", err)
	}
}

// TestConcurrentWritesAgainstAModel lets many callers change a few rows at
// random, and fail at random, beside a map that does the same.
func TestConcurrentWritesAgainstAModel(t *testing.T) {
	const callers, each = 16, 60
	s := newStore(t)
	model, want, got := map[string]int64{}, []string{}, []string{}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var all sync.WaitGroup
	for c := range callers {
		random := rand.New(rand.NewPCG(seed, uint64(c)))
		all.Go(func() {
			for i := range each {
				slug, stock, ending := fmt.Sprintf("p%d", random.IntN(8)), random.Int64N(100), random.IntN(10)
				id := fmt.Sprintf("%d/%d", c, i)
				err := s.InTx(within(t), func(tx *Tx) error {
					tx.AfterCommit(func() { // one at a time, in the order of the transactions
						model[slug] = stock
						want = append(want, id)
					})
					if err := upsert(tx, slug, stock); err != nil {
						return err
					}
					switch ending {
					case 0:
						return errors.New("refused")
					case 1:
						panic("oh")
					case 2:
						return tx.Exec("INSERT INTO products (id) VALUES ('half')").Error
					}
					tx.AfterCommit(func() { got = append(got, id) })
					return nil
				})
				if (err != nil) != (ending <= 2) {
					t.Errorf("told %v for ending %d", err, ending)
				}
			}
		})
	}
	all.Wait()
	stored := map[string]int64{}
	var products []Product
	if err := s.Read(within(t)).Find(&products).Error; err != nil {
		t.Fatal(err)
	}
	for _, p := range products {
		stored[p.Slug] = p.Stock
	}
	if fmt.Sprint(stored) != fmt.Sprint(model) {
		t.Errorf("stored %v\nmodel  %v", stored, model)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d last calls for %d commits, or in another order", len(got), len(want))
	}
}

func upsert(tx *Tx, slug string, stock int64) error {
	res := tx.Exec("UPDATE products SET stock = ? WHERE slug = ?", stock, slug)
	if res.Error != nil || res.RowsAffected == 1 {
		return res.Error
	}
	return CreateProduct(tx, product(slug, stock))
}
