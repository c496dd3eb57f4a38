package dispatch

import (
	"testing"
	"time"

	"petstore/models"
)

// TestWebhooksCostNothingUnlessThereAreSome holds that looking for webhooks is no
// query and no allocation.
func TestWebhooksCostNothingUnlessThereAreSome(t *testing.T) {
	r := newRegistry()
	if n := testing.AllocsPerRun(100, func() { _ = r.matching("order.completed") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestRegistryKeepsTheNewest: changes can come in another order than that of their
// commits.
func TestRegistryKeepsTheNewest(t *testing.T) {
	r := newRegistry()
	at := time.Now()
	state := func(version int64, disabled *time.Time) models.Webhook {
		return models.Webhook{ID: "wh_1", Version: version, Events: []string{"*"}, DisabledAt: disabled}
	}
	check := func(what string, want int64) {
		t.Helper()
		w, known := r.Get("wh_1")
		if known != (want > 0) || w.Version != want {
			t.Errorf("%s: got %+v, want version %d", what, w, want)
		}
	}
	r.Put(state(2, nil))
	r.Put(state(1, nil))
	check("an older state after a newer", 2)
	r.Put(state(4, &at))
	r.Put(state(3, nil))
	check("enabled before it was disabled", 0)
	r.Put(state(5, nil))
	check("enabled again", 5)
	r.Remove("wh_1")
	r.Put(state(6, nil))
	check("changed before it was deleted", 0)
}

// TestRegistryReloadBesideAChange: what was read before a change does not undo it.
func TestRegistryReloadBesideAChange(t *testing.T) {
	r := newRegistry()
	err := r.Reload(func() ([]models.Webhook, error) {
		r.Put(models.Webhook{ID: "whk_1", Version: 2})
		return nil, nil
	})
	if _, known := r.Get("whk_1"); err != nil || !known {
		t.Errorf("the webhook is forgotten, %v", err)
	}
	r.Put(models.Webhook{ID: "whk_1", Version: 1, URL: "old"})
	if w, _ := r.Get("whk_1"); w.URL == "old" {
		t.Error("an older state replaced a newer one")
	}
}
