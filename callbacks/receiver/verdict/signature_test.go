package verdict

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"petstore/callbacks"
)

var noon = time.Unix(1800000000, 0)

func judge(t *testing.T, o Options, body string, headers ...string) []Verdict {
	t.Helper()
	rules, err := NewRules(o)
	if err != nil {
		t.Fatal(err)
	}
	return rules.Judge(request(body, headers...), NewHistory(10))
}

// request has headers given by name and value in turn.
func request(body string, headers ...string) Request {
	r := Request{ID: "1", Method: "POST", URI: "/in/box", Body: []byte(body), At: noon}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Headers = append(r.Headers, Header{headers[i], headers[i+1]})
	}
	return r
}

func TestMalformedSignatures(t *testing.T) {
	t.Parallel()
	digest := sha256.Sum256(nil)
	inHex, inBase64 := hex.EncodeToString(digest[:]), base64.StdEncoding.EncodeToString(digest[:])
	for _, test := range []struct {
		headers []string
		text    string
	}{
		{[]string{"X-Callback-Signature", inHex}, `X-Callback-Signature does not begin with "sha256=".`},
		{[]string{"X-Callback-Signature", "sha256=" + inBase64}, "X-Callback-Signature has its digest in base64, where hex is due."},
		{[]string{"X-API-Signature", "sha256=zz"}, "X-API-Signature is not in hex."},
		{[]string{"X-Hub-Signature-256", "sha256=00"}, "X-Hub-Signature-256 has 1 bytes, where an HMAC-SHA256 has 32."},
		{[]string{"X-Shopify-Hmac-SHA256", inHex}, "X-Shopify-Hmac-SHA256 has its digest in hex, where base64 is due."},
		{[]string{"X-Shopify-Hmac-SHA256", "!"}, "X-Shopify-Hmac-SHA256 is not in base64."},
		{[]string{"X-Slack-Signature", "v0=" + inHex}, "X-Slack-Signature comes without X-Slack-Request-Timestamp, which is signed, too."},
		{[]string{"X-Slack-Signature", "v1=" + inHex, "X-Slack-Request-Timestamp", "1"}, `X-Slack-Signature does not begin with "v0=".`},
		{[]string{"Stripe-Signature", "v1=" + inHex}, "Stripe-Signature has no t=, the timestamp."},
		{[]string{"Stripe-Signature", "t=1,v0=" + inHex}, "Stripe-Signature has no v1=, the signature."},
		{[]string{"Stripe-Signature", "t=1,v1=" + inBase64}, "Stripe-Signature has its digest in base64, where hex is due."},
		{[]string{"Stripe-Signature", "t=1" + strings.Repeat(",v1="+inHex, 17)}, "Stripe-Signature has more than 16 signatures."},
		{[]string{"webhook-signature", standardV1}, "Webhook-Signature comes without webhook-id, which is signed, too."},
		{[]string{"webhook-signature", standardV1, "webhook-id", "1"}, "Webhook-Signature comes without webhook-timestamp, which is signed, too."},
		{[]string{"webhook-signature", "v1," + inHex, "webhook-id", "1", "webhook-timestamp", "1"}, "Webhook-Signature has a v1 signature that is not 32 bytes in base64."},
		{[]string{"webhook-signature", inBase64, "webhook-id", "1", "webhook-timestamp", "1"}, `Webhook-Signature has no signature that begins with "v1,".`},
		{[]string{"webhook-signature", strings.Repeat(standardV1+" ", 17), "webhook-id", "1", "webhook-timestamp", "1"}, "Webhook-Signature has more than 16 signatures."},
	} {
		got := judge(t, Options{Secret: "secret"}, "{}", test.headers...)
		if got[0].Code != SignatureMalformed || got[0].OK || got[0].Text != test.text {
			t.Errorf("%v:\n got %+v\nwant %s", test.headers, got[0], test.text)
		}
	}
}

func TestUnsigned(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		options    Options
		headers    []string
		code, text string
		scheme     string
	}{
		{Options{}, nil, SignatureUnchecked, "It is not signed, and no secret is set.", ""},
		{Options{Secret: "s"}, nil, SignatureMissing, "It has none of the headers that have a signature, such as X-Callback-Signature.", ""},
		{Options{Secret: "s"}, []string{"X-Acme-Signature", "1"}, SignatureMissing, "It has none of the headers that have a signature, such as X-Callback-Signature. (X-Acme-Signature was not looked at.)", ""},
		{Options{Scheme: SchemeGitHub}, []string{"X-Hub-Signature", "sha1=1"}, SignatureMissing, "It has no X-Hub-Signature-256. (X-Hub-Signature was not looked at.)", SchemeGitHub},
		{Options{}, []string{"X-Hub-Signature-256", "sha256=" + strings.Repeat("0", 64)}, SignatureUnchecked, "GitHub's signature is there, in X-Hub-Signature-256. It is not checked: no secret is set. An inbox can be given one.", SchemeGitHub},
		{Options{Secret: whpk}, []string{"X-Hub-Signature-256", "sha256=" + strings.Repeat("0", 64)}, SignatureUnchecked, "GitHub's signature is there, in X-Hub-Signature-256. The secret of this inbox is an ed25519 public key, with which only v1a signatures can be checked.", SchemeGitHub},
		{Options{Secret: whsec}, []string{"webhook-id", "1", "webhook-timestamp", "1800000000", "webhook-signature", standardV1a}, SignatureUnchecked, `Standard Webhooks v1a is there, in Webhook-Signature. The secret of this inbox is no ed25519 public key ("whpk_" and 32 bytes in base64), which v1a signatures need.`, SchemeStandard},
		{Options{Secret: "whsec_?"}, []string{"webhook-id", "1", "webhook-timestamp", "1800000000", "webhook-signature", standardV1}, SignatureUnchecked, `Standard Webhooks v1 is there, in Webhook-Signature. The secret of this inbox is not base64 after "whsec_".`, SchemeStandard},
	} {
		got := judge(t, test.options, "{}", test.headers...)[0]
		if got.Code != test.code || got.Text != test.text || got.Scheme != test.scheme || got.OK != (test.code == SignatureUnchecked) || got.Source == "" {
			t.Errorf("%v, %v:\n got %+v\nwant %s", test.options, test.headers, got, test.text)
		}
	}
}

func TestTruncatedBodyIsNotJudged(t *testing.T) {
	t.Parallel()
	rules, err := NewRules(Options{Secret: "s"})
	if err != nil {
		t.Fatal(err)
	}
	r := request("{}", "X-Callback-Signature", "sha256="+strings.Repeat("0", 64), "webhook-id", "1")
	r.Truncated = true
	if got := rules.Judge(r, NewHistory(10)); got[0].Code != SignatureUnchecked || !OK(got) {
		t.Errorf("%+v", got)
	}
}

// TestSeveralSchemes: a callback of ours is signed by two schemes, and each is judged by itself.
func TestSeveralSchemes(t *testing.T) {
	t.Parallel()
	headers := append([]string{"X-Callback-Signature", "sha256=" + strings.Repeat("0", 64)}, "webhook-id", standardID, "webhook-timestamp", "1614265330", "webhook-signature", standardV1)
	got := judge(t, Options{Secret: whsec}, standardBody, headers...)
	if want := SignatureMismatch + " " + SignatureOK + " " + TimestampOld; signatureCodes(got) != want {
		t.Errorf("%s, want %s", signatureCodes(got), want)
	}
	got = judge(t, Options{Secret: whsec, Scheme: SchemeArticle}, standardBody, headers...)
	if signatureCodes(got) != SignatureMismatch {
		t.Errorf("only the article's: %s", signatureCodes(got))
	}
}

func TestMismatchIsExplained(t *testing.T) {
	t.Parallel()
	sign := func(key, content string) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(content))
		return hex.EncodeToString(mac.Sum(nil))
	}
	decoded, err := standardKey(whsec)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ secret, body, header, value, want string }{
		{"s", `{"a": 1}`, "X-Callback-Signature", "sha256=" + sign("s", `{"a":1}`), "It fits the same JSON without white space"},
		{"s", `{"a":1}`, "X-Callback-Signature", "sha256=" + sign("s", "{\n  \"a\": 1\n}"), "It fits the same JSON indented by two"},
		{"s", "{}\n", "X-Callback-Signature", "sha256=" + sign("s", "{}"), "It fits the body without the white space around it."},
		{"s", "{}", "X-Callback-Signature", "sha256=" + sign("s", "{}\n"), "It fits the body with a line end after it."},
		{"s", "{}", "X-Callback-Signature", "sha256=" + sign("s", ""), "It fits an empty body."},
		{"s", "{}", "X-Callback-Signature", "sha256=" + sign(callbacks.DevelopmentSecret, "{}"), "It fits the development secret, " + callbacks.DevelopmentSecret + "."},
		{"s", "{}", "X-Callback-Signature", "sha256=" + sign("s\n", "{}"), "It fits a secret with a line end after it."},
		{whsec, "{}", "X-Callback-Signature", "sha256=" + sign(string(decoded), "{}"), "It fits the secret base64-decoded after whsec_, as Standard Webhooks has it."},
		{"s", "{}", "Stripe-Signature", "t=1800000000,v1=" + sign("s", "{}"), "It fits the body alone, without “1800000000.” before it."},
		{"s", "{}", "X-Callback-Signature", "sha256=" + sign("x", "{}"), "does not fit the body and the secret."},
	} {
		got := judge(t, Options{Secret: test.secret}, test.body, test.header, test.value)[0]
		if got.Code != SignatureMismatch || !strings.Contains(got.Text, test.want) {
			t.Errorf("%s %q: %+v, want %s", test.header, test.body, got, test.want)
		}
	}
	mac := hmac.New(sha256.New, []byte(whsec))
	mac.Write([]byte("1.1800000000.{}"))
	got := judge(t, Options{Secret: whsec}, "{}", "webhook-id", "1", "webhook-timestamp", "1800000000", "webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))[0]
	if !strings.HasSuffix(got.Text, "It fits the secret's text, taken as it is.") {
		t.Errorf("%+v", got)
	}
	got = judge(t, Options{Secret: whpk}, "{}", "webhook-id", "1", "webhook-timestamp", "1800000000", "webhook-signature", standardV1a)[0]
	if got.Code != SignatureMismatch {
		t.Errorf("%+v", got)
	}
}

func TestTimestamps(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"1800000000":    TimestampOK,
		"1799999700":    TimestampOK,
		"1799999699":    TimestampOld,
		"1800000300":    TimestampOK,
		"1800000301":    TimestampFuture,
		"0":             TimestampOld,
		"1800000000000": TimestampMalformed,
		"-1":            TimestampMalformed,
		"now":           TimestampMalformed,
		"18e8":          TimestampMalformed,
	} {
		got := judge(t, Options{}, "{}", "X-Slack-Signature", "v0="+strings.Repeat("0", 64), "X-Slack-Request-Timestamp", value)
		if codes(got, CheckTimestamp) != want || got[1].OK != (want == TimestampOK) {
			t.Errorf("%s: %+v, want %s", value, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 seconds", 90 * time.Second: "90 seconds", 5 * time.Minute: "5 minutes", 90 * time.Minute: "90 minutes",
		3 * time.Hour: "3 hours", 50 * time.Hour: "2 days",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestNewRulesRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		options Options
		want    error
	}{
		{Options{Scheme: "paypal"}, ErrScheme},
		{Options{Secret: "whpk_AAAA"}, ErrSecret},
		{Options{Secret: whpk, Scheme: SchemeGitHub}, ErrSecret},
		{Options{Secret: "whsec_?", Scheme: SchemeStandard}, ErrSecret},
	} {
		if _, err := NewRules(test.options); !errors.Is(err, test.want) {
			t.Errorf("%+v: %v, want %v", test.options, err, test.want)
		}
	}
	for _, o := range []Options{{}, {Secret: whpk}, {Secret: whpk, Scheme: SchemeStandard}, {Secret: "whsec_?", Scheme: SchemeStripe}} {
		if _, err := NewRules(o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestSignErrors(t *testing.T) {
	t.Parallel()
	r := request("{}")
	if _, err := Sign(r, SchemeStandard, "s", noon); !errors.Is(err, ErrSign) {
		t.Errorf("no webhook-id: %v", err)
	}
	if _, err := Sign(r, SchemeGitHub, "", noon); !errors.Is(err, ErrSign) {
		t.Errorf("no secret: %v", err)
	}
	for _, scheme := range []string{"", SchemeArticle, SchemeGitHub, SchemeStripe, SchemeSlack, SchemeShopify} {
		var err error
		if r.Headers, err = Sign(request("{}", "Content-Type", "application/json"), scheme, "s", noon); err != nil {
			t.Fatal(err)
		}
		rules, err := NewRules(Options{Secret: "s", Scheme: scheme})
		if err != nil {
			t.Fatal(err)
		}
		if got := rules.Judge(r, NewHistory(10)); got[0].Code != SignatureOK {
			t.Errorf("%q: %+v", scheme, got)
		}
	}
}

func FuzzJudge(f *testing.F) {
	f.Add("webhook-signature", standardV1, "webhook-id", "1", `{"callback_id":"cb_1","task_id":"t","sequence":1}`, whsec)
	f.Add("Stripe-Signature", "t=1,v1=00", "a", "b", "{", whpk)
	f.Fuzz(func(t *testing.T, name, value, other, otherValue, body, secret string) {
		rules, err := NewRules(Options{Secret: secret})
		if err != nil {
			return
		}
		for _, v := range rules.Judge(request(body, name, value, other, otherValue), NewHistory(2)) {
			if v.Code == "" || v.Check == "" || v.Text == "" || v.Source == "" || len(v.Text) > 2000 {
				t.Errorf("%+v", v)
			}
		}
	})
}
