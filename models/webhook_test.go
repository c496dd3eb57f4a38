package models

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"petstore/models/db"
)

func TestMatchesEvent(t *testing.T) {
	for _, test := range []struct {
		pattern, updateType string
		want                bool
	}{
		{"*", "order.created", true},
		{"*", "report.failed", true},
		{"order.*", "order.created", true},
		{"order.*", "order.progress", true},
		{"order.*", "orders.created", false},
		{"order.*", "reorder.created", false},
		{"order.*", "report.created", false},
		{"order.completed", "order.completed", true},
		{"order.completed", "order.complete", false},
		{"order.completed", "order.completed.twice", false},
		{"order.completed", "Order.completed", false},
		{"order", "order.completed", false},
		{"", "order.completed", false},
	} {
		if got := MatchesEvent(test.pattern, test.updateType); got != test.want {
			t.Errorf("MatchesEvent(%q, %q) = %t", test.pattern, test.updateType, got)
		}
	}
	several := Webhook{Events: []string{"order.failed", "report.*"}}
	for updateType, want := range map[string]bool{"order.failed": true, "report.progress": true, "order.completed": false} {
		if several.Wants(updateType) != want {
			t.Errorf("Wants(%q) = %t", updateType, !want)
		}
	}
}

func TestWebhookRotate(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := Webhook{Secrets: []WebhookSecret{{Secret: "a"}}}
	rotate := func(secret string, at time.Time) { w.Rotate(secret, at, at.Add(24*time.Hour)) }
	check := func(at time.Duration, want ...string) {
		t.Helper()
		if got := w.KeysAt(start.Add(at)); !slices.Equal(got, want) {
			t.Errorf("after %s the keys are %q, want %q", at, got, want)
		}
	}
	check(0, "a")
	rotate("b", start)
	check(0, "b", "a")
	check(24*time.Hour-1, "b", "a")
	check(24*time.Hour, "b")
	rotate("c", start.Add(time.Hour)) // the answer to the first rotation got lost
	check(time.Hour, "c", "b", "a")
	check(24*time.Hour, "c", "b")
	check(25*time.Hour, "c")
	rotate("d", start.Add(48*time.Hour))
	check(48*time.Hour, "d", "c")
	if len(w.Secrets) != 2 {
		t.Errorf("%d secrets are kept, want 2: those that sign", len(w.Secrets))
	}
}

// TestFirstUpdateSince holds the search by halving against a plain search, on
// ids with gaps.
func TestFirstUpdateSince(t *testing.T) {
	ctx := context.Background()
	store, err := db.Open(ctx, filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	random := rand.New(rand.NewPCG(1, 2))
	var updates []Update
	err = store.InTx(ctx, func(tx *Tx) error {
		task := Task{ID: NewID(PrefixTask), Kind: "order", Status: StatusProcessing, Metadata: Metadata{}, CreatedAt: start, UpdatedAt: start}
		if err := CreateTask(tx, &task); err != nil {
			return err
		}
		at := start
		updates = nil
		for i := range 200 {
			at = at.Add(time.Duration(random.IntN(3)) * time.Second)
			u := Update{TaskID: task.ID, Sequence: int64(i), CreatedAt: at}
			if err := CreateUpdate(tx, &u); err != nil {
				return err
			}
			if random.IntN(3) > 0 {
				updates = append(updates, u)
			} else if err := tx.Delete(&u).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for offset := -2; offset < 420; offset++ {
		since := start.Add(time.Duration(offset) * time.Second)
		got, err := firstUpdateSince(store.Read(ctx), since)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(updates, func(u Update) bool { return !u.CreatedAt.Before(since) })
		for _, u := range updates {
			if i >= 0 && u.ID >= updates[i].ID != (u.ID >= got) || i < 0 && u.ID >= got {
				t.Fatalf("since %d s: id %d, which is wrong for update %d", offset, got, u.ID)
			}
		}
	}
}
