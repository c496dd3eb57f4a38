package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"petstore/docs/browsertest"
	"petstore/docs/nodetest"

	"github.com/chromedp/chromedp"
)

// openDocs opens the docs page of a server at an operation, ready to be executed.
func openDocs(t *testing.T, operation string, width int) *browsertest.Page {
	t.Helper()
	return openDocsOf(t, startApp(t, 100*time.Millisecond), operation, width)
}

func openDocsOf(t *testing.T, app *App, operation string, width int) *browsertest.Page {
	t.Helper()
	p := browsertest.Open(t, app.URL()+"/docs/#/"+operation, width)
	p.Await(`document.querySelector(".opblock.is-open .execute")`)
	return p
}

const (
	execute   = `.opblock.is-open .execute`
	delivered = `document.querySelector(".cb-update.cb-completed .cb-delivered")`
)

// TestDocsCallbacks is a person's way: they order with a receiver that fails twice, and see
// two attempts fail, the wait for the next, and how it succeeds.
func TestDocsCallbacks(t *testing.T) {
	p := openDocs(t, "orders/createOrder", 1400)
	p.Click(`.cb-option:nth-child(2)`)
	p.Await(`document.querySelector(".body-param__text").value.includes("?fail=2")`)
	p.Do(`new MutationObserver(() => { window.counted ||= document.querySelector(".cb-countdown") !== null }).observe(document.body, {subtree: true, childList: true})`)
	p.Click(execute)
	p.Await(delivered)
	for !browsertest.Eval[bool](p, `Boolean(window.counted)`) { // the waits are random, and may be too short to be seen
		p.Click(`.opblock.is-open .btn-clear`)
		p.Await(`!document.querySelector(".cb-panel")`)
		p.Click(execute)
		p.Await(delivered)
	}
	p.LookAt("delivered", ".cb-panel")
	attempts := browsertest.Eval[string](p, `[...document.querySelectorAll(".cb-update.cb-completed .cb-attempt > summary b")].map((b) => b.textContent).join()`)
	if attempts != "500,500,200" {
		t.Errorf("the attempts are %s, want two that failed and one that didn't", attempts)
	}
	p.Click(`.cb-update.cb-completed .cb-attempt.cb-bad > summary`)
	p.Await(`document.querySelector(".cb-attempt[open] .cb-verdict.cb-good")?.textContent.includes("signature")`)
	p.Await(`/x-callback-signature: sha256=/i.test(document.querySelector(".cb-attempt[open] pre")?.textContent)`)
	p.Click(`.cb-update.cb-completed .cb-buttons button:nth-of-type(1)`)
	p.Await(`document.querySelectorAll(".cb-update.cb-completed .cb-attempt").length === 4`)
	copiedCurl(t, p)
}

// copiedCurl runs what "Copy as curl" gives. It is the callback, to the byte: its signature
// is right, and the receiver knows it.
func copiedCurl(t *testing.T, p *browsertest.Page) {
	t.Helper()
	p.Do(`navigator.clipboard.writeText = async (text) => { window.copied = text }`)
	p.Click(`.cb-update.cb-completed .cb-buttons button:nth-of-type(2)`)
	p.Await(`window.copied`)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", browsertest.Eval[string](p, `window.copied`)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Already processed") {
		t.Errorf("the command that was copied: %v\n%s", err, out)
	}
}

// TestDocsFaults: what a retry waits for is shown as long as it waits.
func TestDocsFaults(t *testing.T) {
	p := openDocs(t, "reports/createReport", 1400)
	p.Click(`.cb-option:nth-child(3)`)
	p.Await(`document.querySelector(".body-param__text").value.includes("retry_after=2")`)
	p.Click(execute)
	p.Await(`document.querySelector(".cb-countdown progress")?.value > 0`)
	p.LookAt("countdown", ".cb-panel")
	p.Await(delivered)
	p.Click(`.cb-option:nth-child(1)`)
	p.Await(`!document.querySelector(".body-param__text").value.includes("retry_after")`)
}

func TestDocsStream(t *testing.T) {
	app := startApp(t, 100*time.Millisecond)
	p := openDocsOf(t, app, "orders/streamOrders", 1400)
	order := `fetch("../api/orders", {method: "POST", headers: {"Content-Type": "application/json"}, body: '{"product":"dog-food"}'})`
	p.Click(execute)
	p.Await(`document.querySelector(".st-pill.st-open")`)
	p.Do(order)
	p.Await(`document.querySelectorAll(".st-panel li").length === 3`)
	p.LookAt("stream", ".st-panel")
	p.Click(`.st-panel header button`)
	p.Await(`document.querySelector(".st-pill.st-stopped")`)
	awaitNoStreams(t, app)
	p.Click(execute)
	p.Await(`document.querySelector(".st-pill.st-open")`)
	p.Click(`.opblock.is-open .btn-clear`)
	awaitNoStreams(t, app)
	p.Click(execute)
	p.Await(`document.querySelector(".st-pill.st-open")`)
	p.Run(chromedp.Navigate("about:blank"))
	awaitNoStreams(t, app)
}

func awaitNoStreams(t *testing.T, app *App) {
	t.Helper()
	waitUntil(t, "nobody follows anything", func() bool { return !app.hub.Followed() })
}

func TestDocsSockets(t *testing.T) {
	p := openDocs(t, "tasks/talk", 1400)
	for protocol, name := range []string{"websocket", "socketio"} {
		p.Click(fmt.Sprintf(`.st-protocols label:nth-of-type(%d) input`, protocol+1))
		p.Click(execute)
		p.Await(`document.querySelector(".st-composer") && document.querySelectorAll(".st-panel li.st-sent").length === 0`)
		p.Click(`.st-composer button`)
		p.Await(`[...document.querySelectorAll(".st-panel li b")].some((b) => b.textContent === "complete")`)
		p.LookAt(name, ".st-panel")
		p.Click(`.st-panel header button`)
		p.Await(`document.querySelector(".st-pill.st-stopped")`)
	}
}

// TestDocsUpload uploads a picture, all other fields left as they are, and looks at what is made of it.
func TestDocsUpload(t *testing.T) {
	p := openDocs(t, "images/processImage", 1400)
	p.Run(chromedp.SetValue(chromedp.CSS(`select.content-type, .body-param-content-type select`), "multipart/form-data"))
	p.Await(`document.querySelector('.opblock.is-open input[type="file"]')`)
	p.LookAt("form", ".opblock-section-request-body")
	picture, err := filepath.Abs("../../docs/ui/dog.png")
	if err != nil {
		t.Fatal(err)
	}
	p.Run(chromedp.SetUploadFiles(chromedp.CSS(`.opblock.is-open input[type="file"]`), []string{picture}))
	p.Click(execute)
	p.Await(delivered)
	id := browsertest.Eval[string](p, `fetch("../api/images").then((r) => r.json()).then((list) => list.items[0].image_id)`)
	docs := browsertest.Eval[string](p, `location.href.split("#")[0]`)
	p.Run(chromedp.Navigate("about:blank"), chromedp.Navigate(docs+"#/images/getImageVariant"))
	p.Await(`document.querySelector("tr[data-param-name=image_id] input")`)
	p.Run(chromedp.SendKeys(chromedp.CSS("tr[data-param-name=image_id] input"), id))
	p.Click(execute)
	p.Await(`document.querySelector('.live-responses-table img')?.naturalWidth === 1200`)
	p.LookAt("picture", ".live-responses-table")
}

// TestDocsLook holds that nothing on the page is wider than a telephone, and that axe
// (https://github.com/dequelabs/axe-core) finds nothing serious, in light and in dark.
func TestDocsLook(t *testing.T) {
	nodetest.Need(t, "testdata/axe")
	axe, err := os.ReadFile("testdata/axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	p := openDocs(t, "orders/createOrder", 390)
	p.Click(execute)
	p.Await(delivered)
	p.Do(string(axe))
	look(t, p, "narrow")
	p.Dark()
	p.Run(chromedp.EmulateViewport(1400, 900))
	look(t, p, "dark")

	docs := browsertest.Eval[string](p, `location.href.split("#")[0]`)
	p.Run(chromedp.Navigate("about:blank"), chromedp.Navigate(docs+"#/tasks/talk"))
	p.Await(`document.querySelector(".opblock.is-open .execute")`)
	p.Click(execute)
	p.Await(`document.querySelector(".st-composer")`)
	p.Click(`.st-composer button`)
	p.Await(`document.querySelectorAll(".st-panel li").length > 1`)
	p.Look("socket")
	p.Do(string(axe))
	accessible(t, p, "socket")
}

func look(t *testing.T, p *browsertest.Page, name string) {
	t.Helper()
	for place, selector := range map[string]string{"top": "header.petstore", "operation": ".opblock.is-open", "panel": ".cb-panel", "responses": ".responses-table:not(.live-responses-table)"} {
		p.Do(`document.querySelector("` + selector + `").scrollIntoView()`)
		p.Look(name + "-" + place)
	}
	if wide := browsertest.Eval[string](p, `[...document.querySelectorAll("main *")].filter((e) => document.documentElement.scrollWidth > innerWidth && e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML.slice(0, 100)).join("\n")`); wide != "" {
		t.Errorf("%s: wider than the page:\n%s", name, wide)
	}
	accessible(t, p, name)
}

func accessible(t *testing.T, p *browsertest.Page, name string) {
	t.Helper()
	p.Await(`document.getAnimations().length === 0`) // what fades has the contrast that it will have
	if found := browsertest.Eval[string](p, `axe.run().then((r) => r.violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => v.id + "\n" + v.nodes.map((n) => n.html.slice(0, 200) + "\n" + n.failureSummary).join("\n")).join("\n"))`); found != "" {
		t.Errorf("%s: axe finds %.4000s", name, found)
	}
}
