package handlers_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
)

type deliveryDetails struct {
	Delivery delivery         `json:"delivery"`
	Body     callbacks.Update `json:"body"`
	Attempts []struct {
		Number     int                 `json:"number"`
		Address    string              `json:"address"`
		StatusCode int                 `json:"status_code"`
		Headers    map[string][]string `json:"headers"`
		Body       string              `json:"body"`
		Error      string              `json:"error"`
	} `json:"attempts"`
}

// soon retries at once, three times in all.
func soon() callbacks.Schedule { return callbacks.Schedule{Waits: make([]time.Duration, 2)} }

func TestDeliveryIsRetried(t *testing.T) {
	a := newAPI(t, settings{schedule: soon()})
	receiver := newReceiver(t)
	receiver.refuse = func(_ callbacks.Update, attempt int) int {
		return []int{500, 302, 0}[attempt-1] // a redirect is no success, and not followed
	}
	a.start()
	placed := read[order](a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"`+receiver.url+`?fail=2"}`).want(202))
	receiver.wait(t, count(3))
	a.stop()

	d := only(t, a, "order_id="+placed.OrderID)
	if d.Status != "delivered" || d.Attempts != 3 || d.Type != "order.completed" || d.URL != receiver.url+"?fail=2" {
		t.Errorf("the delivery is %+v", d)
	}
	details := read[deliveryDetails](a.do("GET", "/api/callbacks/"+d.DeliveryID, "").want(200))
	if details.Delivery != d || details.Body.CallbackID != d.CallbackID || details.Body.OrderID != placed.OrderID || len(details.Attempts) != 3 {
		t.Fatalf("the details are %+v", details)
	}
	for i, status := range []int{500, 302, 200} {
		at := details.Attempts[i]
		if at.Number != i+1 || at.StatusCode != status || at.Body != "OK" || !strings.Contains(receiver.url, at.Address) || len(at.Headers["Date"]) != 1 {
			t.Errorf("attempt %d is %+v", i+1, at)
		}
	}
}

// TestDeliveryBody (faults 4, another instance): the body that is shown of a delivery is the one that was signed and sent,
// to the byte, so that it verifies against the signature that the receiver got.
func TestDeliveryBody(t *testing.T) {
	a := newAPI(t, settings{schedule: soon()})
	receiver := newReceiver(t)
	a.start()
	a.do("POST", "/api/orders", `{"product":"dog-food","metadata":{"n":"<&>\u2028'","é":"\ud83d\ude00\u0001"},"callback_url":"`+receiver.url+`"}`).want(202)
	sent := receiver.wait(t, count(1))[0].body
	a.stop()
	shown := a.do("GET", "/api/callbacks/"+only(t, a, "").DeliveryID, "").want(200).body
	if !bytes.Contains(shown, []byte(`,"body":`+sent+`,"attempts":`)) {
		t.Errorf("sent was %s, shown is %s", sent, shown)
	}
}

// only returns the one delivery that a filter matches.
func only(t *testing.T, a *api, query string) delivery {
	t.Helper()
	items := read[page[delivery]](a.do("GET", "/api/callbacks?"+query, "").want(200)).Items
	if len(items) != 1 {
		t.Fatalf("?%s matches %+v", query, items)
	}
	return items[0]
}

func TestRedeliver(t *testing.T) {
	a := newAPI(t, settings{schedule: soon()})
	receiver := newReceiver(t)
	receiver.refuse = func(_ callbacks.Update, attempt int) int {
		if attempt <= 3 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	a.start()
	placed := read[order](a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"`+receiver.url+`"}`).want(202))
	receiver.wait(t, count(3))
	a.stop()
	d := only(t, a, "status=exhausted")
	if d.Attempts != 3 || d.TaskID != placed.TaskID {
		t.Fatalf("the delivery is %+v", d)
	}

	again := a.do("POST", "/api/callbacks/"+d.DeliveryID+"/redeliver", "").want(202)
	if got := read[delivery](again); got.Status != "pending" || again.Header.Get("Location") != "/api/callbacks/"+d.DeliveryID {
		t.Errorf("redelivering answers %s", again.body)
	}
	a.start()
	got := receiver.wait(t, count(4))
	if got[3].body != got[0].body {
		t.Errorf("redelivered is %s, want %s", got[3].body, got[0].body)
	}
	a.stop()
	if d := only(t, a, "callback_id="+d.CallbackID); d.Status != "delivered" || d.Attempts != 4 {
		t.Errorf("the delivery is %+v", d)
	}
	a.do("POST", "/api/callbacks/dlv_nope/redeliver", "").want(404)
	a.do("GET", "/api/callbacks/dlv_nope", "").want(404)
}

func TestGone(t *testing.T) {
	a := newAPI(t, settings{schedule: soon()})
	receiver := newReceiver(t)
	receiver.refuse = func(callbacks.Update, int) int { return http.StatusGone }
	a.start()
	a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"`+receiver.url+`"}`).want(202)
	receiver.wait(t, count(1))
	a.stop()
	if d := only(t, a, ""); d.Status != "gone" || d.Attempts != 1 {
		t.Errorf("the delivery is %+v", d)
	}
}

func TestDeliveryFiltersAndRedeliverAll(t *testing.T) {
	a := newAPI(t, settings{schedule: soon()})
	good, bad := newReceiver(t), newReceiver(t)
	down := true
	bad.refuse = func(callbacks.Update, int) int {
		if down {
			return http.StatusInternalServerError
		}
		return 0
	}
	a.start()
	var placed []order
	for _, r := range []*receiver{good, bad, bad} {
		placed = append(placed, read[order](a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"`+r.url+`"}`).want(202)))
	}
	good.wait(t, count(1))
	bad.wait(t, count(6))
	a.stop()
	filters := map[string]int{
		"": 3, "status=delivered": 1, "status=exhausted": 2, "status=pending": 0,
		"order_id=" + placed[0].OrderID: 1, "task_id=" + placed[1].TaskID: 1, "order_id=nope": 0,
		"url=" + url.QueryEscape(bad.url): 2, "url=" + url.QueryEscape(good.url) + "&status=exhausted": 0, "limit=1": 1,
	}
	for query, want := range filters {
		if got := len(read[page[delivery]](a.do("GET", "/api/callbacks?"+query, "").want(200)).Items); got != want {
			t.Errorf("?%s matches %d, want %d", query, got, want)
		}
	}
	walked := 0
	for range pages[delivery](a, "/api/callbacks?limit=2") {
		walked++
	}
	if walked != 3 {
		t.Errorf("page by page there are %d", walked)
	}

	a.do("POST", "/api/callbacks/redeliver", `{}`).want(422).names("status")
	for filter, want := range map[string]string{
		`{"order_id":"nope"}`: `{"count":0}`,
		`{"status":"exhausted","url":` + quote(good.url) + `}`:      `{"count":0}`,
		`{"status":"exhausted","url":` + quote(bad.url) + `}`:       `{"count":2}`,
		`{"task_id":"` + placed[0].TaskID + `","status":"pending"}`: `{"count":0}`,
	} {
		if got := a.do("POST", "/api/callbacks/redeliver", filter).want(202); strings.TrimSpace(string(got.body)) != want {
			t.Errorf("%s answers %s, want %s", filter, got.body, want)
		}
	}
	down = false
	a.start()
	got := bad.wait(t, count(8))
	a.stop()
	if got[6].CallbackID == got[7].CallbackID {
		t.Errorf("redelivered are %s and %s", got[6].body, got[7].body)
	}
	if n := len(read[page[delivery]](a.do("GET", "/api/callbacks?status=delivered", "").want(200)).Items); n != 3 {
		t.Errorf("%d are delivered in the end", n)
	}
}

// TestNobodyThere shows what an attempt says when no answer came.
func TestNobodyThere(t *testing.T) {
	a := newAPI(t, settings{})
	a.start()
	placed := read[order](a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"http://127.0.0.1:1/"}`).want(202))
	a.do("GET", "/api/tasks/"+placed.TaskID+"?wait=20", "").want(200)
	a.stop()
	details := read[deliveryDetails](a.do("GET", "/api/callbacks/"+only(t, a, "").DeliveryID, "").want(200))
	if got := fmt.Sprintf("%+v", details.Attempts); got != "[{Number:1 Address:127.0.0.1:1 StatusCode:0 Headers:map[] Body: Error:connection refused}]" {
		t.Errorf("attempts are %s", got)
	}
}

// TestHosts: a host that does not answer is probed by one callback at a time, and says
// so; one that answers is not harmed.
func TestHosts(t *testing.T) {
	a := newAPI(t, settings{schedule: callbacks.Schedule{Waits: slices.Repeat([]time.Duration{time.Hour}, 5)}})
	a.start()
	well := newReceiver(t)
	for range 25 { // the 20th failure opens the breaker
		a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"http://127.0.0.1:1/"}`).want(202)
	}
	a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"`+well.url+`"}`).want(202)
	well.wait(t, count(1))
	var hosts map[string]host
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		hosts = map[string]host{}
		for h := range pages[host](a, "/api/callbacks/hosts?limit=1") {
			hosts[h.Host] = h
		}
		if hosts["http://127.0.0.1:1"].State == "open" && hosts["http://127.0.0.1:1"].InFlight == 0 {
			break
		}
	}
	dead := hosts["http://127.0.0.1:1"]
	if dead.State != "open" || dead.Failures < 20 || dead.Error == nil || *dead.Error != "connection refused" || dead.ProbeAt == nil || dead.OpenSince == nil || dead.DueAt == nil {
		t.Errorf("the dead host is %+v", dead)
	}
	if alive := hosts[models.HostOf(well.url)]; alive.State != "closed" || alive.Failures != 0 || alive.Error != nil {
		t.Errorf("the other is %+v of %+v", alive, hosts)
	}
	a.do("GET", "/api/callbacks/hosts?state=open", "").want(422)
}

type host struct {
	Host     string     `json:"host"`
	State    string     `json:"state"`
	InFlight int        `json:"in_flight"`
	Failures int        `json:"failures"`
	Error    *string    `json:"error"`
	ProbeAt  *time.Time `json:"probe_at"`
	DueAt    *time.Time `json:"due_at"`

	OpenSince *time.Time `json:"open_since"`
}

// TestThousandsOfAttempts (security 4): the attempts of a delivery come in pages that are bounded in number and in bytes; together
// they are all of them, each once, in their order.
func TestThousandsOfAttempts(t *testing.T) {
	const attempts, large = 3204, 500 // as many as were tried from outside; a part of them with a long answer
	a := newAPI(t, settings{})
	placed := read[order](a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"http://127.0.0.1:1/"}`).want(202))
	a.start()
	a.do("GET", "/api/tasks/"+placed.TaskID+"?wait=20", "").want(200)
	a.stop()
	d := only(t, a, "order_id="+placed.OrderID)
	must(t, a.store.InTx(t.Context(), func(tx *models.Tx) error {
		return errors.Join(tx.Exec("DELETE FROM attempts").Error, tx.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO attempts (delivery_id, number, started_at, duration, address, status_code, headers, body, error)
			SELECT ?, i, ?, 1000, '127.0.0.1:1', 500, '{}', CASE WHEN i <= ? THEN printf('%.*c', 30000, 'x') ELSE 'no' END, '' FROM n`,
			attempts, d.DeliveryID, models.Now(), large).Error)
	}))
	var numbers []int
	pages := 0
	for path := "/api/callbacks/" + d.DeliveryID; path != ""; pages++ {
		got := a.do("GET", path, "").want(200)
		if len(got.body) > 1<<20+64<<10 {
			t.Fatalf("a page of %d bytes", len(got.body))
		}
		for _, at := range read[deliveryDetails](got).Attempts {
			numbers = append(numbers, at.Number)
		}
		path = ""
		if link := nextLink.FindStringSubmatch(got.Header.Get("Link")); link != nil {
			path = link[1]
		}
	}
	for i, number := range numbers {
		if number != i+1 {
			t.Fatalf("attempt %d comes after %d", number, i)
		}
	}
	if len(numbers) != attempts || pages < 40 || pages > 50 { // 100 on a page, of the large ones 35
		t.Errorf("%d attempts in %d pages", len(numbers), pages)
	}
}
