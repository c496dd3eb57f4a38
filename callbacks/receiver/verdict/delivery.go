package verdict

import "petstore/callbacks"

// sequenceSource is the promise that an update's sequence makes.
const sequenceSource = "openapi.yaml#/components/schemas/Update/properties/sequence"

// deliveryName is what names a delivery, the same at every attempt.
type deliveryName struct {
	where  string // "webhook-id"
	value  string
	source string
}

// DeliveryID is what names the delivery that r is an attempt of: its webhook-id, its callback_id, or what the scheme
// that it is signed by has for that; "" if nothing does.
func (r *Request) DeliveryID() string {
	if id := deliveryID(r); id != nil {
		return id.value
	}
	return ""
}

// deliveryID finds the id of a delivery, where the scheme that the request is signed by keeps it. It returns nil if
// the request is of no such scheme and has no callback_id.
func deliveryID(r *Request) *deliveryName {
	switch {
	case r.header(callbacks.HeaderWebhookSignature) != "" || r.header(callbacks.HeaderWebhookID) != "":
		return &deliveryName{"webhook-id", r.header(callbacks.HeaderWebhookID), standardSource + "#webhook-headers-sending-metadata-to-consumers"}
	case r.header("X-Hub-Signature-256") != "" || r.header("X-GitHub-Delivery") != "":
		return &deliveryName{"X-GitHub-Delivery", r.header("X-GitHub-Delivery"), "https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers"}
	case r.header("X-Shopify-Hmac-SHA256") != "" || r.header("X-Shopify-Event-Id") != "":
		return &deliveryName{"X-Shopify-Event-Id", r.header("X-Shopify-Event-Id"), "https://shopify.dev/docs/apps/build/webhooks/ignore-duplicates"}
	case r.header("Stripe-Signature") != "":
		return &deliveryName{"id", text(r.body().ID), "https://docs.stripe.com/webhooks#handle-duplicate-events"}
	case r.header("X-Slack-Signature") != "":
		if id := text(r.body().EventID); id != "" { // Slash commands have none.
			return &deliveryName{"event_id", id, "https://docs.slack.dev/apis/events-api#event-type-structure"}
		}
		return nil
	case r.body().CallbackID != nil || r.header(callbacks.HeaderSignature) != "" || r.header(callbacks.HeaderAPISignature) != "":
		return &deliveryName{"callback_id", text(r.body().CallbackID), articleSource}
	}
	return nil
}

// EventType is what kind of event r tells of: the body's type, or what the sender has a header for; "" if neither is
// there.
func (r *Request) EventType() string {
	for _, name := range []string{"X-GitHub-Event", "X-Shopify-Topic"} {
		if value := r.header(name); value != "" {
			return value
		}
	}
	return text(r.body().Type)
}
