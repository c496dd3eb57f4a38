package verdict

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"petstore/callbacks"
)

// The schemes that [Options.Scheme] can name.
const (
	SchemeArticle  = "article"
	SchemeStandard = "standard"
	SchemeGitHub   = "github"
	SchemeStripe   = "stripe"
	SchemeSlack    = "slack"
	SchemeShopify  = "shopify"
)

// Schemes lists the names of all schemes.
func Schemes() []string {
	return []string{SchemeArticle, SchemeStandard, SchemeGitHub, SchemeStripe, SchemeSlack, SchemeShopify}
}

// scheme is one way to sign. A named scheme can have several, such as Standard Webhooks' v1 and v1a.
type scheme struct {
	name   string
	title  string // how a sentence calls it
	header string // that has the signature; a request without it isn't signed this way
	source string
	// read finds what the request says of its own signature. Its error is the end of the sentence
	// "X-Signature …".
	read func(r *Request) (claim, error)
	// key makes of the inbox's secret what verify wants.
	key    func(secret string) ([]byte, error)
	verify func(key, content, signature []byte) bool
	// write signs r anew, with mac, at a time in seconds; nil if only the sender can.
	write func(r *Request, mac macOf, at string)
}

// claim is what a request says of its own signature.
type claim struct {
	signatures [][]byte // one of which has to fit
	timestamp  string   // "" if the scheme has none
	prefix     string   // signed before the body
}

const (
	articleSource  = "README.md#receive-callbacks"
	standardSource = "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"
	gitHubSource   = "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"
	stripeSource   = "https://docs.stripe.com/webhooks/signature"
	slackSource    = "https://docs.slack.dev/authentication/verifying-requests-from-slack"
	shopifySource  = "https://shopify.dev/docs/apps/build/webhooks/subscribe/https#step-2-validate-the-origin-of-your-webhook-to-ensure-its-coming-from-shopify"
)

// schemes are in the order in which their verdicts are given.
var schemes = []scheme{
	overBody(SchemeArticle, "The article's signature", "X-Callback-Signature", "sha256=", hexDigits, articleSource),
	overBody(SchemeArticle, "The article's signature", "X-API-Signature", "sha256=", hexDigits, articleSource),
	{
		name: SchemeStandard, title: "Standard Webhooks v1", header: callbacks.HeaderWebhookSignature, source: standardSource + "#signature-scheme",
		read: standardClaim("v1,", sha256.Size), key: standardKey, verify: hmacFits, write: writeStandard,
	},
	{
		name: SchemeStandard, title: "Standard Webhooks v1a", header: callbacks.HeaderWebhookSignature, source: standardSource + "#signature-scheme",
		read: standardClaim("v1a,", ed25519.SignatureSize), key: publicKey, verify: ed25519Fits,
	},
	overBody(SchemeGitHub, "GitHub's signature", "X-Hub-Signature-256", "sha256=", hexDigits, gitHubSource),
	{
		name: SchemeStripe, title: "Stripe's signature", header: "Stripe-Signature", source: stripeSource,
		read: stripeClaim, key: plainKey, verify: hmacFits, write: writeStripe,
	},
	{
		name: SchemeSlack, title: "Slack's signature", header: "X-Slack-Signature", source: slackSource,
		read: slackClaim, key: plainKey, verify: hmacFits, write: writeSlack,
	},
	overBody(SchemeShopify, "Shopify's signature", "X-Shopify-Hmac-SHA256", "", base64Digits, shopifySource),
}

// overBody is a scheme that signs the body and nothing else, with the digest after a prefix in one header.
func overBody(name, title, header, prefix string, digits encoding, source string) scheme {
	return scheme{
		name: name, title: title, header: header, source: source, key: plainKey, verify: hmacFits,
		read: func(r *Request) (claim, error) {
			signature, err := digits.digest(r.header(header), prefix)
			return claim{signatures: [][]byte{signature}}, err
		},
		write: func(r *Request, mac macOf, _ string) { r.set(header, prefix+digits.encode(mac(""))) },
	}
}

// slackClaim reads X-Slack-Signature, v0=hex, and X-Slack-Request-Timestamp.
func slackClaim(r *Request) (claim, error) {
	timestamp := r.header("X-Slack-Request-Timestamp")
	if timestamp == "" {
		return claim{}, errors.New("comes without X-Slack-Request-Timestamp, which is signed, too")
	}
	signature, err := hexDigits.digest(r.header("X-Slack-Signature"), "v0=")
	return claim{signatures: [][]byte{signature}, timestamp: timestamp, prefix: "v0:" + timestamp + ":"}, err
}

// stripeClaim reads "t=1492774577,v1=hex,v1=hex,v0=hex". Other versions than v1 are not for us.
func stripeClaim(r *Request) (claim, error) {
	var c claim
	for item := range strings.SplitSeq(r.header("Stripe-Signature"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		switch name {
		case "t":
			c.timestamp = value
		case "v1":
			signature, err := hexDigits.digest(value, "")
			if err != nil {
				return claim{}, err
			}
			c.signatures = append(c.signatures, signature)
		}
	}
	c.prefix = c.timestamp + "."
	switch {
	case c.timestamp == "":
		return claim{}, errors.New("has no t=, the timestamp")
	case len(c.signatures) == 0:
		return claim{}, errors.New("has no v1=, the signature")
	case len(c.signatures) > maxSignatures:
		return claim{}, errTooMany
	}
	return c, nil
}

// maxSignatures bounds the work that one request can ask for.
const maxSignatures = 16

var errTooMany = fmt.Errorf("has more than %d signatures", maxSignatures)
