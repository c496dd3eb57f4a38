package receiver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestCurl has a shell run what is shown, and compares what comes.
func TestCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil && os.Getenv("CI") == "" {
		t.Skip("needs curl")
	}
	t.Setenv("no_proxy", "127.0.0.1") // faults 1, another instance: a proxy of who runs the tests
	b := newBench(t)
	for i, message := range []string{
		"GET /in/a//x/../y?q='%20$HOME` HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /in/a/[1-3]{a,b} HTTP/1.1\r\nHost: h\r\nAccept: x\r\nX-Empty:\r\nX-Quote: it's \"$(id)\"\r\n\r\n",
		"POST /in/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n{\"a\": \"it's\",\r\n\t1}",
		"POST /in/a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n@abc",
		"PATCH /in/a HTTP/1.1\r\nHost: h\r\nUser-Agent: me\r\nContent-Length: 7\r\n\r\n\x00%s\\\xff'\n",
		"HEAD /in/a HTTP/1.1\r\nHost: h\r\n\r\n",
		// faults 4, another instance: bytes that no clipboard and no terminal leaves as they are
		"POST /in/a?q=K\xf6ln HTTP/1.1\r\nHost: h\r\nX-Name: K\xf6ln 'o' %d\r\nContent-Length: 6\r\n\r\nK\xf6ln\r\n",
	} {
		b.call("DELETE", "/inboxes/a/requests", "")
		b.exchangeRaw(message, 1)
		original := b.receiver.Requests("a", nil)[0]
		_, command := b.call("GET", fmt.Sprintf("/inboxes/a/requests/%d/curl", original.Number), "")
		if !utf8.ValidString(command) || strings.ContainsAny(command, "\r\x00") {
			t.Errorf("%q cannot be copied", command)
		}
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s", command, err, out)
			continue
		}
		got := b.receiver.Requests("a", nil)
		again := got[len(got)-1]
		dropped := func(h Header) bool { return isOneOf(h.Name, "Host", "Content-Length") }
		if len(got) != 2 || again.Method != original.Method || again.Target != original.Target || !bytes.Equal(again.Body, original.Body) ||
			!slices.Equal(slices.DeleteFunc(slices.Clone(again.Headers), dropped), slices.DeleteFunc(slices.Clone(original.Headers), dropped)) {
			t.Errorf("message %d: %s\ncame as %q\nwanted  %q", i, command, again.Raw(), original.Raw())
		}
	}
}

func TestDownloads(t *testing.T) {
	b := newBench(t)
	b.exchangeRaw(oddHead+"{\"a\": \x00}", 1)
	b.call("POST", "/in/odd?x=1", `{"b":"é"}`, "Content-Type", "application/json")
	for path, want := range map[string]string{"/1/body": "{\"a\": \x00}", "/1/raw": oddHead + "{\"a\": \x00}", "/2/body": `{"b":"é"}`} {
		response, err := http.Get(b.server.URL + "/inboxes/odd/requests" + path)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		_, _ = got.ReadFrom(response.Body)
		response.Body.Close()
		if got.String() != want || !strings.HasPrefix(response.Header.Get("Content-Disposition"), "attachment") || response.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %q %v", path, got.String(), response.Header)
		}
	}
	for _, path := range []string{"/3", "/0/raw", "/x/body", "/-1"} {
		if status, body := b.call("GET", "/inboxes/odd/requests"+path, ""); status != 404 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _ := b.call("GET", "/inboxes/other/requests/1", ""); status != 404 {
		t.Errorf("in another inbox: %d", status)
	}
	if status, body := b.call("GET", "/inboxes/odd/requests/2", ""); status != 200 || !strings.Contains(body, `"body":"{\"b\":\"é\"}"`) || !strings.Contains(body, `"headers_exact":true`) {
		t.Errorf("one: %d %s", status, body)
	}
}

func TestHAR(t *testing.T) {
	b := newBench(t)
	b.exchangeRaw(oddHead+"{\"a\": \x00}", 1)
	b.call("POST", "/in/odd?x=1&x=2&y=", "\xff", "Content-Type", "image/png")
	b.call("PUT", "/inboxes/odd", `{"script":[{"drop":"before"}]}`)
	b.call("POST", "/in/odd/dropped", "")
	_, body := b.call("GET", "/inboxes/odd/requests.har", "")
	var got har
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	e := got.Log.Entries
	if got.Log.Version != "1.2" || got.Log.Creator.Name == "" || len(e) != 3 {
		t.Fatalf("%s", body)
	}
	if e[0].Request.Headers[1] != headers("x-b", "2")[0] || e[0].Request.HeadersSize != len(oddHead) || e[0].Response.Content.Text != "OK" {
		t.Errorf("first: %+v", e[0])
	}
	if !slices.Equal(e[1].Request.QueryString, headers("x", "1", "x", "2", "y", "")) || e[1].Request.PostData.Text != "/w==" || e[1].Request.PostData.MimeType != "image/png" {
		t.Errorf("second: %+v", e[1].Request)
	}
	if e[2].Response.Status != 0 || e[2].Request.PostData != nil {
		t.Errorf("third: %+v", e[2])
	}
	if _, one := b.call("GET", "/inboxes/odd/requests/2/har", ""); strings.Count(one, `"_number"`) != 1 {
		t.Errorf("one: %s", one)
	}
}
