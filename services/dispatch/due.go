package dispatch

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"petstore/models"
)

const (
	// loadBatchSize is how many deliveries are read at once.
	loadBatchSize = 500
	// exhaustBatchSize is how many are given up in one transaction.
	exhaustBatchSize = 500
	// rescheduleBatchSize is how many are put right in one transaction.
	rescheduleBatchSize = 500
	// clockSlack is how far the clock may go back before waits are reckoned anew.
	clockSlack = 10 * time.Second
)

// load fills a host's queues from the table.
func (d *Dispatcher) load(h *host) {
	if h.loading || d.stopped || !d.started {
		return
	}
	h.loading, h.more = true, false
	begun := d.beginRead(h)
	if d.loads++; d.loads == 1 {
		d.latestSequence = map[string]int64{}
	}
	limit := h.queueCount + loadBatchSize // of what is in memory, some is due in the table, too
	d.running.Go(func() {
		found, next, err := d.read(h.name, limit)
		d.mu.Lock()
		defer d.mu.Unlock()
		if err != nil {
			if d.ctx.Err() == nil {
				slog.Warn("What is due could not be read.", "host", h.name, "err", err)
			}
			h.wakeAt(d, time.Now().Add(time.Second))
		}
		if next != nil {
			h.wakeAt(d, *next)
		}
		h.more = h.more || len(found) == limit
		d.loaded(h, found, begun)
		d.startReady(h)
	})
}

// loaded puts into a host's queues what was read, but for what was sent or overtaken
// meanwhile.
func (d *Dispatcher) loaded(h *host, found []models.Delivery, begun int64) {
	outcomes, latest := h.recentOutcomes, d.latestSequence
	d.endRead(h)
	h.loading = false
	if d.loads--; d.loads == 0 {
		d.latestSequence = nil
	}
	for i := range found {
		switch {
		case outcomes[found[i].ID] > begun: // it was read as it was before that
			h.more = true
		case found[i].Supersedable && latest[found[i].TaskID] > found[i].Sequence:
		default:
			d.add(&found[i])
		}
	}
}

// beginRead notes that deliveries to a host are read from the table: by the time they are
// put into its queues, some may have been sent. It returns the latest outcome.
func (d *Dispatcher) beginRead(h *host) (outcome int64) {
	if h.reads++; h.reads == 1 {
		h.recentOutcomes = map[string]int64{}
	}
	return d.outcomes
}

func (d *Dispatcher) endRead(h *host) {
	if h.reads--; h.reads == 0 {
		h.recentOutcomes = nil
	}
}

// fetch takes deliveries to a host that were just made due.
func (d *Dispatcher) fetch(h *host, ids []string) {
	if len(ids) == 0 || d.stopped {
		return
	}
	begun := d.beginRead(h)
	d.running.Go(func() {
		var found []models.Delivery
		for _, id := range ids {
			delivery, err := models.FindDelivery(d.store.Read(d.ctx), id)
			if err == nil && delivery.Status == models.DeliveryPending && delivery.ClaimedBy == d.Server && delivery.NextAttemptAt != nil {
				found = append(found, delivery)
			}
			if err != nil && d.ctx.Err() == nil {
				slog.Warn("A delivery that is due could not be read; a sweep will find it.", "delivery_id", id, "err", err)
			}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		outcomes := h.recentOutcomes
		d.endRead(h)
		for i := range found {
			if outcomes[found[i].ID] <= begun {
				d.add(&found[i])
			}
		}
		d.forget(h)
	})
}

// read finds what is due to a host, without what newer updates have overtaken, and
// when the next is due after that.
func (d *Dispatcher) read(host string, limit int) (found []models.Delivery, next *time.Time, err error) {
	db := d.store.Read(d.ctx)
	now := models.Now()
	all, err := models.DueDeliveries(db, host, d.Server, now, limit)
	if err != nil {
		return nil, nil, err
	}
	if found, err = d.dropOvertaken(db, all); err != nil {
		return nil, nil, err
	}
	if found, err = d.claim(found); err != nil {
		return nil, nil, err
	}
	next, err = models.NextDue(db, host, now)
	return found, next, err
}

// dropOvertaken leaves out, and gives up, progress that newer updates have overtaken.
func (d *Dispatcher) dropOvertaken(db *gorm.DB, ds []models.Delivery) ([]models.Delivery, error) {
	var tasks []string
	for _, delivery := range ds {
		if delivery.Supersedable {
			tasks = append(tasks, delivery.TaskID)
		}
	}
	if len(tasks) == 0 {
		return ds, nil
	}
	newest, err := models.TaskSequences(db, tasks)
	if err != nil {
		return nil, err
	}
	overtaken := map[string]bool{}
	ds = slices.DeleteFunc(ds, func(delivery models.Delivery) bool {
		late := delivery.Supersedable && delivery.Sequence < newest[delivery.TaskID]
		if late {
			overtaken[delivery.TaskID] = true
		}
		return late
	})
	if len(overtaken) == 0 {
		return ds, nil
	}
	return ds, d.store.InTx(d.ctx, func(tx *models.Tx) error {
		for _, task := range slices.Sorted(maps.Keys(overtaken)) { // in one order at all servers
			if err := models.SupersedeProgress(tx, task, newest[task]); err != nil {
				return err
			}
		}
		return nil
	})
}

// claim takes deliveries for this server, where there are others.
func (d *Dispatcher) claim(found []models.Delivery) (ours []models.Delivery, err error) {
	var ids []string
	for _, delivery := range found {
		if delivery.ClaimedBy != d.Server {
			ids = append(ids, delivery.ID)
		}
	}
	if len(ids) == 0 {
		return found, nil
	}
	var claimed map[string]bool
	err = d.store.InTx(d.ctx, func(tx *models.Tx) (err error) {
		claimed, err = models.ClaimDeliveries(tx, ids, d.Server)
		return err
	})
	for _, delivery := range found {
		if delivery.ClaimedBy == d.Server || claimed[delivery.ID] {
			delivery.ClaimedBy = d.Server
			ours = append(ours, delivery)
		}
	}
	return ours, err
}

// sweepForEver finds what is pending, at the start and, for what was missed, now and then.
func (d *Dispatcher) sweepForEver() {
	ticker := time.NewTicker(d.SweepEvery)
	defer ticker.Stop()
	d.rescheduleAfterClockChange()
	for begun := time.Now(); ; begun = time.Now() {
		if err := d.sweep(); err != nil && d.ctx.Err() == nil {
			slog.Warn("What is pending could not be looked for.", "err", err)
		}
		select {
		case <-ticker.C:
		case <-d.sweepNow:
		case <-d.quit:
			return
		}
		// The one is the time that has passed, the other what the clock says.
		if passed, clock := time.Since(begun), time.Now().Round(0).Sub(begun.Round(0)); passed-clock > clockSlack {
			d.rescheduleAfterClockChange()
		}
	}
}

// Sweep looks for what was missed, soon.
func (d *Dispatcher) Sweep() {
	select {
	case d.sweepNow <- struct{}{}:
	default: // it is about to
	}
}

// sweep makes sure that each host that something is pending for is looked after.
func (d *Dispatcher) sweep() error {
	db := d.store.Read(d.ctx)
	if err := d.rescheduleStuck(); err != nil {
		return err
	}
	for d.ctx.Err() == nil {
		due, found, err := models.NextDueHost(db, d.sweepFrom)
		if err != nil {
			return err
		}
		if !found {
			d.sweepFrom = ""
			return nil
		}
		d.mu.Lock()
		full := len(d.hosts) >= maxHosts && d.hosts[due.Host] == nil
		if !full {
			d.host(due.Host).wakeAt(d, due.At)
		}
		d.mu.Unlock()
		if full {
			return nil // the next sweep goes on from here
		}
		d.sweepFrom = due.Host
	}
	return nil
}

// rescheduleStuck makes due what waits for nothing.
func (d *Dispatcher) rescheduleStuck() error {
	stuck, err := models.StuckDeliveries(d.store.Read(d.ctx), rescheduleBatchSize)
	if err != nil || len(stuck) == 0 {
		return err
	}
	slog.Warn("Stuck deliveries were rescheduled.", "deliveries", len(stuck))
	return d.store.InTx(d.ctx, func(tx *models.Tx) error { return models.MakeDue(tx, models.Now(), stuck...) })
}

// rescheduleAfterClockChange reckons waits anew that were reckoned before the clock was set back.
func (d *Dispatcher) rescheduleAfterClockChange() {
	for {
		now := models.Now()
		distant, err := models.FutureDatedDeliveries(d.store.Read(d.ctx), now, clockSlack, rescheduleBatchSize)
		if err == nil && len(distant) > 0 {
			err = d.store.InTx(d.ctx, func(tx *models.Tx) error {
				for _, delivery := range distant {
					wait := max(0, delivery.NextAttemptAt.Sub(delivery.UpdatedAt))
					if err := models.MakeDue(tx, now.Add(wait), delivery.ID); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err != nil && d.ctx.Err() == nil {
			slog.Warn("Retries could not be rescheduled after a change of the clock.", "err", err)
		}
		if err != nil || len(distant) < rescheduleBatchSize {
			return
		}
	}
}

// exhaust gives up what a host has not taken for as long as the whole schedule lasts:
// while its breaker is open, only probes use up attempts.
func (d *Dispatcher) exhaust(h *host) {
	_, window := d.Schedule.Total()
	away := time.Since(h.openSince)
	if away < window {
		return
	}
	reason := h.lastError
	d.running.Go(func() {
		var total int64
		for rows := int64(exhaustBatchSize); rows == exhaustBatchSize && d.ctx.Err() == nil; {
			err := d.store.InTx(d.ctx, func(tx *models.Tx) (err error) {
				rows, err = models.ExhaustDeliveries(tx, h.name, models.Now().Add(-window), reason, exhaustBatchSize)
				return err
			})
			if err != nil {
				return
			}
			total += rows
		}
		if total > 0 {
			slog.Warn("Deliveries are exhausted: their host was down for the whole retry schedule.", "host", h.name, "deliveries", total)
		}
	})
}
