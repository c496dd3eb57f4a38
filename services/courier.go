package services

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/services/hosts"
)

// lease is how long a delivery belongs to the job that claimed it: longer than
// an exchange can take.
const lease = 30 * time.Second

// busyWait is how long a delivery waits before it asks again for a place among
// the sends to a busy host.
const busyWait = 2 * time.Second

// maxPerHost is how many callbacks are under way to one host at a time. It
// keeps one receiver, slow or dead, from taking all workers, and is kind to it.
const maxPerHost = 64

// Courier sends deliveries and writes down what came of them.
type Courier struct {
	store    *models.Store
	sender   *callbacks.Sender
	schedule callbacks.Schedule
	secret   string
	hosts    *hosts.Limiter
	webhooks *registry
}

// NewCourier returns a courier that signs with secret and retries on schedule.
func NewCourier(store *models.Store, sender *callbacks.Sender, schedule callbacks.Schedule, secret string) *Courier {
	return &Courier{store: store, sender: sender, schedule: schedule, secret: secret, hosts: hosts.New(maxPerHost), webhooks: newRegistry()}
}

// sendOrHandOver tries a delivery. If that fails, or its host has enough to do,
// the delivery gets a job of its own.
func (c *Courier) sendOrHandOver(ctx context.Context, d *models.Delivery) error {
	release, ok := c.hosts.Take(ctx, d.URL)
	if !ok {
		return c.handOver(ctx, d)
	}
	defer release()
	if d.WebhookID != "" {
		claimed, _, err := c.claim(ctx, d)
		if err != nil {
			return err
		}
		if !claimed { // not its turn
			return c.handOver(ctx, d)
		}
	}
	_, err := c.attempt(ctx, d, true)
	return err
}

// sendProgress tries a delivery of progress, and returns how long to wait
// before it is worth another try; 0 for never. Such a delivery is stored only
// now: progress that was overtaken before it could be sent leaves no trace here.
func (c *Courier) sendProgress(ctx context.Context, d *models.Delivery) time.Duration {
	release, ok := c.hosts.Take(ctx, d.URL)
	if !ok {
		return busyWait
	}
	defer release()
	wait, err := c.storeAndAttempt(ctx, d)
	if err != nil && ctx.Err() == nil {
		slog.Warn("An attempt to deliver progress could not be stored.", "task_id", d.TaskID, "err", err)
	}
	return wait
}

func (c *Courier) storeAndAttempt(ctx context.Context, d *models.Delivery) (time.Duration, error) {
	switch {
	case d.WebhookID != "":
		if ours, wait, err := c.takeTurn(ctx, d); err != nil || !ours {
			return wait, err
		}
	case d.Attempts == 0:
		var overtaken bool // by a cancellation at another replica: the one that runs here would have said so
		err := c.store.InTx(ctx, func(tx *models.Tx) (err error) {
			if overtaken, err = models.Overtaken(tx, d.Update); err != nil || overtaken {
				return err
			}
			return models.CreateDelivery(tx, d)
		})
		if err != nil || overtaken {
			return 0, err
		}
	}
	return c.attempt(ctx, d, false)
}

// supersede marks deliveries that newer updates have overtaken.
func (c *Courier) supersede(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return c.store.InTx(context.WithoutCancel(ctx), func(tx *models.Tx) error {
		for _, id := range ids {
			if err := models.SupersedeDelivery(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// retry is one run of a delivery's job. It returns how long to wait until the
// next run, or 0 when there is nothing left to do.
func (c *Courier) retry(ctx context.Context, id string) (wait time.Duration, err error) {
	d, err := models.FindDelivery(c.store.Read(ctx), id)
	if err != nil || d.Status != models.DeliveryPending || d.Replaying { // a replay gets there by itself
		return 0, err
	}
	if early := untilDue(d); early > 0 {
		return early, nil
	}
	release, ok := c.hosts.Take(ctx, d.URL)
	if !ok {
		return jittered(busyWait), nil
	}
	defer release()
	claimed, wait, err := c.claim(ctx, &d)
	if err != nil || !claimed {
		return cmp.Or(wait, lease), err
	}
	return c.attempt(ctx, &d, false)
}

// claim takes a delivery that is due for this run alone. Should the process die
// before it has written down the attempt, the delivery is due again after the
// lease. A delivery that has to wait for its turn is not claimed; wait says how
// long.
func (c *Courier) claim(ctx context.Context, d *models.Delivery) (claimed bool, wait time.Duration, err error) {
	until := models.Now().Add(lease)
	err = c.store.InTx(ctx, func(tx *models.Tx) (err error) {
		claimed = false
		if wait, err = untilTurn(tx, d); err != nil || wait > 0 {
			return err
		}
		claimed, err = models.ClaimDelivery(tx, d.ID, until)
		return err
	})
	d.NextAttemptAt = &until
	return claimed, wait, err
}

// attempt sends d once and stores the outcome. It returns how long to wait until
// the next attempt, 0 if there is none or another sees to it; with handOver, the
// job that makes it is stored with the outcome.
func (c *Courier) attempt(ctx context.Context, d *models.Delivery, handOver bool) (wait time.Duration, err error) {
	letter, err := c.letter(ctx, d)
	if errors.Is(err, errNoWebhook) {
		return 0, c.giveUp(ctx, d)
	}
	if err != nil {
		return 0, err
	}
	sent := c.sender.Send(ctx, letter)
	if ctx.Err() != nil && sent.Outcome() != callbacks.Delivered {
		return 0, ctx.Err() // interrupted by us: says nothing about the receiver
	}
	due := d.NextAttemptAt
	wait = c.judge(d, sent)
	attempt := attemptRow(d, sent)
	// Not ctx: what has been sent is to be written down, shutdown or not.
	err = c.store.InTx(context.WithoutCancel(ctx), func(tx *models.Tx) error {
		ours, err := models.SaveAttempt(tx, d, attempt, due)
		if err != nil {
			return err
		}
		if !ours {
			wait = 0
		}
		if handOver && wait > 0 {
			tx.Enqueue(models.Job{DeliveryID: d.ID})
		}
		return c.noteOutcome(tx, d, sent.Outcome())
	})
	return wait, err
}

// letter is what goes out: to a callback URL signed with the server's secret, to
// a webhook with its own.
func (c *Courier) letter(ctx context.Context, d *models.Delivery) (callbacks.Delivery, error) {
	letter := callbacks.Delivery{URL: d.URL, ID: d.CallbackID, Body: []byte(d.Update.Body), Secrets: []string{c.secret}}
	if d.WebhookID == "" {
		return letter, nil
	}
	var err error
	letter.APISignature = true
	letter.Secrets, err = c.webhookKeys(ctx, d.WebhookID)
	return letter, err
}

// judge puts the state that an attempt leads to into d.
func (c *Courier) judge(d *models.Delivery, sent callbacks.Attempt) (wait time.Duration) {
	d.Round++
	d.StatusCode, d.Error, d.NextAttemptAt = sent.Status, sent.Error, nil
	switch sent.Outcome() {
	case callbacks.Delivered:
		now := models.Now()
		d.Status, d.DeliveredAt = models.DeliveryDelivered, &now
	case callbacks.Gone:
		d.Status = models.DeliveryGone
	default:
		var again bool
		if wait, again = c.schedule.Next(d.Round, sent.RetryAfter); !again {
			d.Status = models.DeliveryExhausted
			return 0
		}
		// Whole milliseconds, as all times that are stored: a claim in the same
		// millisecond must not find the delivery not yet due.
		wait = max(wait.Round(time.Millisecond), time.Millisecond)
		next := models.Now().Add(wait)
		d.NextAttemptAt = &next
	}
	return wait
}

func attemptRow(d *models.Delivery, sent callbacks.Attempt) *models.Attempt {
	return &models.Attempt{
		DeliveryID: d.ID, StartedAt: sent.At.UTC().Truncate(time.Millisecond), Duration: sent.Duration,
		Address: sent.Address, StatusCode: sent.Status, Headers: sent.Headers, Body: sent.Body, Error: sent.Error,
	}
}

// handOver gives deliveries jobs of their own without having tried them.
func (c *Courier) handOver(ctx context.Context, ds ...*models.Delivery) error {
	return c.store.InTx(context.WithoutCancel(ctx), func(tx *models.Tx) error {
		for _, d := range ds {
			tx.Enqueue(models.Job{DeliveryID: d.ID})
		}
		return nil
	})
}

func untilDue(d models.Delivery) time.Duration {
	if d.NextAttemptAt == nil {
		return 0
	}
	return max(0, time.Until(*d.NextAttemptAt))
}

// jittered returns between half of d and one and a half of it, so that what
// was turned away together does not come back together.
func jittered(d time.Duration) time.Duration {
	return d/2 + rand.N(d) //nolint:gosec // G404: nothing secret
}
