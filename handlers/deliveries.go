package handlers

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"petstore/callbacks"
	"petstore/models"
)

type deliveries interface {
	List(ctx context.Context, f models.DeliveryFilter, page models.Page) (models.List[models.Delivery], error)
	Get(ctx context.Context, id string, page models.Page) (models.Delivery, models.List[models.Attempt], error)
	Redeliver(ctx context.Context, id string) (models.Delivery, error)
	Hosts(page models.Page) models.List[models.HostStatus]
	RedeliverAll(ctx context.Context, f models.DeliveryFilter) (int, error)
}

type deliveryHandlers struct{ deliveries deliveries }

// Deliveries are the routes of what is sent.
func Deliveries(s deliveries) Resource {
	return func(a *API) {
		h, g := deliveryHandlers{deliveries: s}, a.group("/api/callbacks")
		g.get("", h.list)
		g.get("/hosts", h.hosts)
		g.get("/:delivery_id", h.get)
		g.post("/:delivery_id/redeliver", h.redeliver)
		g.post("/redeliver", h.redeliverAll)
	}
}

// delivery is one update on its way to one URL: its task's callback URL, or a webhook's.
type delivery struct {
	// Its id, for GET /api/callbacks/{delivery_id}.
	DeliveryID string `json:"delivery_id" example:"dlv_0199f2a0c1d27d3ea4b5c6d7e8f90126"`
	// The update that it carries, the same at every receiver and every attempt.
	CallbackID string `json:"callback_id" example:"cb_0199f2a0c1d27d3ea4b5c6d7e8f90127"`
	// The task that the update is of.
	TaskID string `json:"task_id" example:"task_0199f2a0c1d27d3ea4b5c6d7e8f90124"`
	// What the task works on: an order's id, and so on.
	ResourceID string `json:"resource_id" example:"ord_0199f2a0c1d27d3ea4b5c6d7e8f90123"`
	// What the update tells: the kind of resource, and what happened to it.
	Type string `json:"type" example:"order.completed"`
	// The number of the update among those of its task, from 1.
	Sequence int64 `json:"sequence" minimum:"1" example:"3"`
	// The webhook that it is for, null if it is for the task's callback URL.
	WebhookID *string `json:"webhook_id" extensions:"x-nullable" example:"whk_0199f2a0c1d27d3ea4b5c6d7e8f90128"`
	// Where it is POSTed to.
	URL string `json:"url" example:"http://127.0.0.1:9090/callbacks/order-status"`
	// `superseded` is progress that a newer update overtook before it was sent; `exhausted` has failed for the last
	// time; `gone` was answered 410, or its webhook was deleted or disabled.
	Status string `json:"status" enums:"pending,delivered,superseded,exhausted,gone" example:"delivered"`
	// How often it was tried.
	Attempts int `json:"attempts" minimum:"0" example:"1"`
	// When it is sent again, null if it is not, or waits for another.
	NextAttemptAt *time.Time `json:"next_attempt_at" format:"date-time" extensions:"x-nullable"`
	// Of the latest answer, null if there was none.
	StatusCode *int `json:"status_code" extensions:"x-nullable" example:"200"`
	// Of the latest attempt, null if it succeeded.
	Error *string `json:"error" extensions:"x-nullable"`
	// When the update happened: RFC 3339, in UTC.
	CreatedAt time.Time `json:"created_at" format:"date-time"`
	// When it was answered 2xx, null if it was not: RFC 3339, in UTC.
	DeliveredAt *time.Time `json:"delivered_at" format:"date-time" extensions:"x-nullable"`
}

// deliveryDetails is a delivery with what was sent and what came back.
type deliveryDetails struct { //nolint:unused // read by the contract's generator
	// How far it has come.
	Delivery delivery `json:"delivery"`
	// What is POSTed: the update.
	Body callbacks.Update `json:"body"`
	// The attempts, the first one first.
	Attempts []attempt `json:"attempts"`
	// The cursor of the next page of attempts, null at the end.
	NextCursor *string `json:"next_cursor" extensions:"x-nullable"`
}

// attempt is one try of a delivery.
type attempt struct {
	// Which attempt it is, from 1.
	Number int `json:"number" minimum:"1" example:"1"`
	// When it began: RFC 3339, in UTC.
	StartedAt time.Time `json:"started_at" format:"date-time"`
	// How long the whole exchange took.
	DurationMS float64 `json:"duration_ms" minimum:"0" example:"1.7"`
	// The address that was dialled, null if it did not come to that.
	Address *string `json:"address" extensions:"x-nullable" example:"127.0.0.1:9090"`
	// Of the answer, null if there was none.
	StatusCode *int `json:"status_code" extensions:"x-nullable" example:"200"`
	// The headers of the answer.
	Headers map[string][]string `json:"headers"`
	// The beginning of the answer's body.
	Body string `json:"body" example:"OK"`
	// Why the attempt failed, null if it did not.
	Error *string `json:"error" extensions:"x-nullable"`
}

// host is one that callbacks go to.
type host struct {
	// The scheme, name and port that callbacks go to.
	Host string `json:"host" example:"https://client.example"`
	// Of the circuit breaker: `closed` sends everything; `open` sends nothing until `probe_at`, because the host did not
	// answer again and again; `half_open` sends one callback, to see whether it answers again.
	State string `json:"state" enums:"closed,open,half_open" example:"closed"`
	// Exchanges that are under way.
	InFlight int `json:"in_flight" minimum:"0" example:"1"`
	// Tasks with something to tell that wait for a place among these.
	Waiting int `json:"waiting" minimum:"0" example:"0"`
	// More may be due than waits in memory.
	More bool `json:"more" example:"false"`
	// How often in a row the host did not answer.
	Failures int `json:"failures" minimum:"0" example:"0"`
	// Why, the last time; null if it answers.
	Error *string `json:"error" extensions:"x-nullable"`
	// Since when the circuit breaker is open, null if it is closed.
	OpenSince *time.Time `json:"open_since" format:"date-time" extensions:"x-nullable"`
	// When the next probe is sent, null if it is closed.
	ProbeAt *time.Time `json:"probe_at" format:"date-time" extensions:"x-nullable"`
	// When the next callback that waits for a retry is due.
	DueAt *time.Time `json:"due_at" format:"date-time" extensions:"x-nullable"`
}

// redeliverRequest selects deliveries. At least one field must be given.
type redeliverRequest struct {
	// Only those of this order.
	OrderID string `json:"order_id,omitempty" validate:"max=100"`
	// Only those of this task.
	TaskID string `json:"task_id,omitempty" validate:"max=100"`
	// Only those of this update.
	CallbackID string `json:"callback_id,omitempty" validate:"max=100"`
	// Only those to this webhook.
	WebhookID string `json:"webhook_id,omitempty" validate:"max=100"`
	// Only those of which this became.
	Status string `json:"status,omitempty" validate:"omitempty,oneof=pending delivered superseded exhausted gone" enums:"pending,delivered,superseded,exhausted,gone" example:"exhausted"`
	// Only those to this URL.
	URL string `json:"url,omitempty" validate:"max=2048"`
}

// redelivered says how many deliveries are sent again.
type redelivered struct {
	// If it is 1000, there may be more: ask again.
	Count int `json:"count" minimum:"0" maximum:"1000" example:"3"`
}

func showDelivery(d models.Delivery) delivery {
	return delivery{
		DeliveryID: d.ID, CallbackID: d.CallbackID, TaskID: d.TaskID, ResourceID: d.Update.ResourceID,
		Type: d.Type, Sequence: d.Update.Sequence, WebhookID: nullable(d.WebhookID), URL: d.URL, Status: d.Status, Attempts: d.Attempts,
		NextAttemptAt: d.NextAttemptAt, StatusCode: nullable(d.StatusCode), Error: nullable(d.Error),
		CreatedAt: d.CreatedAt, DeliveredAt: d.DeliveredAt,
	}
}

func showAttempt(a models.Attempt) attempt {
	headers := a.Headers
	if headers == nil {
		headers = http.Header{}
	}
	return attempt{
		Number: a.Number, StartedAt: a.StartedAt, DurationMS: float64(a.Duration.Microseconds()) / 1000,
		Address: nullable(a.Address), StatusCode: nullable(a.StatusCode), Headers: headers, Body: a.Body, Error: nullable(a.Error),
	}
}

func showHost(h models.HostStatus) host {
	return host{
		Host: h.Host, State: h.State, InFlight: h.InFlight, Waiting: h.Waiting, More: h.More, Failures: h.Failures, Error: nullable(h.Error),
		OpenSince: h.OpenSince, ProbeAt: h.ProbeAt, DueAt: h.DueAt,
	}
}

// @Summary     List the hosts that callbacks go to
// @Description Those that this server sends to, or has sent to just now, in the order of their names.
// @ID          listHosts
// @Tags        callbacks
// @Success     200 {object} page[host]
// @Router      /api/callbacks/hosts [get]
func (h deliveryHandlers) hosts(c *gin.Context) error {
	q := newQuery(c)
	page := q.page()
	if err := q.done(); err != nil {
		return err
	}
	body, err := encodePage(c, `{"items":`, h.deliveries.Hosts(page), showHost)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, mediaJSON, body)
}

// @Summary     List deliveries of callbacks
// @Description Newest first.
// @ID          listDeliveries
// @Tags        callbacks
// @Param       order_id    query string false "Only of this order" maxlength(100)
// @Param       task_id     query string false "Only of this task" maxlength(100)
// @Param       callback_id query string false "Only of this update" maxlength(100)
// @Param       webhook_id  query string false "Only to this webhook" maxlength(100)
// @Param       status      query string false "Only with this status" Enums(pending, delivered, superseded, exhausted, gone)
// @Param       url         query string false "Only to this URL" maxlength(2048)
// @Success     200 {object} page[delivery]
// @Router      /api/callbacks [get]
func (h deliveryHandlers) list(c *gin.Context) error {
	q := newQuery(c)
	filter := models.DeliveryFilter{
		OrderID: q.text("order_id", 100), TaskID: q.text("task_id", 100), CallbackID: q.text("callback_id", 100),
		WebhookID: q.text("webhook_id", 100),
		Status:    q.oneOf("status", models.DeliveryPending, models.DeliveryDelivered, models.DeliverySuperseded, models.DeliveryExhausted, models.DeliveryGone),
		URL:       q.text("url", 2048),
	}
	return servePage(c, q, h.deliveries.List, filter, showDelivery)
}

// @Summary     Get a delivery with its attempts
// @Description What was sent, when, to which address, and what was answered.
// @ID          getDelivery
// @Tags        callbacks
// @Param       delivery_id path  string true  "Its id"
// @Param       limit       query int    false "How many attempts" minimum(1) maximum(100) default(100)
// @Param       cursor      query string false "Where the page of attempts before this one ended: its next_cursor" maxlength(200)
// @Success     200 {object} deliveryDetails "The delivery, what it sends, and its attempts"
// @Header      200 {string} Link "The next page of attempts (RFC 8288)"
// @Router      /api/callbacks/{delivery_id} [get]
func (h deliveryHandlers) get(c *gin.Context) error {
	id, err := validID(c, "delivery_id")
	if err != nil {
		return err
	}
	q := newQuery(c)
	page := q.pageOf(models.MaxLimit, models.MaxLimit)
	if err := q.done(); err != nil {
		return err
	}
	body, err := makeLarge(c, func() ([]byte, error) {
		d, attempts, err := h.deliveries.Get(c.Request.Context(), id, page)
		if err != nil {
			return nil, err
		}
		shown, err := encode(showDelivery(d))
		if err != nil {
			return nil, err
		}
		return encodePage(c, fmt.Sprintf(`{"delivery":%s,"body":%s,"attempts":`, bytes.TrimSpace(shown), d.Update.Body), attempts, showAttempt)
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, mediaJSON, body)
}

// @Summary     Send a callback again
// @Description Now, whatever became of it before, and with all its retries should that fail. One to a webhook goes to where that is now.
// @ID          redeliver
// @Tags        callbacks
// @Param       delivery_id path string true "Its id"
// @Success     202 {object} delivery "Accepted: it is sent again"
// @Header      202 {string} Location "Where the delivery is"
// @Failure     409 {object} problem "Its webhook is deleted or disabled"
// @Router      /api/callbacks/{delivery_id}/redeliver [post]
func (h deliveryHandlers) redeliver(c *gin.Context) error {
	id, err := pathID(c, "delivery_id")
	if err != nil {
		return err
	}
	d, err := h.deliveries.Redeliver(c.Request.Context(), id)
	if err != nil {
		return err
	}
	c.Header("Location", withPrefix(c, "/api/callbacks/"+d.ID))
	return respond(c, http.StatusAccepted, showDelivery(d))
}

// @Summary     Send all callbacks again that match
// @Description Newest first, up to 1,000 at a time.
// @ID          redeliverAll
// @Tags        callbacks
// @Param       filter body redeliverRequest true "Which"
// @Success     202 {object} redelivered "Accepted: they are sent again"
// @Router      /api/callbacks/redeliver [post]
func (h deliveryHandlers) redeliverAll(c *gin.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	request, err := decode[redeliverRequest](c)
	if err != nil {
		return err
	}
	if request == (redeliverRequest{}) {
		return models.Invalid("status", "or another filter is required: order_id, task_id, callback_id, webhook_id, url")
	}
	count, err := h.deliveries.RedeliverAll(c.Request.Context(), models.DeliveryFilter{
		OrderID: request.OrderID, TaskID: request.TaskID, CallbackID: request.CallbackID, WebhookID: request.WebhookID, Status: request.Status, URL: request.URL,
	})
	if err != nil {
		return err
	}
	return respond(c, http.StatusAccepted, redelivered{Count: count})
}
