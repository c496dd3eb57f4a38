package services

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"petstore/models"
)

// settle is how long progress waits before it is sent, in case something newer
// comes: work that is done in no time calls back once, not once a step.
const settle = 20 * time.Millisecond

// outbox sends what one run of a task tells, beside the operation: a lane for
// each target, so that each gets its updates in order and none waits for another.
type outbox struct {
	ctx     context.Context
	courier *Courier
	lanes   map[string]*lane // by the target of a delivery
	ended   bool             // the last update has been told
}

func newOutbox(ctx context.Context, courier *Courier) *outbox {
	return &outbox{ctx: ctx, courier: courier, lanes: map[string]*lane{}}
}

// progress hands over an update that matters until there is a newer one: its
// deliveries, none if there is nobody to tell. It never waits for a receiver.
// Only one goroutine calls progress and last.
func (o *outbox) progress(news []*models.Delivery) {
	for target, l := range o.lanes {
		if !slices.ContainsFunc(news, func(d *models.Delivery) bool { return d.Target() == target }) {
			l.forget() // the client has moved on to another URL
		}
	}
	for _, d := range news {
		o.lane(d.Target()).offer(d)
	}
}

// last hands over the last update: its deliveries, which are stored; none if it
// is not for this run to send.
func (o *outbox) last(news []*models.Delivery) {
	o.ended = true
	for _, d := range news {
		o.lane(d.Target()).final = d
	}
}

func (o *outbox) lane(target string) *lane {
	if o.lanes[target] == nil {
		o.lanes[target] = &lane{ctx: o.ctx, courier: o.courier, idle: sync.NewCond(&sync.Mutex{})}
	}
	return o.lanes[target]
}

// close waits until the last updates have been tried once. An error says that
// what came of it could not be stored, so that another run has to see to it.
func (o *outbox) close() error {
	var closing sync.WaitGroup
	errs := make([]error, len(o.lanes))
	i := 0
	for _, l := range o.lanes {
		if i == len(o.lanes)-1 {
			errs[i] = l.close(o.ended) // here: most tasks have one receiver, and need no goroutine
			break
		}
		n := i
		closing.Go(func() { errs[n] = l.close(o.ended) })
		i++
	}
	closing.Wait()
	return errors.Join(errs...)
}

// lane sends the updates of one task to one target, one at a time, and always the
// newest.
type lane struct {
	ctx     context.Context
	courier *Courier
	final   *models.Delivery // the last update, sent when the lane is closed

	idle      *sync.Cond       // signals that sending became false
	next      *models.Delivery // progress that is to be sent
	tried     string           // id of the delivery that was sent last
	overtaken []string         // ids of deliveries that were tried in vain, and are not tried again
	timer     *time.Timer      // starts the sending of next
	sending   bool
	closed    bool
}

// offer puts d in the place of what has not been sent yet.
func (l *lane) offer(d *models.Delivery) {
	l.idle.L.Lock()
	defer l.idle.L.Unlock()
	waiting := l.next != nil
	l.overtake(l.next)
	l.next = d
	if !waiting && !l.sending {
		l.timer = time.AfterFunc(settle, l.send)
	}
}

// forget takes back what has not been sent yet.
func (l *lane) forget() {
	l.idle.L.Lock()
	defer l.idle.L.Unlock()
	l.overtake(l.next)
	l.next = nil
}

// overtake notes that d, which may be nil, is not sent again. If it was tried
// before, its delivery says so.
func (l *lane) overtake(d *models.Delivery) {
	if d != nil && d.ID == l.tried && d.Status == models.DeliveryPending {
		l.overtaken = append(l.overtaken, d.ID)
	}
}

// send sends what is newest until there is nothing newer. What cannot be
// delivered is tried again, unless something newer comes first.
func (l *lane) send() {
	l.idle.L.Lock()
	defer l.idle.L.Unlock()
	if l.closed || l.sending {
		return
	}
	l.sending = true
	for l.next != nil && !l.closed {
		d := l.next
		l.next, l.tried = nil, d.ID
		l.idle.L.Unlock()
		wait := l.courier.sendProgress(l.ctx, d)
		l.idle.L.Lock()
		switch {
		case wait == 0:
		case l.next == nil && !l.closed:
			l.next = d
			l.timer = time.AfterFunc(wait, l.send)
			l.sending = false
			l.idle.Broadcast()
			return
		default:
			l.overtake(d)
		}
	}
	l.sending = false
	l.idle.Broadcast()
}

// close waits for progress that is being sent, drops what is not, and sends the
// last update. If that can't be delivered, it goes on with a job of its own. A
// task that has not ended was interrupted: its next run sees to what is left.
func (l *lane) close(ended bool) error {
	l.idle.L.Lock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	for l.sending {
		l.idle.Wait()
	}
	l.overtake(l.next)
	l.idle.L.Unlock()
	if !ended {
		return nil
	}
	if err := l.courier.supersede(l.ctx, l.overtaken); err != nil || l.final == nil {
		return err
	}
	return l.courier.sendOrHandOver(l.ctx, l.final)
}
