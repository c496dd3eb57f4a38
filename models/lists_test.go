package models

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// TestPagesCoverTheList walks through lists of every length with every limit,
// while rows are added and removed: what was there from the start to the end is
// seen exactly once, newest first.
func TestPagesCoverTheList(t *testing.T) {
	s := newStore(t)
	random := rand.New(rand.NewPCG(1, 2))
	var ids []string // oldest first
	for n := range 25 {
		for _, limit := range []int{-1, 1, 2, 3, 7, 24, 25, 26, MaxLimit + 5} {
			var got []string
			page := Page{Limit: limit}
			for i := 0; i == 0 || page.Cursor != ""; i++ {
				list, err := ListProducts(s.Read(within(t)), ProductFilter{Category: "dog"}, page)
				if err != nil {
					t.Fatal(err)
				}
				if most := min(max(limit, 1), MaxLimit); len(list.Items) > most {
					t.Fatalf("%d rows for a limit of %d", len(list.Items), limit)
				}
				for _, p := range list.Items {
					got = append(got, p.ID)
				}
				page.Cursor = list.Next
				if random.IntN(4) == 0 { // comes and goes at the front, or is of no interest
					p := product(fmt.Sprintf("x%d-%d-%d", n, limit, i), 1)
					inTx(t, s, func(tx *Tx) error { return CreateProduct(tx, p) })
					inTx(t, s, func(tx *Tx) error { return Delete[Product](tx, p.ID) })
				}
			}
			want := slices.Clone(ids)
			slices.Reverse(want)
			if !slices.Equal(got, want) {
				t.Fatalf("limit %d of %d rows: got %d", limit, n, len(got))
			}
		}
		ids = append(ids, addProduct(t, s, fmt.Sprintf("p%d", n), 1).ID)
	}
}

func TestCursorsOfStrangers(t *testing.T) {
	s := newStore(t)
	for _, cursor := range []string{"%", "a", "====", base64.RawURLEncoding.EncodeToString(make([]byte, 101))} {
		_, err := ListProducts(s.Read(within(t)), ProductFilter{}, Page{Cursor: cursor})
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.Code != CodeInvalid || wrong.Fields[0].Field != "cursor" {
			t.Errorf("%q: %v", cursor, err)
		}
	}
}

func TestProductFilters(t *testing.T) {
	s := newStore(t)
	add := func(slug, name, category string, price, stock int64, tags ...string) {
		p := product(slug, stock)
		p.Name, p.Category, p.Price = name, category, price
		for i, tag := range tags {
			p.Tags = append(p.Tags, ProductTag{ProductID: p.ID, Tag: tag, Position: i})
		}
		inTx(t, s, func(tx *Tx) error { return CreateProduct(tx, p) })
	}
	add("a", "100% Beef", "dog", 100, 0, "food", "dry")
	add("b", "Under_score", "dog", 200, 1, "food")
	add("c", `Back\slash`, "cat", 300, 2, "dry")
	add("d", "O'Brien; DROP", "cat", 400, 3)
	number := func(n int64) *int64 { return &n }
	yes, no := true, false
	for name, test := range map[string]struct {
		filter ProductFilter
		want   string
	}{
		"all":            {ProductFilter{}, "dcba"},
		"category":       {ProductFilter{Category: "dog"}, "ba"},
		"tag":            {ProductFilter{Tag: "dry"}, "ca"},
		"tag, category":  {ProductFilter{Tag: "dry", Category: "cat"}, "c"},
		"price":          {ProductFilter{MinPrice: number(200), MaxPrice: number(300)}, "cb"},
		"price of zero":  {ProductFilter{MaxPrice: number(0)}, ""},
		"in stock":       {ProductFilter{InStock: &yes}, "dcb"},
		"out of stock":   {ProductFilter{InStock: &no}, "a"},
		"text":           {ProductFilter{Query: "bEEf"}, "a"},
		"percent":        {ProductFilter{Query: "%"}, "a"},
		"percent inside": {ProductFilter{Query: "1%f"}, ""},
		"underscore":     {ProductFilter{Query: "_"}, "b"},
		"backslash":      {ProductFilter{Query: `\`}, "c"},
		"quote":          {ProductFilter{Query: "'brien; drop"}, "d"},
		"or is inside":   {ProductFilter{Query: "e", Category: "cat"}, "d"},
	} {
		list, err := ListProducts(s.Read(within(t)), test.filter, Page{Limit: MaxLimit})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := ""
		for _, p := range list.Items {
			got += p.Slug
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// TestLastItemIsTakenOnce lets many take the last items at once.
// TestProductSearch is faults 21: case is that of Unicode, on both databases.
func TestProductSearch(t *testing.T) {
	s := newStore(t)
	p := product("apples", 1)
	p.Name, p.Description = "Äpfel für Igel", "Von der STRASSE, 100_%"
	inTx(t, s, func(tx *Tx) error { return CreateProduct(tx, p) })
	for query, found := range map[string]bool{
		"äpfel": true, "ÄPFEL FÜR": true, "A\u0308pfel": true, "straße": true, "Igel": true, "APPLES": true, "0_%": true, "Apfel": false, "0%_": false, "igel von": false,
	} {
		list, err := ListProducts(s.Read(within(t)), ProductFilter{Query: query}, Page{Limit: 10})
		if err != nil || len(list.Items) == 1 != found {
			t.Errorf("%q finds %v, %v", query, list.Items, err)
		}
	}
	p.Name = "Birnen"
	inTx(t, s, func(tx *Tx) error { return UpdateProduct(tx, p) })
	list, err := ListProducts(s.Read(within(t)), ProductFilter{Query: "BIRNEN"}, Page{Limit: 10})
	if err != nil || len(list.Items) != 1 {
		t.Errorf("after a change: %v, %v", list.Items, err)
	}
}

func TestLastItemIsTakenOnce(t *testing.T) {
	const takers, stock = 50, 7
	s := newStore(t)
	p := addProduct(t, s, "rare", stock)
	var mu sync.Mutex
	var all sync.WaitGroup
	taken := 0
	for range takers {
		all.Go(func() {
			err := s.InTx(within(t), func(tx *Tx) error {
				ok, err := TakeStock(tx, p.ID, 1)
				if ok {
					mu.Lock()
					defer mu.Unlock()
					taken++
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, err := FindProduct(s.Read(within(t)), "rare")
	if err != nil || taken != stock || got.Stock != 0 || got.Version != 1+stock {
		t.Errorf("%d taken, %+v, %v", taken, got, err)
	}
	inTx(t, s, func(tx *Tx) error { return ReturnStock(tx, p.ID, 2) })
	if got, _ := FindProduct(s.Read(within(t)), "rare"); got.Stock != 2 {
		t.Errorf("%d after 2 came back", got.Stock)
	}
	inTx(t, s, func(tx *Tx) error { return tx.Exec("UPDATE products SET stock = ?", MaxStock-1).Error })
	inTx(t, s, func(tx *Tx) error { return ReturnStock(tx, p.ID, 2) }) // security 17
	if got, _ := FindProduct(s.Read(within(t)), "rare"); got.Stock != MaxStock {
		t.Errorf("%d after 2 came back to %d", got.Stock, MaxStock-1)
	}
	inTx(t, s, func(tx *Tx) error { return tx.Exec("UPDATE products SET stock = 2").Error })
	for _, fn := range []func(tx *Tx) error{
		func(tx *Tx) error { return ReturnStock(tx, "prod_gone", 1) },
		func(tx *Tx) error { return noStock(TakeStock(tx, "prod_gone", 1)) },
		func(tx *Tx) error { return noStock(TakeStock(tx, p.ID, 3)) },
	} {
		inTx(t, s, fn)
	}
}

func noStock(ok bool, err error) error {
	if ok {
		return errors.New("took what is not there")
	}
	return err
}
