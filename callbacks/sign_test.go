package callbacks

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The vector of Standard Webhooks' own libraries (webhook_symmetric_test.go).
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var vectorTime = time.Unix(1614265330, 0)

func TestSignVectors(t *testing.T) {
	h := http.Header{}
	Sign(h, vectorID, vectorTime, []byte(vectorBody), vectorSecret)
	if got := h.Get("webhook-signature"); got != vectorSignature {
		t.Errorf("webhook-signature: got %q", got)
	}
	if h.Get("webhook-id") != vectorID || h.Get("webhook-timestamp") != "1614265330" {
		t.Errorf("got %v", h)
	}
	// GitHub's documented vector for a signature over the body alone.
	Sign(h, "", vectorTime, []byte("Hello, World!"), "It's a Secret to Everybody")
	if got := h.Get("X-Callback-Signature"); got != "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17" {
		t.Errorf("X-Callback-Signature: got %q", got)
	}
}

func TestSignRotation(t *testing.T) {
	body := []byte(`{}`)
	h := http.Header{}
	Sign(h, "cb_1", vectorTime, body, "new", "", "whsec_?", "old")
	if got := len(strings.Fields(h.Get(HeaderWebhookSignature))); got != 2 {
		t.Errorf("%d signatures", got)
	}
	for secret, want := range map[string]error{"new": nil, "old": nil, "other": ErrSignature} {
		if err := Verify(h, body, secret, vectorTime); !errors.Is(err, want) {
			t.Errorf("Verify with %q: %v", secret, err)
		}
	}
	if VerifyBody(h, body, "new") != nil || VerifyBody(h, body, "old") == nil {
		t.Error("X-Callback-Signature is not made with the newest secret")
	}
	Sign(h, "cb_1", vectorTime, body)
	if err := Verify(h, body, "new", vectorTime); !errors.Is(err, ErrUnsigned) {
		t.Errorf("no secrets left a signature: %v, %v", err, h)
	}
}

func TestVerify(t *testing.T) {
	const secret = "secret"
	body := []byte(vectorBody)
	tests := []struct {
		name   string
		change func(h http.Header)
		secret string
		age    time.Duration
		want   error
	}{
		{"as signed", func(http.Header) {}, secret, 0, nil},
		{"five minutes old", func(http.Header) {}, secret, Tolerance, nil},
		{"older", func(http.Header) {}, secret, Tolerance + time.Second, ErrTimestamp},
		{"five minutes ahead", func(http.Header) {}, secret, -Tolerance, nil},
		{"further ahead", func(http.Header) {}, secret, -Tolerance - time.Second, ErrTimestamp},
		{"other secret", func(http.Header) {}, "Secret", 0, ErrSignature},
		{"empty secret", func(http.Header) {}, "", 0, ErrSecret},
		{"undecodable secret", func(http.Header) {}, "whsec_!", 0, ErrSecret},
		{"other id", func(h http.Header) { h.Set("webhook-id", "other") }, secret, 0, ErrSignature},
		{"no id", func(h http.Header) { h.Del("webhook-id") }, secret, 0, ErrUnsigned},
		{"other time", func(h http.Header) { h.Set("webhook-timestamp", "1614265331") }, secret, 0, ErrSignature},
		{"no time", func(h http.Header) { h.Del("webhook-timestamp") }, secret, 0, ErrUnsigned},
		{"time is no number", func(h http.Header) { h.Set("webhook-timestamp", "now") }, secret, 0, ErrUnsigned},
		{"time beyond int64", func(h http.Header) { h.Set("webhook-timestamp", "99999999999999999999") }, secret, 0, ErrUnsigned},
		{"one of several", func(h http.Header) {
			h.Set("webhook-signature", "v1a,x v1,AAAA "+h.Get("webhook-signature"))
		}, secret, 0, nil},
		{"unknown version", func(h http.Header) { h.Set("webhook-signature", "v9,AAAA") }, secret, 0, ErrSignature},
		{"article's alone", func(h http.Header) { h.Del("webhook-signature") }, secret, 0, ErrUnsigned},
		{"bad webhook-signature beside a good article's", func(h http.Header) { h.Set("webhook-signature", "v1,") }, secret, 0, ErrSignature},
		{"nothing", func(h http.Header) { clear(h) }, secret, 0, ErrUnsigned},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := http.Header{}
			Sign(h, vectorID, vectorTime, body, secret)
			test.change(h)
			if err := Verify(h, body, test.secret, vectorTime.Add(test.age)); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestVerifyEither(t *testing.T) {
	const secret = "secret"
	tests := []struct {
		name   string
		change func(h http.Header)
		secret string
		want   error
	}{
		{"both, old", func(http.Header) {}, secret, ErrTimestamp},
		{"article's, old", func(h http.Header) { h.Del("webhook-signature") }, secret, nil},
		{"in X-API-Signature", func(h http.Header) {
			h.Del("webhook-signature")
			h.Set("X-API-Signature", h.Get(HeaderSignature))
			h.Del(HeaderSignature)
		}, secret, nil},
		{"other secret", func(h http.Header) { h.Del("webhook-signature") }, "other", ErrSignature},
		{"without prefix", func(h http.Header) {
			h.Del("webhook-signature")
			h.Set(HeaderSignature, strings.TrimPrefix(h.Get(HeaderSignature), "sha256="))
		}, secret, ErrUnsigned},
		{"bad webhook-signature beside a good article's", func(h http.Header) { h.Set("webhook-signature", "v1,") }, secret, ErrSignature},
		{"nothing", func(h http.Header) { clear(h) }, secret, ErrUnsigned},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := http.Header{}
			Sign(h, vectorID, vectorTime, []byte(vectorBody), secret)
			test.change(h)
			if err := VerifyEither(h, []byte(vectorBody), test.secret, vectorTime.Add(time.Hour)); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestVerifyNoticesEveryBit(t *testing.T) {
	h := http.Header{}
	Sign(h, vectorID, vectorTime, []byte(vectorBody), vectorSecret)
	for i := range len(vectorBody) * 8 {
		body := []byte(vectorBody)
		body[i/8] ^= 1 << (i % 8)
		if Verify(h, body, vectorSecret, vectorTime) == nil || VerifyBody(h, body, vectorSecret) == nil {
			t.Fatalf("bit %d may change", i)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(vectorSignature, "1614265330", vectorID, "sha256=00", vectorSecret)
	f.Add("", "", "", "sha256=", "whsec_")
	f.Fuzz(func(t *testing.T, signature, timestamp, id, article, secret string) {
		h := http.Header{HeaderWebhookSignature: {signature}, HeaderWebhookTimestamp: {timestamp},
			HeaderWebhookID: {id}, HeaderSignature: {article}}
		// The fuzzer starts from the public vector, and has no other way to a right signature.
		vectorKey, _ := standardKey(vectorSecret)
		key, _ := standardKey(secret)
		if !bytes.Equal(key, vectorKey) && VerifyEither(h, []byte(vectorBody), secret, vectorTime) == nil {
			t.Errorf("forged: %q with %q", h, secret)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	body, _ := Encode(someUpdate)
	h := http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		Sign(h, someUpdate.CallbackID, vectorTime, body, DevelopmentSecret)
	}
}
