package services

import (
	"context"
	"time"

	"petstore/models"
)

const (
	// replayRun is how many deliveries one run of a replay's job makes at most,
	// which keeps it within the job's timeout even if each takes its longest.
	replayRun = 100
	// nextRun is how long a replay's job pauses between two runs.
	nextRun = time.Millisecond
)

// replay is one run of a replay's job: it sends what stands in a webhook's line,
// one after the other, so that what is replayed comes in the order in which it
// happened. It returns how long to wait until the next run, or 0 when the line is
// empty.
func (c *Courier) replay(ctx context.Context, webhookID string) (wait time.Duration, err error) {
	for range replayRun {
		d, found, err := models.HeadOfLine(c.store.Read(ctx), webhookID)
		if err != nil || !found {
			return 0, err
		}
		if wait, err := c.replayHead(ctx, &d); err != nil || wait > 0 {
			return wait, err
		}
	}
	return nextRun, nil
}

// replayHead sends what a line begins with. It returns how long the line has to
// wait, 0 if it can go on: with what comes next, or by another look at the head.
func (c *Courier) replayHead(ctx context.Context, d *models.Delivery) (wait time.Duration, err error) {
	if early := untilDue(*d); early > 0 { // another job is at it
		return min(early, busyWait), nil
	}
	release, ok := c.hosts.Take(ctx, d.URL)
	if !ok {
		return jittered(busyWait), nil
	}
	defer release()
	if claimed, err := c.claimHead(ctx, d); err != nil || !claimed {
		return 0, err
	}
	_, err = c.attempt(ctx, d, false)
	return 0, err
}

// claimHead claims the head of a line. If something of its task that is not in
// the line has to be accepted first, it leaves the line instead: the others need
// not wait for that.
func (c *Courier) claimHead(ctx context.Context, d *models.Delivery) (claimed bool, err error) {
	until := models.Now().Add(lease)
	err = c.store.InTx(ctx, func(tx *models.Tx) error {
		claimed = false
		wait, err := untilTurn(tx, d)
		if err != nil {
			return err
		}
		if wait > 0 {
			return leaveLine(tx, d)
		}
		claimed, err = models.ClaimReplay(tx, d.ID, until)
		return err
	})
	d.NextAttemptAt = &until
	return claimed, err
}

// leaveLine lets a delivery, and what its task has behind it in the line, go their
// own way: in the order of their task still, but no longer in that of the replay.
func leaveLine(tx *models.Tx, d *models.Delivery) error {
	ids, err := models.LeaveLine(tx, d)
	for _, id := range ids {
		tx.Enqueue(models.Job{DeliveryID: id})
	}
	return err
}
