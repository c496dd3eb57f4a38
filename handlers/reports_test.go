package handlers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"petstore/callbacks"
)

type report struct {
	ReportID string            `json:"report_id"`
	TaskID   string            `json:"task_id"`
	Type     string            `json:"type"`
	Status   string            `json:"status"`
	From     *string           `json:"from"`
	Metadata map[string]string `json:"metadata"`
	Result   struct {
		Summary  string          `json:"summary"`
		Download string          `json:"download"`
		Error    callbacks.Error `json:"error"`
	} `json:"result"`
	Error callbacks.Error `json:"error"`
}

// reportEnded waits for the last update of a report.
func reportEnded(id string) func([]received) bool {
	return func(got []received) bool {
		for _, u := range got {
			if u.ReportID == id && u.Terminal() {
				return true
			}
		}
		return false
	}
}

// made asks for a report and waits for its end.
func (a *api) made(request string) report {
	a.Helper()
	asked := read[report](a.do("POST", "/api/reports", request).want(202))
	a.do("GET", "/api/tasks/"+asked.TaskID+"?wait=20", "").want(200)
	return read[report](a.do("GET", "/api/reports/"+asked.ReportID, "").want(200))
}

// TestArticleReport is the article's request for a report, with a receiver that
// is here.
func TestArticleReport(t *testing.T) {
	a := newAPI(t, settings{})
	receiver := newReceiver(t)
	a.start()
	a.do("POST", "/api/orders", `{"product":"dog-food","callback_url":"`+receiver.url+`"}`).want(202)
	receiver.wait(t, func(got []received) bool { return len(got) > 0 && got[len(got)-1].Terminal() })

	accepted := a.do("POST", "/api/reports", `{ "type": "sales", "callback_url": "`+receiver.url+`" }`).want(202)
	asked := read[report](accepted)
	if asked.Status != "processing" || asked.ReportID == "" || asked.From != nil || accepted.Header.Get("Location") != "/api/reports/"+asked.ReportID {
		t.Errorf("answered %s, Location %s", accepted.body, accepted.Header.Get("Location"))
	}
	got := receiver.wait(t, reportEnded(asked.ReportID))
	last := got[len(got)-1]
	var result struct {
		Summary string `json:"summary"`
	}
	must(t, json.Unmarshal(last.Result, &result))
	if want := "1 order so far: 1 item sold for 24.99 USD. Best seller: Dog food, 1 item."; last.Type != "report.completed" || result.Summary != want {
		t.Errorf("the last callback is %s", last.body)
	}
	shown := read[report](a.do("GET", "/api/reports/"+asked.ReportID, "").want(200))
	if shown.Status != "completed" || shown.Result.Summary != result.Summary {
		t.Errorf("the report is %+v", shown)
	}
	a.do("GET", shown.Result.Download, "").want(200)
}

func TestFailedReport(t *testing.T) {
	a := newAPI(t, settings{})
	receiver := newReceiver(t)
	a.start()
	asked := read[report](a.do("POST", "/api/reports", `{"type":"dataset","data":"[{\"a\":","callback_url":"`+receiver.url+`","metadata":{"job":"7"}}`).want(202))
	got := receiver.wait(t, reportEnded(asked.ReportID))
	last := got[len(got)-1]
	if last.Type != "report.failed" || last.Error == nil || last.Error.Code != "INVALID_DATASET" || last.Metadata["job"] != "7" {
		t.Errorf("the last callback is %s", last.body)
	}
	shown := read[report](a.do("GET", "/api/reports/"+asked.ReportID, "").want(200))
	if shown.Status != "failed" || shown.Error.Code != "INVALID_DATASET" || shown.Result.Error != shown.Error {
		t.Errorf("the report is %+v", shown)
	}
	a.do("GET", "/api/reports/"+asked.ReportID+"/download", "").want(409)
}

func TestDownload(t *testing.T) {
	a := newAPI(t, settings{})
	waiting := read[report](a.do("POST", "/api/reports", `{"type":"inventory"}`).want(202))
	a.do("GET", "/api/reports/"+waiting.ReportID+"/download", "").want(409)
	a.start()
	for _, request := range []string{
		`{"type":"inventory"}`, `{"type":"sales"}`, `{"type":"callbacks","from":"2026-01-01","to":"2026-01-31"}`, `{"type":"dataset","data":"a,b\n1,=2\n"}`,
	} {
		r := a.made(request)
		path := "/api/reports/" + r.ReportID + "/download"
		if r.Status != "completed" || r.Result.Download != path {
			t.Errorf("%s: %+v", request, r)
		}
		for format, mediaType := range map[string]string{
			"json": "application/json", "csv": "text/csv", "html": "text/html", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		} {
			res := a.do("GET", path+"?format="+format, "").want(200)
			if got, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";"); got != mediaType {
				t.Errorf("%s is sent as %s", format, got)
			}
			if name := fmt.Sprintf(`filename="%s.%s"`, r.ReportID, format); !strings.HasSuffix(res.Header.Get("Content-Disposition"), name) {
				t.Errorf("Content-Disposition is %s", res.Header.Get("Content-Disposition"))
			}
			if res.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s has the headers %v", format, res.Header)
			}
		}
	}
	r := a.made(`{"type":"inventory"}`)
	a.do("GET", "/api/reports/"+r.ReportID+"/download?format=pdf", "").want(422).names("format")
	a.do("GET", "/api/reports/"+r.ReportID+"/download?form=csv", "").want(422).names("form")
	a.do("GET", "/api/reports/rpt_0/download", "").want(404)
}

func TestReportsAreListedAndRemoved(t *testing.T) {
	a := newAPI(t, settings{})
	var ids []string
	for _, request := range []string{`{"type":"sales"}`, `{"type":"inventory"}`, `{"type":"dataset","data":"x"}`, `{"type":"sales","from":"2026-01-01"}`} {
		ids = append(ids, read[report](a.do("POST", "/api/reports", request).want(202)).ReportID)
	}
	list := func(query string) (got []string, next string) {
		p := read[page[report]](a.do("GET", "/api/reports"+query, "").want(200))
		for _, r := range p.Items {
			got = append(got, r.ReportID)
		}
		if p.NextCursor != nil {
			next = *p.NextCursor
		}
		return got, next
	}
	if got, _ := list(""); fmt.Sprint(got) != fmt.Sprint([]string{ids[3], ids[2], ids[1], ids[0]}) {
		t.Errorf("all are %v", got)
	}
	if got, _ := list("?type=sales"); fmt.Sprint(got) != fmt.Sprint([]string{ids[3], ids[0]}) {
		t.Errorf("sales are %v", got)
	}
	if got, _ := list("?status=completed"); len(got) != 0 {
		t.Errorf("completed are %v", got)
	}
	first, next := list("?limit=3")
	rest, end := list("?limit=3&cursor=" + next)
	if len(first) != 3 || fmt.Sprint(rest) != fmt.Sprint(ids[:1]) || end != "" {
		t.Errorf("pages are %v and %v, the last has the cursor %q", first, rest, end)
	}
	a.do("GET", "/api/reports?type=taxes", "").want(422).names("type")
	a.do("DELETE", "/api/reports/"+ids[1], "").want(204)
	a.do("GET", "/api/reports/"+ids[1], "").want(404)
	a.do("DELETE", "/api/reports/"+ids[1], "").want(404)
}

func TestBadReports(t *testing.T) {
	a := newAPI(t, settings{})
	unchanged := a.watch()
	for request, field := range map[string]string{
		`{}`:                                                     "type",
		`{"type":"taxes"}`:                                       "type",
		`{"type":"sales","data":"x"}`:                            "data",
		`{"type":"dataset"}`:                                     "data",
		`{"type":"dataset","data":""}`:                           "data",
		`{"type":"dataset","data":7}`:                            "data",
		`{"type":"dataset","data":true}`:                         "data",
		`{"type":"dataset","data":"a\u0000b"}`:                   "data",
		`{"type":"dataset","data":"x","from":"2026-01-01"}`:      "from",
		`{"type":"inventory","to":"2026-01-01"}`:                 "to",
		`{"type":"sales","from":"2026-02-30"}`:                   "from",
		`{"type":"sales","from":"01.02.2026"}`:                   "from",
		`{"type":"sales","to":"0001-01-01"}`:                     "to",
		`{"type":"sales","from":"2026-01-02","to":"2026-01-01"}`: "to",
		`{"type":"sales","callback_url":"ftp://x.test"}`:         "callback_url",
		`{"type":"sales","metadata":{"":"x"}}`:                   "metadata",
		`{"type":"sales","since":"2026-01-02"}`:                  "since",
	} {
		a.do("POST", "/api/reports", request).want(422).names(field)
	}
	a.do("POST", "/api/reports", `{"type":"dataset","data":"`+strings.Repeat("x", 1<<20)+`"}`).want(413)
	a.do("POST", "/api/reports", `{"type":"dataset","data":"x","data":"y"}`).want(400)
	a.do("POST", "/api/reports?type=sales", `{"type":"sales"}`).want(422)
	a.do("POST", "/api/reports", `type=sales`, "Content-Type: application/x-www-form-urlencoded").want(415)
	if !unchanged() {
		t.Error("something was stored")
	}
	// What JSON has inside a dataset is no business of the edge.
	a.do("POST", "/api/reports", `{"type":"dataset","data":[{"a":1},[2],null,"x"]}`).want(202)
	a.do("POST", "/api/reports", `{"type":"dataset","data":{"a":{"b":[]}}}`).want(202)
	a.do("POST", "/api/reports", `{"type":"dataset","data":"`+strings.Repeat("x", 1<<20-100)+`"}`).want(202)
}
