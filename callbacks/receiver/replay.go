package receiver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"petstore/callbacks"
)

// replayRequest asks that a captured request be sent again.
type replayRequest struct {
	// URL is where to; without, to the inbox's forward_to.
	URL string `json:"url"`
	// Sign has it signed anew, with Secret or else that of the inbox. Without, it goes byte for byte.
	Sign   bool   `json:"sign"`
	Secret string `json:"secret"`
}

func (rc *Receiver) replay(w http.ResponseWriter, r *http.Request) error {
	k, found, err := rc.find(r)
	if err != nil {
		return err
	}
	var asked replayRequest
	if err := decode(w, r, &asked); err != nil {
		return err
	}
	to, err := rc.replayTarget(asked, found.Inbox)
	if err != nil {
		return err
	}
	out := passOn(found, to)
	if asked.Sign {
		secret := rc.secretFor(asked, found.Inbox)
		if callbacks.CheckSecret(secret) != nil {
			return invalid(FieldError{"secret", "is needed to sign: the inbox has none; after whsec_ it must be base64"})
		}
		out.headers = signAnew(out.headers, found.DeliveryID, out.body, secret)
	}
	select {
	case rc.forwarding.exchanges <- struct{}{}:
		defer func() { <-rc.forwarding.exchanges }()
	default:
		return errOverloaded
	}
	e, _ := rc.send(r.Context(), "replay", out, "")
	rc.note(k, e)
	return respond(w, http.StatusOK, e.summary(true))
}

func (rc *Receiver) replayTarget(asked replayRequest, inbox string) (*url.URL, error) {
	if asked.URL == "" {
		if setup := rc.store.setupOf(inbox); setup != nil && setup.forwardTo != nil {
			return setup.forwardTo, nil
		}
		return nil, invalid(FieldError{"url", "is needed: the inbox has no forward_to"})
	}
	to, err := rc.targets.parse(asked.URL)
	if err != nil {
		return nil, invalid(FieldError{"url", err.Error()})
	}
	return to, nil
}

func (rc *Receiver) secretFor(asked replayRequest, inbox string) string {
	if asked.Secret != "" {
		return asked.Secret
	}
	if inbox == DefaultInbox {
		return rc.options.Secret
	}
	if setup := rc.store.setupOf(inbox); setup != nil {
		return setup.Secret
	}
	return ""
}

// signatureHeaders are those that carry signatures, in the schemes that are known.
var signatureHeaders = []string{
	callbacks.HeaderSignature, callbacks.HeaderAPISignature, callbacks.HeaderWebhookSignature,
	"X-Hub-Signature-256", "X-Hub-Signature", "Stripe-Signature", "X-Slack-Signature", "X-Shopify-Hmac-Sha256",
}

// signAnew replaces the headers of the article's scheme and of Standard Webhooks by ones made now; what isn't there is
// added.
func signAnew(headers []Header, id string, body []byte, secret string) []Header {
	fresh := http.Header{}
	callbacks.SignWebhookWith(secret)(fresh, id, time.Now(), body)
	headers = slices.Clone(headers)
	for i := range headers {
		name := http.CanonicalHeaderKey(headers[i].Name)
		if value := fresh.Get(name); value != "" {
			headers[i].Value = value
			fresh.Del(name)
		}
	}
	fresh.Del(callbacks.HeaderAPISignature) // Only webhooks have it.
	return append(headers, headersOf(fresh)...)
}

// corrupt changes one character of each signature.
func corrupt(headers []Header) {
	for i, h := range headers {
		isSignature := slices.ContainsFunc(signatureHeaders, func(name string) bool { return strings.EqualFold(name, h.Name) })
		if at := strings.LastIndexFunc(h.Value, isAlphanumeric); isSignature && at >= 0 {
			other := byte('0')
			if h.Value[at] == other {
				other = '1'
			}
			headers[i].Value = h.Value[:at] + string(other) + h.Value[at+1:]
		}
	}
}

func isAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}
