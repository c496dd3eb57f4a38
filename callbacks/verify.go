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

// Verify returns nil if body was signed with secret: by Standard Webhooks when there is a webhook-signature
// header, else by the article's. body is the raw bytes of the request, before any decoding.
//
// Who can alter a request can strip the webhook headers, and a captured callback then passes at any later time.
// A receiver that deduplicates by callback_id is safe from that for as long as it remembers; one that does not
// should call [VerifyStandard].
func Verify(h http.Header, body []byte, secret string, now time.Time) error {
	if h.Get(HeaderWebhookSignature) != "" {
		return VerifyStandard(h, body, secret, now)
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

// VerifyStandard checks Standard Webhooks' three headers. Of several signatures, separated by spaces, one v1
// signature has to match.
func VerifyStandard(h http.Header, body []byte, secret string, now time.Time) error {
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
