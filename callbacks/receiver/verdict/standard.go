package verdict

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"petstore/callbacks"
)

// standardClaim reads the three headers of Standard Webhooks, and of the signatures those of one version, such as
// "v1,", of so many bytes.
func standardClaim(version string, size int) func(*Request) (claim, error) {
	return func(r *Request) (claim, error) {
		id, timestamp := r.header(callbacks.HeaderWebhookID), r.header(callbacks.HeaderWebhookTimestamp)
		switch "" {
		case id:
			return claim{}, errors.New("comes without webhook-id, which is signed, too")
		case timestamp:
			return claim{}, errors.New("comes without webhook-timestamp, which is signed, too")
		}
		c := claim{timestamp: timestamp, prefix: id + "." + timestamp + "."}
		for item := range strings.FieldsSeq(r.header(callbacks.HeaderWebhookSignature)) {
			encoded, ours := strings.CutPrefix(item, version)
			if !ours {
				continue
			}
			signature, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil || len(signature) != size {
				return claim{}, fmt.Errorf("has a %s signature that is not %d bytes in base64", strings.TrimSuffix(version, ","), size)
			}
			c.signatures = append(c.signatures, signature)
		}
		switch n := len(c.signatures); {
		case n == 0:
			return claim{}, fmt.Errorf("has no signature that begins with %q", version)
		case n > maxSignatures:
			return claim{}, errTooMany
		}
		return c, nil
	}
}

// hasVersion reports whether there is a signature of the version among those of Standard Webhooks.
func hasVersion(r *Request, version string) bool {
	for item := range strings.FieldsSeq(r.header(callbacks.HeaderWebhookSignature)) {
		if strings.HasPrefix(item, version) {
			return true
		}
	}
	return false
}

const (
	symmetricPrefix = "whsec_"
	publicPrefix    = "whpk_"
)

// What a key function has against a secret; the end of the sentence "The secret of this inbox …".
var (
	errSymmetricKey = errors.New(`is not base64 after "whsec_"`)
	errPublicKey    = errors.New(`is an ed25519 public key, with which only v1a signatures can be checked`)
	errNoPublicKey  = errors.New(`is no ed25519 public key ("whpk_" and 32 bytes in base64), which v1a signatures need`)
)

// standardKey is the key that a secret means to Standard Webhooks: what follows "whsec_", base64-decoded; any other
// secret as it is.
func standardKey(secret string) ([]byte, error) {
	encoded, isEncoded := strings.CutPrefix(secret, symmetricPrefix)
	if !isEncoded {
		return plainKey(secret)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 {
		return nil, errSymmetricKey
	}
	return key, nil
}

// publicKey reads "whpk_" and the 32 bytes of an ed25519 public key in base64.
func publicKey(secret string) ([]byte, error) {
	encoded, found := strings.CutPrefix(secret, publicPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil || len(key) != ed25519.PublicKeySize {
		return nil, errNoPublicKey
	}
	return key, nil
}

// plainKey is the secret's own bytes, as most senders use it, whatever it begins with.
func plainKey(secret string) ([]byte, error) {
	if strings.HasPrefix(secret, publicPrefix) {
		return nil, errPublicKey
	}
	return []byte(secret), nil
}

func ed25519Fits(key, content, signature []byte) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, content, signature)
}
