package callbacks

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestNewSecret(t *testing.T) {
	a, b := NewSecret(), NewSecret()
	key, err := standardKey(a)
	if err != nil || len(key) != 32 {
		t.Errorf("%q is a key of %d bytes, %v", a, len(key), err)
	}
	if a == b {
		t.Error("two secrets are the same")
	}
}

// TestSecretsOfOthers (faults 7, another instance): a secret that a library of Standard Webhooks would refuse, or read as
// another key, is refused here, too; and those that we make have the length that its specification wants.
func TestSecretsOfOthers(t *testing.T) {
	const key = "cGV0c3RvcmUtZGV2ZWxvcG1lbnQtc2VjcmV0LTE="
	for secret, want := range map[string]error{
		"whsec_" + key:                                 nil,
		"whsec_" + key + "\n":                          ErrSecret, // read from a file
		"whsec_" + key[:20] + "\r\n" + key[20:]:        ErrSecret, // copied from a mail
		"whsec_" + strings.TrimRight(key, "="):         ErrSecret,
		"whsec_" + strings.Replace(key, "TE", "TF", 1): ErrSecret, // bits that no key has
		"whsec_c-_d":                                   ErrSecret, // the alphabet of URLs
		"whsec_ " + key:                                ErrSecret,
		"whsec_":                                       ErrSecret,
	} {
		if got := CheckSecret(secret); !errors.Is(got, want) {
			t.Errorf("%q: %v, want %v", secret, got, want)
		}
	}
	for _, secret := range []string{DevelopmentSecret, NewSecret()} {
		if key, err := standardKey(secret); err != nil || len(key) < 24 || len(key) > 64 {
			t.Errorf("%q is a key of %d bytes, %v", secret, len(key), err)
		}
	}
}

func TestSendAPISignature(t *testing.T) {
	headers := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { headers <- r.Header }))
	defer server.Close()
	sender := NewSender(SenderOptions{Policy: DevelopmentPolicy()})
	defer sender.Close()
	secret := NewSecret()
	for wanted, signer := range map[bool]Signer{true: SignWebhookWith(secret), false: SignWith(secret)} {
		d := Delivery{URL: server.URL, ID: "cb_1", Body: []byte(`{}`), Signer: signer}
		if attempt := sender.Send(context.Background(), d); attempt.Outcome() != Delivered {
			t.Fatal(attempt.Error)
		}
		h := <-headers
		if got := h.Get("X-API-Signature"); (got != "") != wanted {
			t.Errorf("X-API-Signature is %q, wanted: %t", got, wanted)
		}
		if !wanted {
			continue
		}
		h.Del(HeaderSignature)
		h.Del(HeaderWebhookSignature)
		if err := VerifyBody(h, d.Body, secret); err != nil {
			t.Errorf("X-API-Signature alone: %v", err)
		}
	}
}
