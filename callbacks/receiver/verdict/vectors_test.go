package verdict

import (
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v85/webhook"
)

// vector is a request that its sender's public documentation says is signed rightly.
type vector struct {
	name, scheme, secret string
	at                   int64
	headers              []Header
	body                 string
}

const (
	standardID   = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	standardAt   = 1614265330
	standardBody = `{"test": 2432232314}`
	standardV1   = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	standardV1a  = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="

	whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	whpk  = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
)

func standardHeaders(signatures string) []Header {
	return []Header{{"webhook-id", standardID}, {"webhook-timestamp", "1614265330"}, {"webhook-signature", signatures}}
}

var vectors = []vector{
	// The article, "Implementing Callback Handlers"; computed with Python's hmac.
	{"article", SchemeArticle, "petstore-development-secret", 0, []Header{{"x-callback-signature", "sha256=" + articleHex}}, `{"a":1}`},
	{"article, webhook", SchemeArticle, "petstore-development-secret", 0, []Header{{"X-API-Signature", "sha256=" + articleHex}}, `{"a":1}`},
	// standard-webhooks/standard-webhooks: libraries/go/webhook_symmetric_test.go, spec ("Example headers").
	{"standard", SchemeStandard, whsec, standardAt, standardHeaders(standardV1), standardBody},
	{"standard, rotated", SchemeStandard, whsec, standardAt, standardHeaders("v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= " + standardV1), standardBody},
	{"standard, ed25519", SchemeStandard, whpk, standardAt, standardHeaders(standardV1a), standardBody},
	{"standard, both; symmetric", SchemeStandard, whsec, standardAt, standardHeaders(standardV1a + " " + standardV1), standardBody},
	{"standard, both; ed25519", SchemeStandard, whpk, standardAt, standardHeaders(standardV1 + " " + standardV1a), standardBody},
	// docs.github.com, "Testing the webhook payload validation".
	{
		"github", SchemeGitHub, "It's a Secret to Everybody", 0,
		[]Header{{"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}}, "Hello, World!",
	},
	// docs.slack.dev, "Verifying requests from Slack".
	{
		"slack", SchemeSlack, "8f742231b10e8888abcd99yyyzzz85a5", 1531420618,
		[]Header{
			{"X-Slack-Request-Timestamp", "1531420618"},
			{"X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"},
		},
		"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA" +
			"&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554" +
			"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
	},
	// Stripe publishes no vector: its own library makes one.
	stripeVector("stripe", "", ""),
	stripeVector("stripe, rotated, and a version that is not ours", ",v1=", strings.Repeat("0", 64)+",v0=ab"),
	// Shopify publishes none either; computed with Python's hmac.
	{"shopify", SchemeShopify, "hush", 0, []Header{{"X-Shopify-Hmac-Sha256", "qBvrsZF7RfB1iS6BX6IHqJTp5L911P7intnPeTPsH0I="}}, `{"id":820982911946154508}`},
}

const articleHex = "35d9f6a4d7f4ec0b8b435ccd3c2190b99e29d9f6fd9fb04f89f94d932045bc3f"

func stripeVector(name, before, more string) vector {
	signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{
		Payload: []byte(`{"id":"evt_1","object":"event"}`), Secret: "whsec_test_secret", Timestamp: time.Unix(1492774577, 0),
	})
	return vector{name, SchemeStripe, "whsec_test_secret", 1492774577, []Header{{"Stripe-Signature", signed.Header + before + more}}, string(signed.Payload)}
}

func (v vector) request() Request {
	at := v.at
	if at == 0 {
		at = 1800000000
	}
	return Request{ID: "1", Method: "POST", URI: "/in/box?x=1", Headers: v.headers, Body: []byte(v.body), At: time.Unix(at, 0)}
}

func (v vector) rules(t *testing.T, scheme string) *Rules {
	t.Helper()
	rules, err := NewRules(Options{Secret: v.secret, Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// codes are those of the verdicts of some checks, in their order.
func codes(all []Verdict, checks ...string) string {
	var found []string
	for _, v := range all {
		for _, check := range checks {
			if v.Check == check {
				found = append(found, v.Code)
			}
		}
	}
	return strings.Join(found, " ")
}

func signatureCodes(all []Verdict) string { return codes(all, CheckSignature, CheckTimestamp) }

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		want := SignatureOK
		if v.at != 0 {
			want += " " + TimestampOK
		}
		for _, scheme := range []string{"", v.scheme} {
			got := v.rules(t, scheme).Judge(v.request(), NewHistory(10))
			if signatureCodes(got) != want || got[0].Scheme != v.scheme || got[0].Source == "" {
				t.Errorf("%s, scheme %q: %+v", v.name, scheme, got)
			}
		}
		spoiled := v.request()
		spoiled.Body = append([]byte("x"), spoiled.Body...)
		if got := v.rules(t, "").Judge(spoiled, NewHistory(10)); got[0].Code != SignatureMismatch || OK(got) {
			t.Errorf("%s, another body: %+v", v.name, got)
		}
		v.secret = map[bool]string{true: "whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", false: "other"}[strings.HasPrefix(v.secret, publicPrefix)]
		if got := v.rules(t, "").Judge(v.request(), NewHistory(10)); got[0].Code != SignatureMismatch {
			t.Errorf("%s, another secret: %+v", v.name, got)
		}
	}
}

// TestSign signs each vector at another time; the result has to verify, with every header in its place.
func TestSign(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		r := v.request()
		r.Headers = append([]Header{{"first", "1"}}, append(r.Headers, Header{"LAST", "2"})...)
		before := append([]Header(nil), r.Headers...)
		r.At = r.At.Add(time.Hour)
		headers, err := Sign(r, "", v.secret, r.At)
		if v.secret == whpk {
			if err == nil {
				t.Errorf("%s: signed with a public key", v.name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
		}
		if len(headers) != len(before) || headers[0] != before[0] || headers[len(headers)-1] != before[len(before)-1] {
			t.Errorf("%s: headers %v", v.name, headers)
		}
		for i := range before {
			if r.Headers[i] != before[i] || headers[i].Name != before[i].Name {
				t.Errorf("%s: header %v became %v, and is %v", v.name, before[i], r.Headers[i], headers[i])
			}
		}
		r.Headers = headers
		if got := v.rules(t, "").Judge(r, NewHistory(10)); !strings.HasPrefix(signatureCodes(got), SignatureOK) || strings.Contains(signatureCodes(got), TimestampOld) {
			t.Errorf("%s: %+v", v.name, got)
		}
	}
}
