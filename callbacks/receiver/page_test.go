package receiver_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"petstore/callbacks/receiver"
	"petstore/docs/browsertest"
)

// startReceiver serves a receiver with the inbox "shop", whose secret is "s", and returns its URL.
func startReceiver(t *testing.T) string {
	t.Helper()
	rc := receiver.New(receiver.Options{ServerURL: func() string { return "http://127.0.0.1:12345/shop" }})
	if err := rc.Configure("shop", receiver.Settings{Secret: "s"}); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := rc.Server()
	go server.Serve(receiver.Listen(listener)) // It ends with an error when the server is closed.
	t.Cleanup(func() {
		rc.Close()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return "http://" + listener.Addr().String()
}

// send sends a body to a URL as the article's sender signs it, and returns the status that is answered.
func send(t *testing.T, url, body, signature string) int {
	t.Helper()
	request, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Callback-Signature", signature)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// The article's signatures of two bodies with the secret "s", by openssl dgst -sha256 -hmac s.
const (
	first      = `{"callback_id":"cb_1","type":"order.completed"}`
	firstFits  = "sha256=5884a3a480216f2dc6db0dad50724813ae1b135999a357ea14498772a1b96ac9"
	second     = `{"callback_id":"cb_2","note":"<b>&amp;</b>","big":12345678901234567890}`
	secondFits = "sha256=107129ef62ed531e6afe941aa171ca1de0a8d82eca9dc218f1df81b8161d9519"
)

// TestPage uses the page as a person would, in a browser.
func TestPage(t *testing.T) {
	base := startReceiver(t)
	inbox := base + "/in/shop/orders"
	p := browsertest.Open(t, base+"/#shop", 1400)
	p.Await(`document.querySelector("#detail .empty")?.innerText.includes("http://127.0.0.1:12345/shop/api/orders") && document.querySelector(".lamp.live")`)
	if text := browsertest.Eval[string](p, `document.querySelector("#detail .empty").innerText`); !strings.Contains(text, base+"/in/shop") {
		t.Errorf("the empty page does not say where to send: %s", text)
	}

	// A live arrival appears, and its verdict is green.
	send(t, inbox, first, firstFits)
	p.Await(`document.querySelector(".item .mark.good") && document.querySelector('.verdict.good[data-code="signature_ok"]')`)
	p.Look("good")

	// A verdict is red, in the list and beside it. Markup is shown as text, and numbers as they came.
	send(t, inbox, second, firstFits)
	p.Await(`document.querySelector(".item .mark.bad") && document.querySelector('.verdict.bad[data-code="signature_mismatch"]')`)
	p.Await(`document.querySelector(".json")?.innerText.includes('"<b>&amp;</b>"') && document.querySelector(".json .number").innerText === "12345678901234567890"`)
	p.Look("bad")

	// Attempts of one delivery are folded, with a timeline. A chip stays, whose number changes while somebody clicks on it.
	p.Do(`window.all = document.querySelector(".chip.all")`)
	send(t, inbox, first, firstFits)
	p.Await(`document.querySelectorAll(".item").length === 2 && document.querySelector(".item .again")?.innerText === "×2" && document.querySelectorAll(".attempt").length === 2`)

	p.Await(`all.innerText.includes("3") && all === document.querySelector(".chip.all")`)

	// The filter by verdict.
	p.Click(".chip.bad")
	p.Await(`document.querySelectorAll(".item").length === 1 && document.querySelector(".item .wrong").innerText === "signature mismatch"`)
	p.Click(".chip.all")
	p.Await(`document.querySelectorAll(".item").length === 2`)

	scriptEditor(t, p, inbox)
	replayOnPage(t, p)

	if found := browsertest.Eval[int](p, `(document.querySelectorAll("style, [style], script:not([src])").length)`); found > 0 {
		t.Errorf("%d elements need more than default-src 'self'", found)
	}
}

// scriptEditor has the next request of each delivery fail.
func scriptEditor(t *testing.T, p *browsertest.Page, inbox string) {
	t.Helper()
	p.Click("#script-button")
	p.Fill("#script", `[{`)
	p.Await(`document.querySelector(".says .wrong")`)
	p.Fill("#script", `[{"status":42}]`)
	p.Click("dialog .primary")
	p.Await(`document.querySelector(".problem").innerText.includes("status")`) // The receiver's own complaint.
	p.Fill("#script", `[{"status":503,"times":1}]`)
	p.Await(`document.querySelector(".says").innerText.includes("The next request: answer 503.")`)
	p.Look("script")
	p.Click("dialog .primary")
	p.Await(`!document.querySelector("dialog") && document.querySelector("#script-button .n")`)
	for _, want := range []int{503, 200} {
		if status := send(t, inbox, second, secondFits); status != want {
			t.Errorf("answered %d, want %d", status, want)
		}
	}
	p.Await(`document.querySelector(".item .status").innerText === "200" && document.querySelector(".attempt .status.bad")?.innerText === "503"`)
}

// replayOnPage sends the newest request to another server.
func replayOnPage(t *testing.T, p *browsertest.Page) {
	t.Helper()
	replayed := make(chan *http.Request, 1)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		replayed <- r
		w.WriteHeader(http.StatusTeapot)
	}))
	defer target.Close()
	p.Click(".head .buttons button")
	p.Fill(`dialog input[type="url"]`, target.URL+"/again")
	p.Click("dialog .primary")
	p.Await(`document.querySelector("dialog .result .status")?.innerText === "418"`)
	p.Look("replay")
	r := <-replayed
	body, _ := io.ReadAll(r.Body)
	if r.URL.Path != "/again" || string(body) != second || r.Header.Get("X-Callback-Signature") != secondFits {
		t.Errorf("%s %s %v", r.URL.Path, body, r.Header)
	}
	p.Click("dialog header button")
	p.Await(`document.querySelector("#tab-forwards")`)
}

// TestPageByKeyboard goes through the page without a mouse: along the list, through the tabs, a search, another inbox, and clears it.
func TestPageByKeyboard(t *testing.T) {
	base := startReceiver(t)
	send(t, base+"/in/shop/first", first, firstFits)
	send(t, base+"/in/shop/second", second, firstFits)
	send(t, base+"/in/other", first, firstFits)
	p := browsertest.Open(t, base+"/#shop", 1400)
	p.Await(`document.querySelector("#detail h1")?.innerText === "/in/shop/second"`)
	// What does not change is not drawn.
	p.Do(`window.drawn = window.passed = 0; window.real = requestAnimationFrame;
		window.requestAnimationFrame = (f) => real((at) => { drawn++; f(at); });
		(function frame() { if (++passed < 40) real(frame); })()`)
	p.Await(`passed === 40`)
	p.Await(`drawn < 10`)
	p.Do(`window.requestAnimationFrame = real`)
	p.Press("j")
	p.Await(`document.querySelector("#detail h1").innerText === "/in/shop/first" && location.hash.startsWith("#shop/")`)
	p.Press("k")
	p.Await(`document.querySelector("#detail h1").innerText === "/in/shop/second"`)
	p.Press("2")
	p.Await(`document.querySelector(".pairs")?.innerText.includes("X-Callback-Signature")`)
	// Keys are not lost while a request loads.
	p.Do(`window.real = fetch; window.held = new Promise((done) => { window.release = done; }); window.fetch = async (...args) => { await held; return real(...args); }`)
	p.Press("j")
	p.Press("4")
	p.Do(`release()`)
	p.Await(`document.querySelector("#detail h1").innerText === "/in/shop/first" && document.querySelector(".panel").dataset.tab === "answer"`)
	p.Do(`window.fetch = real`)
	p.Press("/")
	p.Await(`document.activeElement.id === "search"`)
	p.Fill("#search", "CB_1")
	p.Await(`document.querySelectorAll(".item").length === 1 && document.querySelector(".item .path").innerText === "/first"`)
	p.Fill("#search", "nowhere")
	p.Await(`document.querySelector(".empty.filtered") && !document.querySelector(".item")`)
	p.Fill("#search", "")
	p.Await(`document.querySelectorAll(".item").length === 2`)
	p.Do(`document.activeElement.blur()`)
	p.Press("?")
	p.Await(`document.querySelector("dialog .keys")`)
	p.Click("dialog header button")
	p.Await(`!document.querySelector("dialog")`)
	p.Press("x")
	p.Await(`document.querySelector("dialog .primary")`)
	p.Click("dialog .primary")
	p.Await(`!document.querySelector(".item") && document.querySelector("#detail .empty")`)
	p.Do(`location.hash = "#other"`)
	p.Await(`document.querySelector("#inboxes").value === "other" && document.querySelector(".item")`)
	// What is drawn before the page hears of the new address does not undo it.
	p.Do(`import("./assets/state.js").then(({ set, state }) => {
		const frame = requestAnimationFrame;
		window.requestAnimationFrame = queueMicrotask;
		frame(() => frame(() => { set({ follow: state.follow }); location.hash = "#shop"; }));
	})`)
	p.Await(`document.querySelector("#inboxes").value === "shop" && !document.querySelector(".item")`)
}

// TestOlderOnPage: of many requests the page shows the newest, and older ones when it is asked.
func TestOlderOnPage(t *testing.T) {
	base := startReceiver(t)
	for i := range 600 {
		send(t, base+"/in/shop/orders", fmt.Sprintf(`{"callback_id":"old_%d"}`, i), firstFits)
	}
	p := browsertest.Open(t, base+"/#shop", 1400)
	p.Await(`document.querySelectorAll(".item").length === 500`)
	p.Look("many")
	p.Click("#older")
	p.Await(`document.querySelectorAll(".item").length === 600 && !document.querySelector("#older")`)
	send(t, base+"/in/shop/orders", first, firstFits)
	p.Await(`document.querySelectorAll(".item").length === 601 && document.querySelector(".item .mark.good")`)
}

// TestPageOrText: a browser gets the page, curl what it always got.
func TestPageOrText(t *testing.T) {
	base := startReceiver(t)
	for _, test := range []struct{ path, accept, contentType, begin string }{
		{"/", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8", "<!DOCTYPE html>"},
		{"/", "*/*", "text/plain; charset=utf-8", "This is the sample receiver"},
		{"/", "", "text/plain; charset=utf-8", "This is the sample receiver"},
		{"/assets/main.js", "*/*", "text/javascript; charset=utf-8", "// The page of the receiver"},
		{"/assets/base.css", "*/*", "text/css; charset=utf-8", "/* Colours"},
		{"/assets/icon.svg", "*/*", "image/svg+xml", "<svg"},
	} {
		request, err := http.NewRequest("GET", base+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", test.accept)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.Header.Get("Content-Type") != test.contentType || !strings.HasPrefix(string(body), test.begin) {
			t.Errorf("%s for %q: %s, %.40s", test.path, test.accept, response.Header.Get("Content-Type"), body)
		}
		if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") && !strings.HasPrefix(string(body), "This is") {
			t.Errorf("%s: policy %q", test.path, policy)
		}
	}
}
