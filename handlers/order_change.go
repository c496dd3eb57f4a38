package handlers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"petstore/models"
)

// orderChange is what can be changed of an order that is processing.
type orderChange struct {
	Metadata    map[string]string `json:"metadata,omitempty"`
	CallbackURL string            `json:"callback_url,omitempty" format:"uri" maxLength:"2048" example:"http://127.0.0.1:9090/callbacks/order-status"`
}

// @Summary     Replace whom an order tells, and with which metadata
// @Description Only while it is processing. What was ordered does not change.
// @ID          replaceOrder
// @Tags        orders
// @Accept      json
// @Produce     json
// @Param       order_id path string      true "Its id"
// @Param       order    body orderChange true "What to replace"
// @Success     200 {object} order
// @Failure     400 {object} problem
// @Failure     403 {object} problem "The page's origin is not allowed"
// @Failure     404 {object} problem
// @Failure     409 {object} problem "The order has ended"
// @Failure     413 {object} problem
// @Failure     415 {object} problem
// @Failure     422 {object} problem
// @Router      /api/orders/{order_id} [put]
func (h orderHandlers) replace(c *gin.Context) error {
	request, err := decode[orderChange](c)
	if err != nil {
		return err
	}
	return h.change(c, func(orderChange) (orderChange, error) { return request, nil })
}

// @Summary     Change whom an order tells, or its metadata
// @Description A JSON merge patch (RFC 7396). Only while the order is processing.
// @ID          patchOrder
// @Tags        orders
// @Accept      json
// @Accept      application/merge-patch+json
// @Produce     json
// @Param       order_id path string      true "Its id"
// @Param       patch    body orderChange true "What to change"
// @Success     200 {object} order
// @Failure     400 {object} problem
// @Failure     403 {object} problem "The page's origin is not allowed"
// @Failure     404 {object} problem
// @Failure     409 {object} problem "The order has ended"
// @Failure     413 {object} problem
// @Failure     415 {object} problem
// @Failure     422 {object} problem
// @Router      /api/orders/{order_id} [patch]
func (h orderHandlers) patch(c *gin.Context) error {
	patch, err := readPatch[orderChange](c)
	if err != nil {
		return err
	}
	return h.change(c, func(now orderChange) (orderChange, error) { return mergePatch(patch, now) })
}

func (h orderHandlers) change(c *gin.Context, edit func(orderChange) (orderChange, error)) error {
	id, err := pathID(c, "order_id")
	if err != nil {
		return err
	}
	o, err := h.orders.Change(c.Request.Context(), id, func(task *models.Task) error {
		to, err := edit(orderChange{Metadata: task.Metadata, CallbackURL: task.CallbackURL})
		if err != nil {
			return err
		}
		return changeTold(task, to.CallbackURL, to.Metadata, h.production)
	})
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, showOrder(o))
}
