package callbacks

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// DevelopmentSecret is the default CALLBACK_SECRET of server and sample receiver, so that they understand each
// other with nothing set. It is public: the server refuses it in production.
const DevelopmentSecret = "whsec_cGV0c3RvcmUtZGV2ZWxvcG1lbnQtc2VjcmV0" //nolint:gosec // it is no secret

// The headers that carry the signatures. HTTP header names have no case: on the wire they may read Webhook-Id.
const (
	// HeaderSignature is the article's: "sha256=" and the hex HMAC-SHA256 of the body.
	HeaderSignature = "X-Callback-Signature"
	// HeaderAPISignature carries the same value to registered webhooks; the article's second snippet reads it.
	HeaderAPISignature = "X-Api-Signature"
	// The three of Standard Webhooks, "Webhook headers".
	HeaderWebhookID        = "Webhook-Id"
	HeaderWebhookTimestamp = "Webhook-Timestamp"
	HeaderWebhookSignature = "Webhook-Signature"
)

const (
	bodyPrefix           = "sha256="
	standardPrefix       = "v1,"
	standardSecretPrefix = "whsec_"
)

// ErrSecret means that a secret is empty, or begins with "whsec_" and isn't base64 after it, as every library of Standard
// Webhooks reads it: padded, on one line.
var ErrSecret = errors.New("callbacks: the secret cannot be used")

// CheckSecret returns [ErrSecret] if secret can't sign. Call it where configuration is read.
func CheckSecret(secret string) error {
	_, err := standardKey(secret)
	return err
}

// NewSecret makes a secret for Standard Webhooks: "whsec_" and 32 random bytes in base64.
func NewSecret() string {
	key := make([]byte, 32)
	rand.Read(key) // never fails (crypto/rand)
	return standardSecretPrefix + base64.StdEncoding.EncodeToString(key)
}

// Sign sets the signature headers of a callback: id is its callback_id, at the time of this attempt, body the bytes
// that will be sent.
//
// While a secret is being rotated, give the new one first and the old one after it. Standard Webhooks has room for
// a signature by each; X-Callback-Signature holds one and is made with the first. Secrets that [CheckSecret]
// refuses are passed over; with no other, no signature is set.
func Sign(h http.Header, id string, at time.Time, body []byte, secrets ...string) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	h[HeaderWebhookID] = []string{id}
	h[HeaderWebhookTimestamp] = []string{timestamp}
	delete(h, HeaderSignature)
	var standard []string
	for _, secret := range secrets {
		key, err := standardKey(secret)
		if err != nil {
			continue
		}
		if len(standard) == 0 {
			h[HeaderSignature] = []string{bodySignature(secret, body)}
		}
		standard = append(standard, standardSignature(key, id, timestamp, body))
	}
	delete(h, HeaderWebhookSignature)
	if len(standard) > 0 {
		h[HeaderWebhookSignature] = []string{strings.Join(standard, " ")}
	}
}

// Signer sets the headers by which a receiver tells that a callback is genuine, for one attempt; see [Sign].
type Signer func(h http.Header, id string, at time.Time, body []byte)

// SignWith returns the Signer of callbacks to a client's callback URL.
func SignWith(secrets ...string) Signer {
	return func(h http.Header, id string, at time.Time, body []byte) { Sign(h, id, at, body, secrets...) }
}

// SignWebhookWith returns the Signer of registered webhooks: X-API-Signature has the value of X-Callback-Signature.
func SignWebhookWith(secrets ...string) Signer {
	return func(h http.Header, id string, at time.Time, body []byte) {
		Sign(h, id, at, body, secrets...)
		if signature, signed := h[HeaderSignature]; signed {
			h[HeaderAPISignature] = signature
		}
	}
}

// bodySignature is "sha256=" and the hex HMAC-SHA256 of the body. The key is the secret as it is, "whsec_"
// included, because that is what the article's crypto.createHmac('sha256', process.env.CALLBACK_SECRET) does.
func bodySignature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return bodyPrefix + hex.EncodeToString(mac.Sum(nil))
}

// standardSignature is Standard Webhooks' v1: the base64 HMAC-SHA256 of "{id}.{timestamp}.{body}".
func standardSignature(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return standardPrefix + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// standardKey is the key that a secret means to Standard Webhooks: what follows "whsec_", base64-decoded; any other
// secret as it is.
func standardKey(secret string) ([]byte, error) {
	encoded, isEncoded := strings.CutPrefix(secret, standardSecretPrefix)
	if !isEncoded {
		if secret == "" {
			return nil, ErrSecret
		}
		return []byte(secret), nil
	}
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(key) == 0 || strings.ContainsAny(encoded, "\r\n") { // Go reads over line ends; others throw
		return nil, ErrSecret
	}
	return key, nil
}
