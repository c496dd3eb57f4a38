package callbacks

import "strings"

// Kind is one kind of slow work, in the words of all who hear of it: the engine, streams, receivers, the contract.
type Kind struct {
	// Name is in every task, and begins the types of its updates: "order" of "order.completed".
	Name string
	// Prefix begins the ids of what it works on: "ord_".
	Prefix string
	// Collection names the resources that it works on, in paths ("/api/orders") and in the database; "" if they
	// are another kind's.
	Collection string
	// Path is where the sample receiver takes its callbacks; "" if another kind's does.
	Path string
	// Field is the member of an update that has the id of what it works on: "order_id".
	Field string
	// Cancellable says that its tasks can be cancelled, and there is an update that tells of it.
	Cancellable bool

	id func(*Resource) *string // that member
}

// Resource names what a task works on. The one member that is for the task's kind is set.
type Resource struct {
	// OrderID is set in updates of an order ("ord_…").
	OrderID string `json:"order_id,omitempty" example:"ord_0198c5d2-7a4f-7d63-a9c0-1b2c3d4e5f60"`
	// ReportID is set in updates of a report ("rpt_…").
	ReportID string `json:"report_id,omitempty"`
	// ImageID is set in updates of an image ("img_…").
	ImageID string `json:"image_id,omitempty"`
	// PaymentID is set in updates of a payment ("pay_…").
	PaymentID string `json:"payment_id,omitempty"`
	// WebhookID is set in a ping, which tells of nothing but the webhook itself.
	WebhookID string `json:"webhook_id,omitempty"`
	// RefundID is set in updates of a refund ("re_…").
	RefundID string `json:"refund_id,omitempty"`
}

// The kinds of slow work.
var (
	KindOrder = Kind{
		Name: "order", Prefix: "ord_", Collection: "orders", Path: "/callbacks/order-status",
		Field: "order_id", Cancellable: true, id: func(r *Resource) *string { return &r.OrderID },
	}
	KindReport = Kind{
		Name: "report", Prefix: "rpt_", Collection: "reports", Path: "/callbacks/reports",
		Field: "report_id", id: func(r *Resource) *string { return &r.ReportID },
	}
	KindImage = Kind{
		Name: "image", Prefix: "img_", Collection: "images", Path: "/callbacks/image",
		Field: "image_id", Cancellable: true, id: func(r *Resource) *string { return &r.ImageID },
	}
	KindPayment = Kind{
		Name: "payment", Prefix: "pay_", Collection: "payments", Path: "/callbacks/payment",
		Field: "payment_id", id: func(r *Resource) *string { return &r.PaymentID },
	}
	// KindWebhook is that of a ping.
	KindWebhook = Kind{
		Name: "webhook", Prefix: "whk_", Path: "/callbacks/webhook",
		Field: "webhook_id", id: func(r *Resource) *string { return &r.WebhookID },
	}
	KindRefund = Kind{
		Name: "refund", Prefix: "re_", Collection: "refunds",
		Field: "refund_id", id: func(r *Resource) *string { return &r.RefundID },
	}
	// KindReversal gives back a payment whose outcome is unknown.
	KindReversal = Kind{Name: "reversal"}
)

// Kinds are all kinds, in the order in which their members stand in an update.
var Kinds = []Kind{
	KindOrder,
	KindReport,
	KindImage,
	KindPayment,
	KindWebhook,
	KindRefund,
	KindReversal,
}

// What an update can tell, beside the statuses that end a task.
const (
	EventCreated  = "created"
	EventProgress = "progress"
	EventPing     = "ping" // of a webhook only
)

// EventType is the type of an update: of a kind, and what happened to it ([EventCreated], [StatusCompleted], …).
func EventType(kind, event string) string { return kind + "." + event }

// KindNames are the names of all kinds.
func KindNames() []string {
	var names []string
	for _, k := range Kinds {
		names = append(names, k.Name)
	}
	return names
}

// IDIn is the id that r has for this kind, "" if it is another kind's.
func (k Kind) IDIn(r Resource) string {
	if k.id == nil {
		return ""
	}
	return *k.id(&r)
}

// ID is the id that is set, "" if none is.
func (r Resource) ID() string {
	for _, k := range Kinds {
		if id := k.IDIn(r); id != "" {
			return id
		}
	}
	return ""
}

// ResourceOf is the Resource of an id, whose prefix tells the kind.
func ResourceOf(id string) (r Resource) {
	for _, k := range Kinds {
		if k.id != nil && strings.HasPrefix(id, k.Prefix) {
			*k.id(&r) = id
		}
	}
	return r
}
