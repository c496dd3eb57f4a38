package verdict

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"petstore/callbacks"
)

// ErrSign means that the secret, or what came, is of no use to sign anew.
var ErrSign = errors.New("cannot be signed anew")

// macOf is the HMAC of what a scheme puts before the body, and the body.
type macOf func(prefix string) []byte

// Sign returns the headers of r with its signatures made anew, at a time: by the scheme of that name, or with "", by those that it
// is signed with, or the article's if there are none. Order and spelling of the headers are kept. It returns [ErrSign]
// for an ed25519 signature, which only the sender can make, and for Standard Webhooks without a webhook-id.
func Sign(r Request, name, secret string, at time.Time) ([]Header, error) {
	rules := Rules{secret: secret, scheme: name}
	signed := rules.schemesOf(&r)
	if len(signed) == 0 {
		signed = []*scheme{firstOf(name)}
	}
	r.Headers = slices.Clone(r.Headers)
	for _, s := range signed {
		key, err := s.key(secret)
		switch {
		case s.write == nil || err != nil || secret == "":
			return nil, fmt.Errorf("%w: %s needs a secret", ErrSign, s.title)
		case s.name == SchemeStandard && r.header(callbacks.HeaderWebhookID) == "":
			return nil, fmt.Errorf("%w: %s needs a webhook-id", ErrSign, s.title)
		}
		s.write(&r, func(prefix string) []byte {
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(prefix))
			mac.Write(r.Body)
			return mac.Sum(nil)
		}, strconv.FormatInt(at.Unix(), 10))
	}
	return r.Headers, nil
}

// set gives a header this value, in its place if it is there.
func (r *Request) set(name, value string) {
	same := func(h Header) bool { return strings.EqualFold(h.Name, name) }
	i := slices.IndexFunc(r.Headers, same)
	if i < 0 {
		r.Headers = append(r.Headers, Header{name, value})
		return
	}
	r.Headers[i].Value = value
	r.Headers = append(r.Headers[:i+1], slices.DeleteFunc(r.Headers[i+1:], same)...)
}

func writeStandard(r *Request, mac macOf, at string) {
	r.set(callbacks.HeaderWebhookTimestamp, at)
	signature := mac(r.header(callbacks.HeaderWebhookID) + "." + at + ".")
	r.set(callbacks.HeaderWebhookSignature, "v1,"+base64Digits.encode(signature))
}

func writeStripe(r *Request, mac macOf, at string) {
	r.set("Stripe-Signature", "t="+at+",v1="+hexDigits.encode(mac(at+".")))
}

func writeSlack(r *Request, mac macOf, at string) {
	r.set("X-Slack-Request-Timestamp", at)
	r.set("X-Slack-Signature", "v0="+hexDigits.encode(mac("v0:"+at+":")))
}
