package receivers

import (
	"encoding/json"
	"fmt"
	"time"

	"petstore/callbacks"
)

// order makes the updates of one order that a rule sends.
type order struct {
	id, task string
	sequence int64
}

func (g *grader) order() *order {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.orders++
	unique := fmt.Sprintf("%x%04d", time.Now().UnixNano(), g.orders)
	return &order{id: "ord_" + unique, task: "task_" + unique}
}

func (o *order) next(status string, progress int) callbacks.Update {
	o.sequence++
	event := status
	if status == callbacks.StatusProcessing {
		event = callbacks.EventProgress
	}
	return callbacks.Update{
		CallbackID: fmt.Sprintf("cb_%s%02d", o.id[len("ord_"):], o.sequence),
		Type:       callbacks.EventType(callbacks.KindOrder.Name, event),
		TaskID:     o.task, Resource: callbacks.Resource{OrderID: o.id},
		Sequence: o.sequence, Status: status, Progress: progress, Message: "Graded", Timestamp: time.Now(),
	}
}

func (o *order) progress(percent int) callbacks.Update {
	return o.next(callbacks.StatusProcessing, percent)
}

func (o *order) completed() callbacks.Update {
	u := o.next(callbacks.StatusCompleted, 100)
	u.Result = json.RawMessage(`{"summary":"1 item, 24.99 USD: your order is ready","items":1,"total":2499,"currency":"USD"}`)
	return u
}

func (o *order) failed() callbacks.Update {
	u := o.next(callbacks.StatusFailed, 40)
	u.Error = &callbacks.Error{Code: "OUT_OF_STOCK", Message: "dog-food is out of stock"}
	u.Result = json.RawMessage(`{"error":{"code":"OUT_OF_STOCK","message":"dog-food is out of stock"}}`)
	return u
}

func (o *order) cancelled() callbacks.Update { return o.next(callbacks.StatusCancelled, 40) }
