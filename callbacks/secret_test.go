package callbacks

import (
	"context"
	"net/http"
	"net/http/httptest"
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
