package main

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/docs/browsertest"
	"petstore/docs/nodetest"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// README shows the picture: go test ./cmd/petstore -run TestLabCallbacks -picture.
var picture = flag.Bool("picture", false, "write docs/images/lab.png")

// openLab opens the lab of a server whose work takes a third of a second an item.
func openLab(t *testing.T, width int) *browsertest.Page {
	t.Helper()
	return openLabAt(t, startApp(t, 300*time.Millisecond).URL()+"/", width)
}

func openLabAt(t *testing.T, url string, width int) *browsertest.Page {
	t.Helper()
	p := browsertest.Open(t, url, width)
	p.Await(labReady)
	return p
}

// choose sets a control of the lab's form to a value, as a person does.
func choose(p *browsertest.Page, name, value string) {
	p.Do(`{
		const field = [...document.querySelectorAll("#ask [name=` + name + `]")].find((f) => f.type === "select-one" || f.value === "` + value + `");
		if (field.type === "select-one") { field.value = "` + value + `"; field.dispatchEvent(new Event("change", {bubbles: true})); } else field.click();
	}`)
}

const (
	labReady = `document.documentElement.dataset.ready !== undefined`
	labDone  = `document.querySelector("#stage").dataset.state === "done"`
	// labCalls are the answers to callbacks, in order.
	labCalls = `[...document.querySelectorAll(".row.pair[data-way=callback]")].map((r) => r.classList.contains("good") + " " + r.querySelector(".first").textContent + " " + r.querySelector(".second .what").textContent).join("\n")`
)

// TestLabCallbacks is a person's way: they order with a receiver that fails twice, see two attempts fail, the wait for the
// next, and how it succeeds; and select an arrow to see what was sent, and by whom.
func TestLabCallbacks(t *testing.T) {
	p := openLab(t, 1400)
	choose(p, "fault", "fails twice")
	p.Await(`document.querySelector("[name=callback_url]").value.endsWith("/callbacks/order-status?fail=2")`)
	p.Do(`new MutationObserver(() => { window.counted ||= document.querySelector(".row.wait progress")?.value > 0 }).observe(document.body, {subtree: true, childList: true, attributes: true})`)
	choose(p, "way", "sse")
	p.Click(`#ask .primary`)
	if *picture {
		p.Await(`document.querySelector(".row.wait")?.textContent.includes("attempt 3in 1") && document.getAnimations().length === 0`)
		p.Write("../../docs/images/lab.png")
	}
	p.Await(labDone)
	for !browsertest.Eval[bool](p, `Boolean(window.counted)`) { // the waits are random, and may be too short to be seen
		p.Click(`#ask .primary`)
		p.Await(labDone)
	}
	p.Look("done")
	calls := browsertest.Eval[string](p, labCalls)
	for _, want := range []string{"false Callbackorder.completed 500", "false Callbackorder.completedattempt 2 500", "true Callbackorder.completedattempt 3 200 OK"} {
		if !strings.Contains(calls, want) {
			t.Errorf("the callbacks are\n%s\nwant %q among them", calls, want)
		}
	}
	p.Click(`.row.good[data-way=callback] button`)
	detail := browsertest.Eval[string](p, `document.querySelector(".row.good[data-way=callback] .detail").innerText`)
	for _, want := range []string{"callbacks/sender.go:", "s.transport.RoundTrip(request)", "callbacks/middleware.go:", "X-Callback-Signature: sha256=", `"type": "order.completed"`, "200 OK"} {
		if !strings.Contains(detail, want) {
			t.Errorf("the message of the callback lacks %q:\n%s", want, detail)
		}
	}
}

// TestLabWays hears of one order in every way at once, and compares what each cost.
func TestLabWays(t *testing.T) {
	app := startApp(t, 300*time.Millisecond)
	p := openLabAt(t, app.URL()+"/", 1400)
	choose(p, "items", "3")
	for _, way := range []string{"sse", "socketio", "websocket", "polling", "longpolling", "blocking"} {
		choose(p, "way", way)
	}
	p.Click(`#ask .primary`)
	p.Await(labDone)
	p.Look("ways")
	for way, want := range map[string]string{
		"callback": "order.completed", "sse": "order-update completed", "socketio": "complete", "websocket": "complete",
		"polling": "200 OK", "longpolling": "200 OK", "blocking": "201 Created",
	} {
		told := browsertest.Eval[string](p, `[...document.querySelectorAll(".row[data-way=`+way+`]")].map((r) => r.textContent).join("\n")`)
		if !strings.Contains(told, want) {
			t.Errorf("%s tells\n%s\nwant %q", way, told, want)
		}
	}
	score := browsertest.Eval[map[string]string](p, `Object.fromEntries([...document.querySelectorAll("#score tbody tr")].map((r) => [r.dataset.way, [...r.cells].slice(1, 2).map((c) => c.textContent).join()]))`)
	for way, want := range map[string]string{"sse": "2", "socketio": "2", "websocket": "2", "longpolling": "2", "blocking": "1"} {
		if score[way] != want {
			t.Errorf("%s takes %s requests, want %s", way, score[way], want)
		}
	}
	if unknown := browsertest.Eval[int](p, `[...document.querySelectorAll("#score td")].filter((c) => c.textContent === "–").length`); unknown > 0 {
		t.Errorf("%d figures are unknown at the end", unknown)
	}
	awaitNoStreams(t, app)
}

// TestLabKeyboard: nothing needs a mouse.
func TestLabKeyboard(t *testing.T) {
	p := openLab(t, 1400)
	p.Do(`document.querySelector("[name=quantity]").focus()`)
	p.Press(kb.Enter)
	p.Await(labDone)
	p.Do(`document.querySelector("#ask .primary").focus()`)
	p.Press(kb.Tab)
	p.Await(`document.activeElement === document.querySelector("#rows > li:nth-child(1) button")`)
	p.Press(kb.ArrowDown)
	p.Press(kb.Enter)
	p.Await(`document.querySelector("#rows > li:nth-child(2) .detail")`)
	p.Press(kb.Tab)
	p.Await(`document.activeElement.matches("#rows .detail pre")`)
	if stops := browsertest.Eval[int](p, `[...document.querySelectorAll("#rows button")].filter((b) => b.tabIndex === 0).length`); stops != 1 {
		t.Errorf("%d rows are in the order of Tab, want one", stops)
	}
}

// TestLabFaults: what goes wrong is shown, each in its way.
func TestLabFaults(t *testing.T) {
	app := startApp(t, 100*time.Millisecond)
	url := app.URL() + "/"
	p := openLabAt(t, url, 1400)
	for _, c := range []struct {
		name    string
		choices [][2]string
		want    string // an expression that holds in the end
	}{
		{"another secret", [][2]string{{"fault", "has another secret"}}, `document.querySelectorAll(".row.pair.bad[data-way=callback] .verdict.bad").length > 1 && document.querySelector("#rows").textContent.includes("401 Invalid signature")`},
		{"twice", [][2]string{{"fault", "hears it twice"}}, labDone + ` && document.querySelector("#rows").textContent.includes("200 Already processed")`},
		{"declined", [][2]string{{"kind", "payment"}, {"outcome", "finds the card declined"}}, labDone + ` && document.querySelector(".row.update.bad").textContent.includes("The card was declined")`},
		{"out of stock", [][2]string{{"outcome", "is out of stock"}}, labDone + ` && document.querySelector(".row.update.bad").textContent.includes("order.failed")`},
		{"over a socket", [][2]string{{"way", "callback"}, {"way", "socketio"}}, labDone + ` && document.querySelector("#rows").textContent.includes("emit process")`},
	} {
		t.Log(c.name)
		p.Run(chromedp.Navigate(url))
		p.Await(labReady)
		for _, choice := range c.choices {
			choose(p, choice[0], choice[1])
		}
		p.Click(`#ask .primary`)
		p.Await(c.want)
		p.Look(c.name)
		p.Run(chromedp.Navigate("about:blank"))
		awaitNoStreams(t, app)
	}
}

// TestLabAlone: a server without a receiver, as in production, shows what it can; and that it is gone, when it is.
func TestLabAlone(t *testing.T) {
	app, err := New(t.Context(), Config{
		Addr: "127.0.0.1:0", DatabaseURL: tempDatabase(t), CallbackSecret: callbacks.DevelopmentSecret, StepDelay: 10 * time.Millisecond, Env: envDevelopment,
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopApp(t, app) })
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := openLabAt(t, app.URL()+"/", 1400)
	p.Await(`document.querySelector("#fault-note").textContent.includes("without the sample receiver")`)
	p.Click(`#ask .primary`)
	p.Await(labDone + ` && document.querySelector("#rows").textContent.includes("order-update completed")`)
	p.Look("alone")

	stopApp(t, app)
	p.Click(`#ask .primary`)
	p.Await(`document.querySelector("#stage").dataset.state === "failed" && document.querySelector("#problem").textContent.includes("can't be reached")`)
	choose(p, "way", "sse")
	choose(p, "way", "websocket")
	p.Click(`#ask .primary`)
	p.Await(`document.querySelector("#stage").dataset.state === "failed" && document.querySelector("#problem").textContent.includes("closed before the end")`)
}

// TestLabBehindAProxy: below a path of somebody else's server, all of it is found; and a stream that the proxy cuts goes on.
func TestLabBehindAProxy(t *testing.T) {
	api, err := url.Parse(startApp(t, time.Second).URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(http.StripPrefix("/shop", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(api) }, FlushInterval: -1}))
	t.Cleanup(proxy.Close)
	p := openLabAt(t, proxy.URL+"/shop/", 1400)
	for _, way := range []string{"sse", "websocket", "socketio"} {
		choose(p, "way", way)
	}
	p.Click(`#ask .primary`)
	p.Await(`[...document.querySelectorAll(".row.message[data-way=sse]")].some((r) => r.textContent.includes("95 %"))`)
	proxy.CloseClientConnections()
	p.Await(labDone)
	streams := browsertest.Eval[string](p, `[...document.querySelectorAll(".row[data-way=sse]")].map((r) => r.querySelector(".what").textContent.split("?")[0]).join()`)
	if want := "GET /shop/api/orders/stream,order-update 0 %,order-update 95 %,GET /shop/api/orders/stream,order-update completed"; streams != want {
		t.Errorf("of the stream there is %s, want %s", streams, want)
	}
	p.Run(chromedp.Navigate("about:blank"))
}

// TestLabCopies: what is there to copy does what it says.
func TestLabCopies(t *testing.T) {
	p := openLab(t, 1400)
	choose(p, "way", "blocking")
	run := func(want ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "sh", "-c", copied(p, "curl")).CombinedOutput()
		for _, text := range want {
			if err != nil || !strings.Contains(string(out), text) {
				t.Errorf("%v, want %q in\n%s", err, text, out)
			}
		}
	}
	run("202 Accepted", "201 Created")
	choose(p, "way", "polling")
	choose(p, "way", "longpolling")
	run(`"status":"completed"`, "order.completed")
	for _, way := range []string{"sse", "socketio", "websocket"} {
		choose(p, "way", way)
	}
	check(t, "../..", "mine.go", copied(p, "go"), "go", "vet")
	if _, err := exec.LookPath("node"); err == nil || os.Getenv("CI") != "" {
		check(t, ".", "mine.mjs", copied(p, "node"), "node", "--check")
	}
	choose(p, "way", "callback")
	choose(p, "kind", "payment")
	check(t, "../..", "mine.go", copied(p, "go"), "go", "vet")
}

// copied is the code in a language.
func copied(p *browsertest.Page, language string) string {
	p.Click(`#copy button[value=` + language + `]`)
	return browsertest.Eval[string](p, `document.querySelector("#snippet").textContent`)
}

// check has a command read a file of code, in a folder.
func check(t *testing.T, folder, name, code string, command ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], file)...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s\n%s", command[0], err, out, code)
	}
}

// TestLabLook holds that nothing is wider than a telephone, and that axe finds nothing serious, in light and in dark.
func TestLabLook(t *testing.T) {
	nodetest.Need(t, "testdata/axe")
	axe, err := os.ReadFile("testdata/axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	p := openLab(t, 390)
	lookAtLab(t, p, string(axe), "empty")
	choose(p, "fault", "fails twice")
	choose(p, "way", "sse")
	choose(p, "way", "websocket")
	p.Click(`#ask .primary`)
	p.Await(`document.querySelector(".row.wait")`)
	p.Await(labDone)
	p.Await(`document.querySelector("#hint").textContent.startsWith("Select an arrow") && document.querySelector("#hint").textContent.includes("Overtaken: a newer update")`)
	if cut := browsertest.Eval[string](p, `[...document.querySelectorAll(".heads i, #copy-it, .row .what, [name=callback_url]")].filter((e) => e.scrollWidth > e.clientWidth + 1 && !/^(GET|101) /.test(e.textContent)).map((e) => e.textContent || e.value).join("\n")`); cut != "" {
		t.Errorf("on a telephone these are cut:\n%s", cut)
	}
	p.Click(`.row.pair.bad button`)
	lookAtLab(t, p, string(axe), "narrow")
	p.Dark()
	lookAtLab(t, p, string(axe), "narrow-dark")
	p.Run(chromedp.EmulateViewport(1400, 900))
	lookAtLab(t, p, string(axe), "dark")
}

func lookAtLab(t *testing.T, p *browsertest.Page, axe, name string) {
	t.Helper()
	for place, selector := range map[string]string{"ask": "header.petstore", "stage": "#stage", "score": "#score"} {
		p.Do(`document.querySelector("` + selector + `").scrollIntoView()`)
		p.Look(name + "-" + place)
	}
	if wide := browsertest.Eval[string](p, `[...document.querySelectorAll("main *")].filter((e) => document.documentElement.scrollWidth > innerWidth && e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML.slice(0, 100)).join("\n")`); wide != "" {
		t.Errorf("%s: wider than the page:\n%s", name, wide)
	}
	p.Await(`document.getAnimations().length === 0`) // what fades in has the contrast that it will have
	p.Do(axe)
	if found := browsertest.Eval[string](p, `axe.run().then((r) => r.violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => v.id + "\n" + v.nodes.map((n) => n.html.slice(0, 200) + "\n" + n.failureSummary).join("\n")).join("\n"))`); found != "" {
		t.Errorf("%s: axe finds %.4000s", name, found)
	}
}

// TestLabReceiver: the lab sets an inbox of the receiver; a page of another origin can't, nor is more to be had this way.
func TestLabReceiver(t *testing.T) {
	app := startApp(t, 0)
	for _, c := range []struct {
		method, origin string
		status         int
	}{
		{"PUT", "https://evil.example", 403},
		{"PUT", app.URL(), 201},
		{"DELETE", app.URL(), 405},
	} {
		r, err := http.NewRequest(c.method, app.URL()+"/receiver/inboxes/lab-test", strings.NewReader(`{"secret":"another secret"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", c.origin)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != c.status {
			t.Errorf("%s from %s: %d, want %d", c.method, c.origin, answer.StatusCode, c.status)
		}
	}
}
