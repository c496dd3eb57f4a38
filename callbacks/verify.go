package callbacks

import (
	"crypto/hmac"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Tolerance is how far webhook-timestamp may lie from now, before or after (Standard Webhooks, "Verifying
// webhook authenticity").
const Tolerance = 5 * time.Minute

// What [Verify] finds wrong. Answer each with 401; don't tell the caller which it was.
var (
	// ErrUnsigned means that there is no signature, or a header that belongs to it is missing or malformed.
	ErrUnsigned = errors.New("callbacks: no signature")
	// ErrSignature means that no signature fits the body and the secret.
	ErrSignature = errors.New("callbacks: signature does not match")
	// ErrTimestamp means that the signature is right but was made more than [Tolerance] from now.
	ErrTimestamp = errors.New("callbacks: signature is too old or from the future")
)

// Verify returns nil if body was signed with secret within [Tolerance] of now, by Standard Webhooks. body is the raw
// bytes of the request, before any decoding. Of several signatures, separated by spaces, one v1 signature has to match.
//
// X-Callback-Signature alone is not enough: it has no time, so who has seen a callback could strip the other headers and
// send it again at any later time. [VerifyEither] takes it.
func Verify(h http.Header, body []byte, secret string, now time.Time) error {
	key, err := standardKey(secret)
	if err != nil {
		return err
	}
	id, timestamp, signatures := h.Get(HeaderWebhookID), h.Get(HeaderWebhookTimestamp), h.Get(HeaderWebhookSignature)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" || signatures == "" {
		return ErrUnsigned
	}
	want := standardSignature(key, id, timestamp, body)
	if !anyEqual(signatures, want) {
		return ErrSignature
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return ErrTimestamp
	}
	return nil
}

// VerifyEither is [Verify] where there is a webhook-signature header, and [VerifyBody] where there is none: for
// senders that sign as the article does and no more. A callback that was recorded passes at any later time, so what it
// asks for has to be done once for each callback_id, for ever.
func VerifyEither(h http.Header, body []byte, secret string, now time.Time) error {
	if h.Get(HeaderWebhookSignature) != "" {
		return Verify(h, body, secret, now)
	}
	return VerifyBody(h, body, secret)
}

// VerifyBody checks X-Callback-Signature, or X-API-Signature where the former is missing, as the article does,
// but in constant time. It proves the body and says nothing of when it was sent.
func VerifyBody(h http.Header, body []byte, secret string) error {
	if err := CheckSecret(secret); err != nil {
		return err
	}
	signature := h.Get(HeaderSignature)
	if signature == "" {
		signature = h.Get(HeaderAPISignature)
	}
	if !strings.HasPrefix(signature, bodyPrefix) {
		return ErrUnsigned
	}
	if !hmac.Equal([]byte(signature), []byte(bodySignature(secret, body))) {
		return ErrSignature
	}
	return nil
}

// anyEqual compares each of a space-separated list with want, in constant time each.
func anyEqual(list, want string) bool {
	equal := false
	for signature := range strings.SplitSeq(list, " ") {
		if hmac.Equal([]byte(signature), []byte(want)) {
			equal = true
		}
	}
	return equal
}
