package senders

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// arrival is one request that came to an inbox. What follows inbox.mu changes while it is answered.
type arrival struct {
	n      int // from 1, over all inboxes
	inbox  *inbox
	at     time.Time
	method string
	path   string
	header http.Header
	length int64 // Content-Length, -1 if there was none
	body   []byte
	fields fields

	status   int       // answered; 0 is none
	decided  time.Time // when that began to be sent
	over     time.Time // when the exchange ended, zero while it has not
	hungUp   bool      // by the sender
	kept     bool      // its trigger was not answered while it waited
	answered int64     // bytes of the answer's body that it took
}

// fields are the members of a JSON body, nil if it is none.
type fields map[string]any

func parse(body []byte) (f fields) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&f) != nil {
		return nil
	}
	return f
}

// text is the first of these members that is a text or a number.
func (f fields) text(names ...string) string {
	for _, name := range names {
		switch value := f[name].(type) {
		case string:
			return value
		case json.Number:
			return value.String()
		}
	}
	return ""
}

// label is what a callback says in short: the type of its event, and a status.
func (a *arrival) label() string {
	kind, status := a.fields.text("type", "event", "event_type"), a.fields.text("status", "state")
	if kind == "" {
		kind = a.header.Get("X-Github-Event")
	}
	return strings.Trim(kind+" "+status, " ")
}

// id is what its sender calls it, and where that stands; "" if it has no name.
func (a *arrival) id() (id, where string) {
	for _, name := range []string{"Webhook-Id", "X-Github-Delivery", "X-Shopify-Webhook-Id", "Svix-Id", "Idempotency-Key"} {
		if id := a.header.Get(name); id != "" {
			return id, name
		}
	}
	for _, name := range []string{"callback_id", "event_id", "delivery_id", "message_id", "id"} {
		if id := a.fields.text(name); id != "" {
			return id, name
		}
	}
	return "", ""
}

// stamp is when its sender says that it was sent; false if it does not.
func (a *arrival) stamp() (time.Time, bool) {
	for _, name := range []string{"Webhook-Timestamp", "X-Slack-Request-Timestamp", "Svix-Timestamp"} {
		if seconds, err := strconv.ParseInt(a.header.Get(name), 10, 64); err == nil {
			return time.Unix(seconds, 0), true
		}
	}
	for part := range strings.SplitSeq(a.header.Get("Stripe-Signature"), ",") {
		if value, isTime := strings.CutPrefix(strings.TrimSpace(part), "t="); isTime {
			if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
				return time.Unix(seconds, 0), true
			}
		}
	}
	return time.Time{}, false
}

// place is where it stands among the callbacks of its task; false if it does not say.
func (a *arrival) place() (float64, bool) {
	for _, name := range []string{"sequence", "seq", "version", "progress"} {
		if number, isNumber := a.fields[name].(json.Number); isNumber {
			if place, err := number.Float64(); err == nil {
				return place, true
			}
		}
	}
	return 0, false
}

func (a *arrival) describe() string {
	text := fmt.Sprintf("%s %s", a.method, a.path)
	if label := a.label(); label != "" {
		text += " " + label
	}
	return fmt.Sprintf("%s, %d bytes", text, len(a.body))
}

func (a *arrival) outcome() string {
	var parts []string
	if a.status != 0 {
		parts = append(parts, strconv.Itoa(a.status))
	} else {
		parts = append(parts, "no answer")
	}
	if a.answered > 0 {
		parts = append(parts, fmt.Sprintf("of which it took %d bytes", a.answered))
	}
	if a.hungUp {
		parts = append(parts, fmt.Sprintf("it hung up after %.1f s", a.over.Sub(a.at).Seconds()))
	}
	return strings.Join(parts, ", ")
}

func (a *arrival) accepted() bool { return a.status >= 200 && a.status <= 299 }
