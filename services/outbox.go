package services

import (
	"context"
	"errors"
	"sync"
	"time"

	"petstore/models"
)

// settle is how long progress waits before it is sent, in case something newer
// comes: work that is done in no time calls back once, not once a step.
const settle = 20 * time.Millisecond

// outbox sends what one run of a task tells, beside the operation: a lane for
// each URL, so that each receiver gets its updates in order and none waits for
// another.
type outbox struct {
	ctx     context.Context
	courier *Courier
	lanes   map[string]*lane
	senders sync.WaitGroup
}

func newOutbox(ctx context.Context, courier *Courier) *outbox {
	return &outbox{ctx: ctx, courier: courier, lanes: map[string]*lane{}}
}

// supersede gives up what has been offered so far. It belongs into the
// transaction that stores something newer.
func (o *outbox) supersede(tx *models.Tx) error {
	for _, l := range o.lanes {
		if l.latest == "" {
			continue
		}
		if err := models.SupersedeDelivery(tx, l.latest); err != nil {
			return err
		}
	}
	return nil
}

// offer hands over what supersede has made room for, once it is committed: a
// delivery, or nil if there is nobody to call back. It never waits for a
// receiver.
func (o *outbox) offer(d *models.Delivery) {
	for url, l := range o.lanes {
		if d == nil || url != d.URL { // the client has moved on to another URL
			l.forget()
		}
	}
	if d == nil {
		return
	}
	l := o.lanes[d.URL]
	if l == nil {
		l = &lane{courier: o.courier, next: make(chan *models.Delivery, 1)}
		o.lanes[d.URL] = l
		o.senders.Go(func() { l.run(o.ctx) })
	}
	l.offer(d)
}

// close waits until the last updates have been tried once. An error says that
// what came of it could not be stored, so that another run has to see to it.
func (o *outbox) close() error {
	for _, l := range o.lanes {
		close(l.next)
	}
	o.senders.Wait()
	var errs []error
	for _, l := range o.lanes {
		errs = append(errs, l.err)
	}
	return errors.Join(errs...)
}

func supersedeAll(tx *models.Tx, overtaken []models.Delivery) error {
	for _, d := range overtaken {
		if err := models.SupersedeDelivery(tx, d.ID); err != nil {
			return err
		}
	}
	return nil
}

// lane sends the deliveries of one task to one URL, one at a time, and always
// the newest.
type lane struct {
	courier *Courier
	next    chan *models.Delivery // holds at most the newest; nil: send nothing
	latest  string                // id of what was offered last, "" for nothing
	err     error                 // what kept the last update from being settled
}

// offer puts d in the place of what has not been sent yet. Only one goroutine
// offers.
func (l *lane) offer(d *models.Delivery) {
	l.latest = d.ID
	l.put(d)
}

// forget takes back what has not been sent yet.
func (l *lane) forget() {
	if l.latest != "" {
		l.latest = ""
		l.put(nil)
	}
}

func (l *lane) put(d *models.Delivery) {
	select {
	case <-l.next:
	default:
	}
	l.next <- d
}

// run sends until the lane is closed. Progress that cannot be delivered is tried
// again until something newer comes; a last update that cannot be delivered
// goes on with a job of its own.
func (l *lane) run(ctx context.Context) {
	var d *models.Delivery
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case newer, open := <-l.next:
			if !open {
				return
			}
			if d = newer; d == nil {
				timer.Stop()
				continue
			}
			if d.Update.Terminal() {
				l.err = l.courier.sendOrHandOver(ctx, d)
				return
			}
			timer.Reset(settle)
		case <-timer.C:
			if wait := l.courier.sendProgress(ctx, d); wait > 0 {
				timer.Reset(wait)
			}
		}
	}
}
