package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"petstore/callbacks"
	"petstore/models"
)

type webhooks interface {
	Create(ctx context.Context, n models.NewWebhook) (models.Webhook, error)
	Get(ctx context.Context, id string) (models.Webhook, error)
	List(ctx context.Context, enabled *bool, page models.Page) (models.List[models.Webhook], error)
	Change(ctx context.Context, id string, edit func(now models.NewWebhook) (models.NewWebhook, error)) (models.Webhook, error)
	Delete(ctx context.Context, id string) error
	Rotate(ctx context.Context, id string) (models.Webhook, error)
	Ping(ctx context.Context, id string) (models.Delivery, error)
	Replay(ctx context.Context, id string, since time.Time) (int, error)
}

type webhookHandlers struct {
	webhooks webhooks
	policy   callbacks.Policy
}

// Webhooks are the routes of registered webhooks.
func Webhooks(s webhooks) Resource {
	return func(a *API) {
		h, g := webhookHandlers{webhooks: s, policy: a.cfg.Policy}, a.group("/api/webhooks").tagged("webhook_id", tagOf(s.Get, showWebhook))
		g.get("", h.list)
		g.post("", h.create)
		g.get("/:webhook_id", h.get)
		g.put("/:webhook_id", h.replace)
		g.patch("/:webhook_id", h.patch)
		g.delete("/:webhook_id", h.delete)
		g.post("/:webhook_id/rotate", h.rotate)
		g.post("/:webhook_id/ping", h.ping)
		g.post("/:webhook_id/replay", h.replay)
	}
}

// webhookRequest registers a URL for events.
type webhookRequest struct {
	// Where events are POSTed to.
	URL string `json:"url" validate:"required" format:"uri" maxLength:"2048" example:"http://127.0.0.1:9090/callbacks/webhook"`
	// Types of updates, or wildcards: `order.completed`, `order.*`, `*`.
	Events []string `json:"events" validate:"required,min=1,max=20,unique,dive,required,max=100" example:"order.completed,order.failed"`
	// What it is for, for people.
	Description string `json:"description,omitempty" validate:"max=500" example:"The warehouse"`
	// Whether anything is sent. Enabling a webhook that was disabled forgets why.
	Enabled *bool `json:"enabled,omitempty" default:"true" example:"true"`
}

// webhook is a webhook as the API shows it: without its secret.
type webhook struct {
	// Its id, for GET /api/webhooks/{webhook_id}.
	WebhookID string `json:"webhook_id" example:"whk_0199f2a0c1d27d3ea4b5c6d7e8f90128"`
	// Where events are POSTed to.
	URL string `json:"url" example:"http://127.0.0.1:9090/callbacks/webhook"`
	// Types of updates, or wildcards: `order.completed`, `order.*`, `*`.
	Events []string `json:"events" example:"order.completed,order.failed"`
	// What the request gave, for people.
	Description string `json:"description" example:"The warehouse"`
	// Whether anything is sent.
	Enabled bool `json:"enabled" example:"true"`
	// Why it is disabled, null if it is not.
	DisabledReason *string `json:"disabled_reason" extensions:"x-nullable" example:"The receiver answered 410 Gone."`
	// When it was disabled, null if it is not: RFC 3339, in UTC.
	DisabledAt *time.Time `json:"disabled_at" format:"date-time" extensions:"x-nullable"`
	// When the first attempt failed since one succeeded, null if the latest succeeded. After five days of nothing but
	// failures the webhook is disabled.
	FailingSince *time.Time `json:"failing_since" format:"date-time" extensions:"x-nullable"`
	// Until when the secrets before the latest rotation sign too, null if there are none.
	OldSecretsUntil *time.Time `json:"old_secrets_until" format:"date-time" extensions:"x-nullable"`
	// When it was registered: RFC 3339, in UTC.
	CreatedAt time.Time `json:"created_at" format:"date-time"`
	// When it was last changed, or its secret: RFC 3339, in UTC.
	UpdatedAt time.Time `json:"updated_at" format:"date-time"`
}

// webhookWithSecret is the answer that shows a secret, once.
type webhookWithSecret struct {
	webhook
	// What its deliveries are signed with. It is not shown again.
	Secret string `json:"secret" example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
}

func showWebhook(w models.Webhook) webhook {
	shown := webhook{
		WebhookID: w.ID, URL: w.URL, Events: w.Events, Description: w.Description, Enabled: w.Enabled(),
		DisabledReason: nullable(w.DisabledReason), DisabledAt: w.DisabledAt, FailingSince: w.FailingSince,
		CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt,
	}
	if len(w.Secrets) > 1 && time.Now().Before(*w.Secrets[1].Until) {
		shown.OldSecretsUntil = w.Secrets[1].Until // the newest of them signs longest
	}
	return shown
}

func showSecret(w models.Webhook) webhookWithSecret {
	return webhookWithSecret{webhook: showWebhook(w), Secret: w.Secrets[0].Secret}
}

// toModel is what a request asks a webhook to be, if nothing is wrong with it; decoded is what decoding it has found.
func (h webhookHandlers) toModel(r webhookRequest, decoded error) (models.NewWebhook, error) {
	return models.NewWebhook{
		URL: r.URL, Events: r.Events, Description: r.Description, Enabled: r.Enabled == nil || *r.Enabled,
	}, invalid(r, decoded, h.check(r))
}

func (h webhookHandlers) check(r webhookRequest) error {
	if err := callbacks.CheckURL(r.URL, h.policy); err != nil {
		return models.Invalid("url", "%s", err)
	}
	return nil
}

// @Summary     Register a webhook
// @Description From now on it is sent every update that its events match, whoever began the task. Keep the secret: it is not shown again.
// @ID          createWebhook
// @Tags        webhooks
// @Param       webhook body webhookRequest true "Where to, and which events"
// @Success     201 {object} webhookWithSecret "Registered"
// @Header      201 {string} Location "Where the webhook is"
// @Failure     409 {object} problem "There are 100 webhooks already"
// @Router      /api/webhooks [post]
func (h webhookHandlers) create(c *gin.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	request, err := decode[webhookRequest](c)
	wanted, err := h.toModel(request, err)
	if err != nil {
		return err
	}
	w, err := h.webhooks.Create(c.Request.Context(), wanted)
	if err != nil {
		return err
	}
	c.Header("Location", withPrefix(c, "/api/webhooks/"+w.ID))
	return respondSecret(c, http.StatusCreated, w)
}

// respondSecret answers with a secret, which nobody on the way may keep.
func respondSecret(c *gin.Context, status int, w models.Webhook) error {
	c.Header("Cache-Control", "no-store")
	return respond(c, status, showSecret(w))
}

// @Summary     List webhooks
// @Description Newest first.
// @ID          listWebhooks
// @Tags        webhooks
// @Param       enabled query boolean false "Only those that are enabled, or that are not"
// @Success     200 {object} page[webhook]
// @Router      /api/webhooks [get]
func (h webhookHandlers) list(c *gin.Context) error {
	q := newQuery(c)
	enabled := q.flag("enabled")
	return servePage(c, q, h.webhooks.List, enabled, showWebhook)
}

// @Summary     Get a webhook
// @ID          getWebhook
// @Tags        webhooks
// @Param       webhook_id path string true "Its id"
// @Success     200 {object} webhook
// @Router      /api/webhooks/{webhook_id} [get]
func (h webhookHandlers) get(c *gin.Context) error {
	return serveOne(c, "webhook_id", h.webhooks.Get, showWebhook)
}

// @Summary     Replace a webhook
// @Description All but its secret. What waits to be sent goes to the new URL.
// @ID          replaceWebhook
// @Tags        webhooks
// @Param       webhook_id path string         true "Its id"
// @Param       webhook    body webhookRequest true "What it is to be"
// @Success     200 {object} webhook
// @Router      /api/webhooks/{webhook_id} [put]
func (h webhookHandlers) replace(c *gin.Context) error {
	return h.change(c)
}

// @Summary     Change a webhook
// @Description A JSON merge patch (RFC 7396). `{"enabled": true}` enables one that was disabled, and clears the reason.
// @ID          patchWebhook
// @Tags        webhooks
// @Accept      json
// @Accept      application/merge-patch+json
// @Param       webhook_id path string         true "Its id"
// @Param       patch      body webhookRequest true "What to change"
// @Success     200 {object} webhook
// @Router      /api/webhooks/{webhook_id} [patch]
func (h webhookHandlers) patch(c *gin.Context) error {
	return h.change(c)
}

func (h webhookHandlers) change(c *gin.Context) error {
	edit, err := readEdit(c, h.check)
	if err != nil {
		return err
	}
	return serveOne(c, "webhook_id", func(ctx context.Context, id string) (models.Webhook, error) {
		return h.webhooks.Change(ctx, id, func(now models.NewWebhook) (models.NewWebhook, error) {
			to, err := edit(webhookRequest{URL: now.URL, Events: now.Events, Description: now.Description, Enabled: &now.Enabled})
			return h.toModel(to, err)
		})
	}, showWebhook)
}

// @Summary     Remove a webhook
// @Description What waits to be sent to it is given up: those deliveries are `gone`. Its history can still be looked up.
// @ID          deleteWebhook
// @Tags        webhooks
// @Param       webhook_id path string true "Its id"
// @Success     204
// @Router      /api/webhooks/{webhook_id} [delete]
func (h webhookHandlers) delete(c *gin.Context) error {
	return serveDelete(c, "webhook_id", h.webhooks.Delete)
}
