package receivers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"petstore/callbacks"
)

func checkAccepts(ctx context.Context, g *grader) error {
	return g.accepts(ctx, g.tell(g.order().completed()))
}

func checkWork(ctx context.Context, g *grader) error {
	u := g.order().completed()
	return g.counting(ctx, u, 1, func() error { return g.accepts(ctx, g.tell(u)) })
}

func checkProgress(ctx context.Context, g *grader) error {
	o := g.order()
	return g.accepts(ctx, g.tell(o.progress(0)), g.tell(o.progress(95)))
}

func checkFailed(ctx context.Context, g *grader) error {
	return g.accepts(ctx, g.tell(g.order().failed()))
}

func checkCancelled(ctx context.Context, g *grader) error {
	return g.accepts(ctx, g.tell(g.order().cancelled()))
}

// checkArticleBodies sends the bodies that the article prints, without their white space.
func checkArticleBodies(ctx context.Context, g *grader) error {
	for _, c := range []struct{ what, body string }{
		{"the article's order", `{"order_id":"12345","status":"completed"}`},
		{"the article's status callback", `{"task_id":"task_123","status":"completed","result":{"summary":"..."}}`},
		{"the article's progress callback", `{"task_id":"task_123","progress":50,"message":"Processing items 500-1000"}`},
		{"the article's error callback", `{"task_id":"task_123","status":"failed","error":{"code":"PROCESSING_ERROR","message":"Failed to process image"}}`},
	} {
		id := g.order().completed().CallbackID
		if err := g.accepts(ctx, g.sign(c.what, id, []byte(c.body), time.Now())); err != nil {
			return err
		}
	}
	return nil
}

func checkUnknown(ctx context.Context, g *grader) error {
	kind := g.order().completed()
	kind.Type = "order.repainted"
	status := g.order().completed()
	status.Type, status.Status = "order.on_hold", "on_hold"
	other := g.order().completed()
	other.Type, other.Resource = "grooming.completed", callbacks.Resource{}
	return g.accepts(ctx, g.tell(kind), g.tell(status), g.tell(other), g.withMember(g.order().completed()))
}

// withMember is u with a member of a later version.
func (g *grader) withMember(u callbacks.Update) message {
	body := g.tell(u).body
	body = append(body[:len(body)-1:len(body)-1], `,"of_a_later_version":{"a":[1,null,true]}}`...)
	return g.sign("an unknown member", u.CallbackID, body, time.Now())
}

// oddities are metadata that languages treat each in its own way.
var oddities = callbacks.Metadata{
	"10": "ten", "9": "nine", "__proto__": "x", "constructor": "y", "🐕‍🦺": "👩🏽‍🚀", "é": "é", "line\u2028": "\u2029",
	`"`: `\"'`, "<script>": "</script>&amp;", "\x01": "\b\f\n\r\t\v", "\u202e": "\U0010ffff\ufeff", "%00": "%s",
}

func checkEncodings(ctx context.Context, g *grader) error {
	u := g.order().completed()
	u.Metadata, u.Message = oddities, `Für Ümit: 犬の餌 \ud83d "quoted" 🐕`
	m := g.tell(u).as("odd text")
	return g.accepts(ctx, m, g.tell(g.order().completed()).with("Content-Type", "application/json; charset=utf-8").as("a charset"))
}

// checkRawBytes sends valid JSON that no serializer would write like that.
func checkRawBytes(ctx context.Context, g *grader) error {
	spaced := g.order().completed()
	indented, err := json.MarshalIndent(spaced, "", "  ")
	if err != nil {
		return fmt.Errorf("indenting an update: %w", err)
	}
	escaped := g.order().completed()
	body := strings.NewReplacer(`"total":2499`, `"total":2499.0`, "Graded", `\u0047raded\/`).Replace(string(g.tell(escaped).body))
	return g.accepts(ctx,
		g.sign("an indented body", spaced.CallbackID, indented, time.Now()),
		g.sign("a body with escapes", escaped.CallbackID, []byte(body), time.Now()))
}

// checkLarge has as much metadata as a client may give: 32 entries of 500 characters, six bytes each here.
func checkLarge(ctx context.Context, g *grader) error {
	u := g.order().completed()
	u.Metadata = callbacks.Metadata{}
	for i := range 32 {
		u.Metadata[fmt.Sprint("name", i)] = strings.Repeat("\x01", 500)
	}
	m := g.tell(u)
	return g.accepts(ctx, m.as(fmt.Sprintf("%d KiB", len(m.body)>>10)))
}

func checkHeaderCase(ctx context.Context, g *grader) error {
	lower, upper := g.tell(g.order().completed()).as("names in lower case"), g.tell(g.order().completed()).as("names in capitals")
	lower.header, upper.header = spell(lower.header, strings.ToLower), spell(upper.header, strings.ToUpper)
	return g.accepts(ctx, lower, upper)
}

// spell writes header names as they are to stand on the wire: net/http leaves them alone.
func spell(h http.Header, write func(string) string) http.Header {
	spelled := http.Header{}
	for name, values := range h {
		spelled[write(name)] = values
	}
	return spelled
}

// checkRotation signs with a secret that the receiver has not yet been told, and with its own.
func checkRotation(ctx context.Context, g *grader) error {
	m := g.tell(g.order().completed()).as("signed with a new secret, and with the old one")
	callbacks.Sign(m.header, m.header.Get(callbacks.HeaderWebhookID), time.Now(), m.body, callbacks.NewSecret(), g.options.Secret)
	return g.accepts(ctx, m)
}
