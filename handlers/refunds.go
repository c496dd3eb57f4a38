package handlers

import (
	"context"

	"github.com/gin-gonic/gin"

	"petstore/callbacks"
	"petstore/models"
)

type refunds interface {
	Refund(ctx context.Context, r models.Refund) (models.Refund, error)
	GetRefund(ctx context.Context, paymentID, id string) (models.Refund, error)
	ListRefunds(ctx context.Context, paymentID string, f models.RefundFilter, page models.Page) (models.List[models.Refund], error)
}

type refundHandlers struct {
	refunds refunds
	tasks   tasks
	policy  callbacks.Policy
}

// refundRequest asks for a payment, or a part of it, to be given back.
type refundRequest struct {
	// In the currency's smallest unit. Without it, all that is left of the payment.
	Amount *int64 `json:"amount,omitempty" validate:"omitempty,min=1,max=999999999999" minimum:"1" maximum:"999999999999" example:"40"`
	// Why, for the provider's records.
	Reason string `json:"reason,omitempty" validate:"omitempty,oneof=duplicate fraudulent requested_by_customer" enums:"duplicate,fraudulent,requested_by_customer" example:"requested_by_customer"`
	callback
}

// refund is a refund as the API shows it.
type refund struct {
	// Its id, for GET /api/payments/{payment_id}/refunds/{refund_id}.
	RefundID string `json:"refund_id" example:"re_0199f2a0c1d27d3ea4b5c6d7e8f90128"`
	// The payment that it gives back, in part or as a whole.
	PaymentID string `json:"payment_id" example:"pay_0199f2a0c1d27d3ea4b5c6d7e8f90123"`
	taskHead
	// In the currency's smallest unit.
	Amount int64 `json:"amount" minimum:"1" example:"40"`
	// The payment's: ISO 4217.
	Currency string `json:"currency" example:"USD"`
	// `order_failed` is one that nobody has asked for: the order that was paid is not fulfilled.
	Reason *string `json:"reason" extensions:"x-nullable" example:"requested_by_customer"`
	// What the provider calls it, null until it is made.
	ProviderID *string `json:"provider_id" extensions:"x-nullable" example:"re_1Nispe2eZvKYlo2Cd31jOCgZ"`
	taskTail
}

func showRefund(r models.Refund) refund {
	return refund{
		RefundID: r.ID, PaymentID: r.PaymentID, taskHead: showHead(r.Task),
		Amount: r.Amount, Currency: r.Payment.Currency, Reason: nullable(r.Reason), ProviderID: nullable(r.ProviderID),
		taskTail: showTail(r.Task, r.CreatedAt, r.UpdatedAt),
	}
}

// @Summary     Refund a payment
// @Description All that is left of it, or `amount`. The refunds of a payment never exceed it. Answers at once; progress and outcome are POSTed to `callback_url`, with `refund_id`, and `payment_id` in the result. An order whose payment is refunded in full is unpaid again.
// @Description
// @Description A refund that fails says why in `error.code`: `already_refunded`, `refund_failed`, `provider_rejected`, or `provider_unavailable` when the provider's outage outlasted all attempts. Whether such a refund was made is unknown, so it stays counted in the payment's `refunded`.
// @ID          createRefund
// @Tags        payments
// @Param       payment_id path string        true "The payment's id"
// @Param       refund     body refundRequest false "What to give back, and whom to tell; without it, all, and nobody"
// @Success     202 {object} refund "Accepted: it is being processed"
// @Failure     409 {object} problem "The payment is not completed, or less than that is left of it"
// @x-callback  "refundUpdate"
// @Router      /api/payments/{payment_id}/refunds [post]
func (h refundHandlers) create(c *gin.Context) error {
	paymentID, err := pathID(c, "payment_id")
	if err != nil {
		return err
	}
	request, err := decodeOptional[refundRequest](c)
	task, taskErr := request.task(callbacks.KindRefund, h.policy)
	if err := invalid(request, err, taskErr); err != nil {
		return err
	}
	r := models.Refund{
		PaymentID: paymentID, Reason: request.Reason,
		Task: task,
	}
	if request.Amount != nil {
		r.Amount = *request.Amount
	}
	r, err = h.refunds.Refund(c.Request.Context(), r)
	if err != nil {
		return err
	}
	get := func(ctx context.Context, id string) (models.Refund, error) {
		return h.refunds.GetRefund(ctx, paymentID, id)
	}
	return respondAccepted(c, h.tasks, started(r.TaskID, "/api/payments/"+paymentID+"/refunds", r.ID, r, get, showRefund))
}

// @Summary     List the refunds of a payment
// @Description Newest first.
// @ID          listRefunds
// @Tags        payments
// @Param       payment_id path  string true  "The payment's id"
// @Param       status     query string false "Only with this status" Enums(processing, completed, failed, cancelled)
// @Success     200 {object} page[refund]
// @Router      /api/payments/{payment_id}/refunds [get]
func (h refundHandlers) list(c *gin.Context) error {
	paymentID, err := validID(c, "payment_id")
	if err != nil {
		return err
	}
	q := newQuery(c)
	filter := models.RefundFilter{Status: q.oneOf("status", taskStatuses...)}
	list := func(ctx context.Context, f models.RefundFilter, page models.Page) (models.List[models.Refund], error) {
		return h.refunds.ListRefunds(ctx, paymentID, f, page)
	}
	return servePage(c, q, list, filter, showRefund)
}

// @Summary     Get a refund
// @ID          getRefund
// @Tags        payments
// @Param       payment_id path string true "The payment's id"
// @Param       refund_id  path string true "The refund's id"
// @Success     200 {object} refund
// @Router      /api/payments/{payment_id}/refunds/{refund_id} [get]
func (h refundHandlers) get(c *gin.Context) error {
	paymentID, err := pathID(c, "payment_id")
	if err != nil {
		return err
	}
	return serveOne(c, "refund_id", func(ctx context.Context, id string) (models.Refund, error) {
		return h.refunds.GetRefund(ctx, paymentID, id)
	}, showRefund)
}
