package receiver

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/receiver/verdict"
)

// replayRequest asks that a captured request be sent again.
type replayRequest struct {
	// URL is where to; without, to the inbox's forward_to.
	URL string `json:"url"`
	// Sign has it signed anew, with Secret or else that of the inbox. Without, it goes byte for byte.
	Sign   bool   `json:"sign"`
	Secret string `json:"secret"`
	// Scheme is by which; "" is those that it is signed with.
	Scheme string `json:"scheme"`
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
		if out.headers, err = rc.signAnew(found, out.headers, asked); err != nil {
			return err
		}
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

// signAnew returns the headers with signatures made now.
func (rc *Receiver) signAnew(found *Request, headers []Header, asked replayRequest) ([]Header, error) {
	secret, scheme := asked.Secret, asked.Scheme
	if setup := rc.store.setupOf(found.Inbox); setup != nil {
		secret, scheme = cmp.Or(secret, setup.Secret), cmp.Or(scheme, setup.Scheme)
	}
	if !oneOf(scheme, verdict.Schemes()...) {
		return nil, invalid(FieldError{"scheme", "must be one of " + strings.Join(verdict.Schemes(), ", ")})
	}
	going := *found
	going.Headers = headers
	signed, err := verdict.Sign(going.judged(), scheme, secret, time.Now())
	if err != nil {
		return nil, invalid(FieldError{"sign", err.Error()})
	}
	return signed, nil
}

// signatureHeaders are those that carry signatures, in the schemes that are known.
var signatureHeaders = []string{
	callbacks.HeaderSignature, callbacks.HeaderAPISignature, callbacks.HeaderWebhookSignature,
	"X-Hub-Signature-256", "X-Hub-Signature", "Stripe-Signature", "X-Slack-Signature", "X-Shopify-Hmac-Sha256",
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
