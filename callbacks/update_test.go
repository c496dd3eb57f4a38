package callbacks

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"
)

var someUpdate = Update{
	CallbackID: "cb_0198c5d2-7a51-7cc3-9d5f-0f6a3c1b2e4d", Type: "order.completed",
	TaskID: "task_0198c5d2-7a4f-7e0b-8b57-6d1f0a9c8e21", Resource: Resource{OrderID: "ord_0198c5d2-7a4f-7d63-a9c0-1b2c3d4e5f60"},
	Sequence: 4, Status: StatusCompleted, Progress: 100, Message: "Packed 2 items",
	Metadata:  Metadata{"customer": "Zoë", "reference": "A-17"},
	Timestamp: time.Date(2026, 3, 1, 10, 4, 5, 120_000_000, time.FixedZone("CET", 3600)),
	Result:    json.RawMessage(`{"summary":"2 items packed","total":2598,"currency":"EUR"}`),
}

func TestUpdateOnTheWire(t *testing.T) {
	tests := []struct {
		name   string
		update Update
		want   string
	}{
		{"completed", someUpdate, `{"callback_id":"cb_0198c5d2-7a51-7cc3-9d5f-0f6a3c1b2e4d","type":"order.completed",` +
			`"task_id":"task_0198c5d2-7a4f-7e0b-8b57-6d1f0a9c8e21","order_id":"ord_0198c5d2-7a4f-7d63-a9c0-1b2c3d4e5f60",` +
			`"sequence":4,"status":"completed","progress":100,"message":"Packed 2 items",` +
			`"metadata":{"customer":"Zoë","reference":"A-17"},"timestamp":"2026-03-01T09:04:05.120Z",` +
			`"result":{"summary":"2 items packed","total":2598,"currency":"EUR"}}`},
		{"empty", Update{}, `{"callback_id":"","type":"","task_id":"","sequence":0,"status":"","progress":0,"metadata":{},` +
			`"timestamp":"0001-01-01T00:00:00.000Z"}`},
		{"failed", Update{Status: StatusFailed, Error: &Error{"OUT_OF_STOCK", "dog-food <gone>"}, Metadata: Metadata{"b": "", "10": "", "9": ""}},
			`{"callback_id":"","type":"","task_id":"","sequence":0,"status":"failed","progress":0,` +
				`"metadata":{"9":"","10":"","b":""},"timestamp":"0001-01-01T00:00:00.000Z",` +
				`"error":{"code":"OUT_OF_STOCK","message":"dog-food <gone>"}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got, err := Encode(test.update); err != nil || string(got) != test.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, test.want)
			}
		})
	}
}

// TestUpdateFollowsItsTags holds the encoder, which is written by hand, against encoding/json.
func TestUpdateFollowsItsTags(t *testing.T) {
	type tagged Update // has no MarshalJSON
	random := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		u := randomUpdate(random)
		u.Timestamp = time.Date(2026, 1, 1, 0, 0, 0, 123_000_000, time.UTC)
		if u.Metadata == nil {
			u.Metadata = Metadata{}
		}
		got, err := Encode(u)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Encode(tagged(u))
		if err != nil || string(got) != string(want) {
			t.Fatalf("got  %s\nwant %s, %v", got, want, err)
		}
		if inside, err := Encode(map[string]any{"update": &u}); err != nil || string(inside) != `{"update":`+string(want)+`}` {
			t.Fatalf("inside another value: %s, %v", inside, err)
		}
	}
}

func TestUpdateRoundTrip(t *testing.T) {
	body, err := Encode(someUpdate)
	if err != nil {
		t.Fatal(err)
	}
	var u Update
	if err := json.Unmarshal(body, &u); err != nil {
		t.Fatal(err)
	}
	if again, err := Encode(u); err != nil || string(again) != string(body) {
		t.Errorf("got %s, %v\nwant %s", again, err, body)
	}
}

func TestTerminal(t *testing.T) {
	for status, want := range map[string]bool{
		StatusProcessing: false, StatusCompleted: true, StatusFailed: true, StatusCancelled: true, "": false,
	} {
		if got := (Update{Status: status}).Terminal(); got != want {
			t.Errorf("%q: got %v", status, got)
		}
	}
}

func randomUpdate(random *rand.Rand) Update {
	text := func() string {
		return pick(random, "", "plain", "<b>&amp;</b>", "\u2028\u2029", "\"\\/", "\b\f\n\r\t\x00\x1f\x7f", "é漢😀\ufeff", "\xff\xc0\x80", "\xed\xa0\x80")
	}
	u := Update{
		CallbackID: text(), Type: text(), TaskID: text(), Resource: Resource{OrderID: text(), ReportID: text(), ImageID: text(), PaymentID: text(), WebhookID: text(), RefundID: text()},
		Sequence: pick(random, 0, 1, random.Int64()), Status: text(), Progress: random.IntN(101), Message: text(),
		Timestamp: time.UnixMilli(random.Int64N(1 << 42)),
	}
	if random.IntN(3) > 0 {
		u.Metadata = Metadata{}
		for range random.IntN(24) {
			u.Metadata[pick(random, text(), "__proto__", "7", "10", "007", "4294967295", "k"+text()+text())] = text() + text()
		}
	}
	if random.IntN(3) == 0 {
		u.Error = &Error{Code: text(), Message: text()}
	}
	if random.IntN(2) == 0 {
		u.Result = randomJSON(random, 3)
	}
	return u
}

func BenchmarkEncode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Encode(someUpdate); err != nil {
			b.Fatal(err)
		}
	}
}
