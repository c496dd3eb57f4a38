package receivers

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"petstore/callbacks"
)

// refusesUpdate fails unless the message that forge makes of a callback is refused, and no work is done for it.
func (g *grader) refusesUpdate(ctx context.Context, forge func(message) message) error {
	u := g.order().completed()
	return g.counting(ctx, u, 0, func() error { return g.refuses(ctx, forge(g.tell(u))) })
}

// signatureHeaders are all that vouch for a callback.
var signatureHeaders = []string{
	callbacks.HeaderSignature, callbacks.HeaderAPISignature,
	callbacks.HeaderWebhookID, callbacks.HeaderWebhookTimestamp, callbacks.HeaderWebhookSignature,
}

func unsigned(m message) message {
	for _, name := range signatureHeaders {
		m = m.with(name, "")
	}
	return m.as("unsigned")
}

func checkUnsigned(ctx context.Context, g *grader) error {
	return g.refusesUpdate(ctx, unsigned)
}

func checkWrongSecret(ctx context.Context, g *grader) error {
	err := g.refusesUpdate(ctx, func(m message) message { return g.forged(m, callbacks.NewSecret()).as("another secret") })
	if err != nil {
		return err
	}
	// What a receiver computes whose secret is not set.
	return g.refusesUpdate(ctx, func(m message) message { return signedWithNothing(m).as("an empty secret") })
}

// forged signs m with another secret.
func (g *grader) forged(m message, secret string) message {
	m = m.with(callbacks.HeaderSignature, "")
	callbacks.Sign(m.header, m.header.Get(callbacks.HeaderWebhookID), time.Now(), m.body, secret)
	return m
}

// signedWithNothing signs m with an empty key, which package callbacks refuses to do.
func signedWithNothing(m message) message {
	mac := func(parts ...string) []byte {
		hash := hmac.New(sha256.New, nil)
		for _, part := range parts {
			hash.Write([]byte(part))
		}
		return hash.Sum(nil)
	}
	id, timestamp := m.header.Get(callbacks.HeaderWebhookID), m.header.Get(callbacks.HeaderWebhookTimestamp)
	standard := mac(id, ".", timestamp, ".", string(m.body))
	return m.with(callbacks.HeaderSignature, "sha256="+hex.EncodeToString(mac(string(m.body)))).
		with(callbacks.HeaderWebhookSignature, "v1,"+base64.StdEncoding.EncodeToString(standard))
}

func checkMalformed(ctx context.Context, g *grader) error {
	for _, c := range []struct {
		what   string
		change func(signature string) string
	}{
		{"cut off", func(s string) string { return s[:len(s)-1] }},
		{"bare prefix", func(s string) string { return s[:strings.IndexAny(s, "=,")+1] }},
		{"no prefix", func(s string) string { return s[strings.IndexAny(s, "=,")+1:] }},
		{"garbage", func(string) string { return "%%%, é" }},
	} {
		err := g.refusesUpdate(ctx, func(m message) message {
			for _, name := range []string{callbacks.HeaderSignature, callbacks.HeaderWebhookSignature} {
				m = m.with(name, c.change(m.header.Get(name)))
			}
			return m.as(c.what)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func checkTampered(ctx context.Context, g *grader) error {
	return g.refusesUpdate(ctx, func(m message) message {
		m.body = bytes.Replace(m.body, []byte(`"total":2499`), []byte(`"total":1`), 1)
		return m.as("another total")
	})
}

// skew is twice what Standard Webhooks' libraries tolerate.
const skew = 2 * callbacks.Tolerance

func checkOld(ctx context.Context, g *grader) error {
	for _, c := range []struct {
		what  string
		later time.Duration
	}{{"ten minutes old", -skew}, {"ten minutes ahead", skew}} {
		err := g.refusesUpdate(ctx, func(m message) message {
			return g.sign(c.what, m.header.Get(callbacks.HeaderWebhookID), m.body, time.Now().Add(c.later))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkStripped replays a callback of yesterday as somebody can who has seen it: without the headers that say when
// it was sent. Its age is in the body only.
func checkStripped(ctx context.Context, g *grader) error {
	u := g.order().completed()
	u.Timestamp = time.Now().Add(-24 * time.Hour)
	m := g.tell(u).as("yesterday's, without webhook-timestamp")
	for _, name := range []string{callbacks.HeaderWebhookID, callbacks.HeaderWebhookTimestamp, callbacks.HeaderWebhookSignature} {
		m = m.with(name, "")
	}
	return g.counting(ctx, u, 0, func() error { return g.refuses(ctx, m) })
}

// checkNotJSON sends what only the sender itself could have signed. 4xx is right, 2xx is bearable.
func checkNotJSON(ctx context.Context, g *grader) error {
	for _, c := range []struct{ what, body string }{
		{"no JSON", `{"order_id":`},
		{"null", "null"},
		{"an array", "[]"},
		{"a string", `"completed"`},
		{"an empty body", ""},
		{"wrong types", `{"callback_id":{},"order_id":[],"status":7,"result":"x","error":null}`},
		{"deep nesting", strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000)},
		{"not UTF-8", "{\"order_id\":\"\xff\xfe\",\"status\":\"completed\"}"},
	} {
		m := g.sign(c.what, g.order().completed().CallbackID, []byte(c.body), time.Now())
		if a := g.send(ctx, m); a.status == 0 || a.status >= 500 {
			return brokenBecause("%s: answered %s%s", c.what, a, excerpt(a))
		}
	}
	return nil
}

func checkMethods(ctx context.Context, g *grader) error {
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		m := g.tell(g.order().completed())
		m.method = method
		if a := g.send(ctx, m); a.accepted() || a.status == 0 || a.status >= 500 && a.status != http.StatusNotImplemented {
			return brokenBecause("%s: answered %s%s", method, a, excerpt(a))
		}
	}
	return nil
}
