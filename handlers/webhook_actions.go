package handlers

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"petstore/models"
)

// What can be done with a webhook, beside looking after it.

// replayRequest says how far back to go.
type replayRequest struct {
	// Updates that happened at this time or later.
	Since string `json:"since" validate:"required,max=40" format:"date-time" example:"2026-01-02T03:04:05Z"`
}

// replayed says how many updates are sent.
type replayed struct {
	// If it is 1000, there may be more: ask again when these have been delivered.
	Count int `json:"count" minimum:"0" maximum:"1000" example:"3"`
}

// @Summary     Give a webhook a new secret
// @Description For 24 hours the secrets before it go on signing beside it, so that a receiver can change over in its own time: `webhook-signature` has a signature by each, newest first. `X-API-Signature` and `X-Callback-Signature` have room for one, and are made with the new secret at once.
// @ID          rotateWebhook
// @Tags        webhooks
// @Param       webhook_id path string true "Its id"
// @Success     200 {object} webhookWithSecret "The webhook, with its new secret"
// @Failure     409 {object} problem "Rotated too often in the last 24 hours"
// @Router      /api/webhooks/{webhook_id}/rotate [post]
func (h webhookHandlers) rotate(c *gin.Context) error {
	id, err := pathID(c, "webhook_id")
	if err != nil {
		return err
	}
	w, err := h.webhooks.Rotate(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return respondSecret(c, http.StatusOK, w)
}

// @Summary     Send a webhook a ping
// @Description A real delivery, of the type `webhook.ping`. The answer is the delivery; look it up to see what came of it.
// @ID          pingWebhook
// @Tags        webhooks
// @Param       webhook_id path string true "Its id"
// @Success     202 {object} delivery "Accepted: the ping is sent"
// @Header      202 {string} Location "Where the delivery is"
// @Failure     409 {object} problem "The webhook is disabled"
// @Router      /api/webhooks/{webhook_id}/ping [post]
func (h webhookHandlers) ping(c *gin.Context) error {
	id, err := pathID(c, "webhook_id")
	if err != nil {
		return err
	}
	d, err := h.webhooks.Ping(c.Request.Context(), id)
	if err != nil {
		return err
	}
	c.Header("Location", withPrefix(c, "/api/callbacks/"+d.ID))
	return respond(c, http.StatusAccepted, showDelivery(d))
}

// @Summary     Send a webhook what it has missed
// @Description The updates since then that its events match and that it has not accepted, oldest first, up to 1,000 at a time: also progress that was overtaken, and what happened while it was disabled.
// @ID          replayWebhook
// @Tags        webhooks
// @Param       webhook_id path string        true "Its id"
// @Param       since      body replayRequest true "Since when"
// @Success     202 {object} replayed "Accepted: they are sent"
// @Failure     409 {object} problem "The webhook is disabled"
// @Router      /api/webhooks/{webhook_id}/replay [post]
func (h webhookHandlers) replay(c *gin.Context) error {
	id, err := pathID(c, "webhook_id")
	if err != nil {
		return err
	}
	request, err := decode[replayRequest](c)
	if err != nil {
		return err
	}
	since, err := time.Parse(time.RFC3339, request.Since)
	if err != nil || since.After(time.Now()) {
		return models.Invalid("since", "must be a time that has passed, such as 2026-01-02T03:04:05Z (RFC 3339)")
	}
	count, err := h.webhooks.Replay(c.Request.Context(), id, since.UTC())
	if err != nil {
		return err
	}
	return respond(c, http.StatusAccepted, replayed{Count: count})
}

// webhookEvent and webhookPing describe what is sent: docs/gen moves them to the contract's webhooks.
//
// @Summary     An update that a webhook has asked for
// @Description The server POSTs it to the URL of each webhook whose events match its type: at least once, in the order of its task, signed with the webhook's own secret. Any 2xx answer says that it was received; 410 disables the webhook.
// @ID          webhookEvent
// @Tags        webhooks
// @Param       update body callbacks.Update true "The update"
// @Failure     410 "Gone: the webhook is disabled"
// @Router      /callbacks-sent/webhook-event [post]
func webhookEvent() {} //nolint:unused // read by the contract's generator

// @Summary     A ping of a webhook
// @Description Sent on request, to see whether deliveries arrive. It tells of a task of the kind `webhook` that has ended when it begins.
// @ID          webhookPing
// @Tags        webhooks
// @Param       update body callbacks.Update true "The ping, of the type `webhook.ping`"
// @Failure     410 "Gone: the webhook is disabled"
// @Router      /callbacks-sent/webhook-ping [post]
func webhookPing() {} //nolint:unused // read by the contract's generator
