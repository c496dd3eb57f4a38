package services

import (
	"errors"
	"sync"
	"testing"

	"petstore/models"
)

func TestProductChange(t *testing.T) {
	e := newEngine(t, options{idle: true})
	ctx := within(t)
	p, err := e.products.Create(ctx, models.Product{Slug: "a", Name: "A", Currency: "USD", Tags: tags("z", "b", "z")})
	if err != nil || p.Version != 1 {
		t.Fatalf("got %+v, %v", p, err)
	}
	rename := func(p *models.Product) error { p.Name = "B"; p.Tags = tags("c", "a"); return nil }
	if _, err := e.products.Change(ctx, "a", 2, rename); models.Code(err) != models.CodePrecondition {
		t.Errorf("wrong version: %v", err)
	}
	refused := errors.New("refused")
	if _, err := e.products.Change(ctx, "a", 1, func(p *models.Product) error { p.Name = "C"; return refused }); !errors.Is(err, refused) {
		t.Errorf("refused edit: %v", err)
	}
	if _, err := e.products.Change(ctx, p.ID, 1, rename); err != nil {
		t.Fatal(err)
	}
	got, err := e.products.Get(ctx, "a")
	if err != nil || got.Name != "B" || got.Version != 2 || len(got.Tags) != 2 || got.Tags[0].Tag != "c" || got.Tags[1].Tag != "a" {
		t.Errorf("got %+v, %v", got, err)
	}
	e.product("other", 1)
	_, err = e.products.Change(ctx, "a", 0, func(p *models.Product) error { p.Slug = "other"; return nil })
	if models.Code(err) != models.CodeConflict {
		t.Errorf("a slug that is taken: %v", err)
	}
	if err := e.products.Delete(ctx, "a", 1); models.Code(err) != models.CodePrecondition {
		t.Errorf("deleting an old version: %v", err)
	}
	if err := e.products.Delete(ctx, "a", 0); err != nil {
		t.Error(err)
	}
	if _, err := e.products.Get(ctx, "a"); models.Code(err) != models.CodeNotFound {
		t.Errorf("a deleted product: %v", err)
	}
}

// TestProductChangesAreNotLost: changes that read, think and write at the same
// time, and orders that take from the stock meanwhile, all count.
func TestProductChangesAreNotLost(t *testing.T) {
	const each = 30
	e := newEngine(t, options{idle: true})
	p := e.product("a", 1000)
	var all sync.WaitGroup
	for range each {
		all.Go(func() {
			_, err := e.products.Change(within(t), "a", 0, func(p *models.Product) error { p.Price++; return nil })
			if err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			err := e.store.InTx(within(t), func(tx *models.Tx) error { return second(models.TakeStock(tx, p.ID, 1)) })
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, err := e.products.Get(within(t), "a")
	if err != nil || got.Stock != 1000-each || got.Price != p.Price+each || got.Version != 1+2*each {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSeedFillsAnEmptyCatalogueOnce(t *testing.T) {
	e := newEngine(t, options{idle: true})
	ctx := within(t)
	for range 2 {
		if err := e.products.Seed(ctx); err != nil {
			t.Fatal(err)
		}
	}
	list, err := e.products.List(ctx, models.ProductFilter{}, models.Page{Limit: models.MaxLimit})
	if err != nil || len(list.Items) != len(catalogue()) || list.Items[0].Slug != "dog-food" {
		t.Errorf("got %d products, %v", len(list.Items), err)
	}
}

// TestSeedIsAllOrNothing (reliability 7): a server that is killed in the middle of it has sold nothing yet.
func TestSeedIsAllOrNothing(t *testing.T) {
	e := newEngine(t, options{idle: true})
	ctx := within(t)
	e.exec("CREATE TRIGGER killed BEFORE INSERT ON products WHEN NEW.slug = 'dog-leash' BEGIN SELECT RAISE(ABORT, 'killed'); END")
	if err := e.products.Seed(ctx); err == nil {
		t.Fatal("it was not killed")
	}
	if list, err := e.products.List(ctx, models.ProductFilter{}, models.Page{Limit: 1}); err != nil || len(list.Items) > 0 {
		t.Errorf("kept are %v, %v", list.Items, err)
	}
	e.exec("DROP TRIGGER killed")
	if err := e.products.Seed(ctx); err != nil {
		t.Fatal(err)
	}
	if list, err := e.products.List(ctx, models.ProductFilter{}, models.Page{Limit: 10}); err != nil || len(list.Items) != len(catalogue()) {
		t.Errorf("there are %d products, %v", len(list.Items), err)
	}
}
