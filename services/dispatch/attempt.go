package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"petstore/callbacks"
	"petstore/models"
)

// shortageWait is how long nothing is sent to a host after this machine was short of
// descriptors, memory or ports.
const shortageWait = time.Second

// deliver makes one attempt. The place among the exchanges is free again before the
// outcome is stored: who waits for the database need not keep others from a host.
func (d *Dispatcher) deliver(q *orderedQueue, sending *models.Delivery) {
	mine := *sending // others look at the one in the queue
	delivery := &mine
	sent, err := d.send(delivery)
	d.releaseSlot(q.host, sent, err)
	nowDue, err := d.recordOutcome(delivery, sent, err)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pendingOutcomes--
	q.sending = nil
	h := q.host
	d.outcomes++
	if h.reads > 0 {
		h.recentOutcomes[delivery.ID] = d.outcomes
	}
	switch {
	case err != nil: // it is pending and due, as before
		if d.ctx.Err() == nil && !errors.Is(err, errShortage) {
			slog.Warn("The outcome of an attempt could not be stored: it is made again.", "delivery_id", delivery.ID, "err", err)
		}
		h.wakeAt(d, time.Now().Add(shortageWait))
	case delivery.Status == models.DeliveryPending && delivery.NextAttemptAt != nil:
		h.wakeAt(d, *delivery.NextAttemptAt)
	}
	d.fetch(h, nowDue)
	q.failed = delivery.Supersedable && delivery.Status == models.DeliveryPending && !q.ended
	if delivery.Supersedable && delivery.WebhookID != "" && !q.ended {
		q.lastProgress = time.Now()
		if q.pendingProgress == nil && !q.debouncing { // stay for a while, to keep the distance to the next
			q.startTimer(d, webhookSpacing)
		}
	}
	if d.stopped && d.ctx.Err() == nil && len(q.due) > 0 && h.openSince.IsZero() {
		d.start(q) // it was only this attempt that the next has waited for
		return
	}
	d.schedule(q)
	d.unblock()
}

var (
	errShortage  = errors.New("this machine is short of something")
	errNoWebhook = errors.New("the webhook is deleted or disabled")
)

// send signs a delivery and sends it.
func (d *Dispatcher) send(delivery *models.Delivery) (callbacks.Attempt, error) {
	var err error
	if delivery.Update, err = delivery.Update.WithBody(); err != nil {
		return callbacks.Attempt{}, err
	}
	signer := callbacks.SignWith(d.Secret)
	if delivery.WebhookID != "" {
		secrets, err := d.webhookKeys(d.ctx, delivery.WebhookID)
		if err != nil {
			return callbacks.Attempt{}, err
		}
		signer = callbacks.SignWebhookWith(secrets...)
	}
	message := callbacks.Delivery{URL: delivery.URL, ID: delivery.CallbackID, Body: []byte(delivery.Update.Body), Signer: signer}
	sent := d.Sender.Send(d.ctx, message)
	if d.ctx.Err() != nil && sent.Outcome() != callbacks.Delivered {
		return sent, d.ctx.Err() // interrupted by us: says nothing about the receiver
	}
	if sent.LocalError {
		slog.Warn("This machine is short of descriptors, memory or ports: nothing is sent for a moment.", "err", sent.Error)
		return sent, errShortage
	}
	return sent, nil
}

// releaseSlot gives the place back, and notes what the exchange says about the host.
func (d *Dispatcher) releaseSlot(h *host, sent callbacks.Attempt, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h.inFlight--
	d.inFlight--
	d.pendingOutcomes++
	if err == nil {
		if hostUnavailable(sent) {
			if h.failed(d, sentError(sent)) && !d.stopped {
				d.exhaust(h)
			}
		} else {
			if sent.Outcome() == callbacks.Failed {
				slog.Warn("A delivery attempt failed.", "host", h.name, "status", sent.Status, "err", sentError(sent))
			}
			h.answered()
		}
	}
	d.startReady(h)
	d.unblock()
}

// hostUnavailable reports whether an exchange says that nobody is there.
func hostUnavailable(sent callbacks.Attempt) bool {
	switch sent.Status {
	case 0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func sentError(sent callbacks.Attempt) string {
	if sent.Error != "" {
		return sent.Error
	}
	if sent.Status == http.StatusUnauthorized {
		return "Unauthorized: does the receiver have the same secret?"
	}
	return http.StatusText(sent.Status)
}

// recordOutcome stores what came of an attempt, and returns what is due now that waited for
// it.
func (d *Dispatcher) recordOutcome(delivery *models.Delivery, sent callbacks.Attempt, err error) (nowDue []string, _ error) {
	if errors.Is(err, errNoWebhook) {
		return d.abandon(delivery)
	}
	if err != nil {
		return nil, err
	}
	before := *delivery
	after := before
	d.decide(&after, sent)
	// Not d.ctx: what has been sent is to be written down, shutdown or not.
	err = d.store.InTx(context.WithoutCancel(d.ctx), func(tx *models.Tx) (err error) {
		nowDue = nil
		*delivery = after
		attempt := attemptOf(delivery, sent)
		ours, err := models.SaveAttempt(tx, delivery, attempt, before.RetryCount)
		if err != nil {
			return err
		}
		if ours && (delivery.Status != models.DeliveryPending || before.Replaying) {
			if nowDue, err = models.ScheduleNext(tx, delivery, before.Replaying, d.Server); err != nil {
				return err
			}
		}
		if !ours { // it was redelivered, superseded or abandoned meanwhile
			delivery.NextAttemptAt = nil
			nowDue = []string{delivery.ID}
		}
		return d.noteHealth(tx, delivery, sent.Outcome())
	})
	if err == nil && delivery.Status == models.DeliveryExhausted {
		slog.Warn("A delivery has exhausted its retries.", "delivery_id", delivery.ID, "host", delivery.Host, "attempts", delivery.Attempts)
	}
	return nowDue, err
}

// abandon ends a delivery whose webhook is deleted or disabled.
func (d *Dispatcher) abandon(delivery *models.Delivery) (nowDue []string, err error) {
	wasReplaying := delivery.Replaying
	err = d.store.InTx(context.WithoutCancel(d.ctx), func(tx *models.Tx) (err error) {
		if err = models.AbandonDelivery(tx, delivery.ID, errNoWebhook.Error()); err == nil {
			nowDue, err = models.ScheduleNext(tx, delivery, wasReplaying, d.Server)
		}
		return err
	})
	delivery.Status = models.DeliveryGone
	return nowDue, err
}

// decide puts the state that an attempt leads to into a delivery.
func (d *Dispatcher) decide(delivery *models.Delivery, sent callbacks.Attempt) {
	delivery.RetryCount++
	delivery.StatusCode, delivery.Error, delivery.NextAttemptAt, delivery.Replaying, delivery.ClaimedBy = sent.Status, sent.Error, nil, false, ""
	switch sent.Outcome() {
	case callbacks.Delivered:
		now := models.Now()
		delivery.Status, delivery.DeliveredAt = models.DeliveryDelivered, &now
	case callbacks.Gone:
		delivery.Status = models.DeliveryGone
	default:
		wait, again := d.Schedule.Next(delivery.RetryCount, sent.RetryAfter)
		if !again {
			delivery.Status = models.DeliveryExhausted
			return
		}
		// Whole milliseconds, as all times that are stored.
		next := models.Now().Add(max(wait.Round(time.Millisecond), time.Millisecond))
		delivery.NextAttemptAt = &next
	}
}

func attemptOf(d *models.Delivery, sent callbacks.Attempt) *models.Attempt {
	return &models.Attempt{
		DeliveryID: d.ID, StartedAt: sent.At.UTC().Truncate(time.Millisecond), Duration: sent.Duration,
		Address: sent.Address, StatusCode: sent.Status, Headers: sent.Headers, Body: sent.Body, Error: sent.Error,
	}
}
