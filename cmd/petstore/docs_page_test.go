package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// openDocs opens the docs page of a server at an operation, ready to be executed.
func openDocs(t *testing.T, operation string, width int) *page {
	t.Helper()
	app := startApp(t, 100*time.Millisecond)
	p := openPage(t, app.URL()+"/docs/#/"+operation, width)
	p.await(`document.querySelector(".opblock.is-open .execute")`)
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
	p.click(`.cb-option:nth-child(2)`)
	p.await(`document.querySelector(".body-param__text").value.includes("?fail=2")`)
	p.do(`new MutationObserver(() => { window.counted ||= document.querySelector(".cb-countdown") !== null }).observe(document.body, {subtree: true, childList: true})`)
	p.click(execute)
	p.await(delivered)
	for !eval[bool](p, `Boolean(window.counted)`) { // the waits are random, and may be too short to be seen
		p.click(`.opblock.is-open .btn-clear`)
		p.await(`!document.querySelector(".cb-panel")`)
		p.click(execute)
		p.await(delivered)
	}
	p.screenshot("delivered", ".cb-panel")
	attempts := eval[string](p, `[...document.querySelectorAll(".cb-update.cb-completed .cb-attempt > summary b")].map((b) => b.textContent).join()`)
	if attempts != "500,500,200" {
		t.Errorf("the attempts are %s, want two that failed and one that didn't", attempts)
	}
	p.click(`.cb-update.cb-completed .cb-attempt.cb-bad > summary`)
	p.await(`document.querySelector(".cb-attempt[open] .cb-verdict.cb-good")?.textContent.includes("signature")`)
	p.await(`/x-callback-signature: sha256=/i.test(document.querySelector(".cb-attempt[open] pre")?.textContent)`)
	p.click(`.cb-update.cb-completed .cb-buttons button:nth-of-type(1)`)
	p.await(`document.querySelectorAll(".cb-update.cb-completed .cb-attempt").length === 4`)
	copiedCurl(p)
}

// copiedCurl runs what "Copy as curl" gives. It is the callback, to the byte: its signature
// is right, and the receiver knows it.
func copiedCurl(p *page) {
	p.t.Helper()
	p.do(`navigator.clipboard.writeText = async (text) => { window.copied = text }`)
	p.click(`.cb-update.cb-completed .cb-buttons button:nth-of-type(2)`)
	p.await(`window.copied`)
	out, err := exec.CommandContext(p.ctx, "sh", "-c", eval[string](p, `window.copied`)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Already processed") {
		p.t.Errorf("the command that was copied: %v\n%s", err, out)
	}
}

// TestDocsFaults: what a retry waits for is shown as long as it waits.
func TestDocsFaults(t *testing.T) {
	p := openDocs(t, "reports/createReport", 1400)
	p.click(`.cb-option:nth-child(3)`)
	p.await(`document.querySelector(".body-param__text").value.includes("retry_after=2")`)
	p.click(execute)
	p.await(`document.querySelector(".cb-countdown progress")?.value > 0`)
	p.screenshot("countdown", ".cb-panel")
	p.await(delivered)
	p.click(`.cb-option:nth-child(1)`)
	p.await(`!document.querySelector(".body-param__text").value.includes("retry_after")`)
}

func TestDocsStream(t *testing.T) {
	p := openDocs(t, "orders/streamOrders", 1400)
	order := `fetch("../api/orders", {method: "POST", headers: {"Content-Type": "application/json"}, body: '{"product":"dog-food"}'})`
	p.click(execute)
	p.await(`document.querySelector(".st-pill.st-open")`)
	p.do(order)
	p.await(`document.querySelectorAll(".st-panel li").length === 3`)
	p.screenshot("stream", ".st-panel")
	p.click(`.st-panel header button`)
	p.await(`document.querySelector(".st-pill.st-stopped")`)
	awaitNoStreams()
	p.click(execute)
	p.await(`document.querySelector(".st-pill.st-open")`)
	p.click(`.opblock.is-open .btn-clear`)
	awaitNoStreams()
	p.click(execute)
	p.await(`document.querySelector(".st-pill.st-open")`)
	p.run(chromedp.Navigate("about:blank"))
	awaitNoStreams()
}

// awaitNoStreams waits until the server follows nothing for anybody.
func awaitNoStreams() {
	for running("(*eventStream).listen") {
		runtime.Gosched()
	}
}

func TestDocsSockets(t *testing.T) {
	p := openDocs(t, "tasks/talk", 1400)
	for protocol, name := range []string{"websocket", "socketio"} {
		p.click(fmt.Sprintf(`.st-protocols label:nth-of-type(%d) input`, protocol+1))
		p.click(execute)
		p.await(`document.querySelector(".st-composer") && document.querySelectorAll(".st-panel li.st-sent").length === 0`)
		p.click(`.st-composer button`)
		p.await(`[...document.querySelectorAll(".st-panel li b")].some((b) => b.textContent === "complete")`)
		p.screenshot(name, ".st-panel")
		p.click(`.st-panel header button`)
		p.await(`document.querySelector(".st-pill.st-stopped")`)
	}
}

// TestDocsUpload uploads a picture, all other fields left as they are, and looks at what is made of it.
func TestDocsUpload(t *testing.T) {
	p := openDocs(t, "images/processImage", 1400)
	p.run(chromedp.SetValue(chromedp.CSS(`select.content-type, .body-param-content-type select`), "multipart/form-data"))
	p.await(`document.querySelector('.opblock.is-open input[type="file"]')`)
	p.screenshot("form", ".opblock-section-request-body")
	picture, err := filepath.Abs("../../docs/ui/dog.png")
	if err != nil {
		t.Fatal(err)
	}
	p.run(chromedp.SetUploadFiles(chromedp.CSS(`.opblock.is-open input[type="file"]`), []string{picture}))
	p.click(execute)
	p.await(delivered)
	id := eval[string](p, `fetch("../api/images").then((r) => r.json()).then((list) => list.items[0].image_id)`)
	docs := eval[string](p, `location.href.split("#")[0]`)
	p.run(chromedp.Navigate("about:blank"), chromedp.Navigate(docs+"#/images/getImageVariant"))
	p.await(`document.querySelector("tr[data-param-name=image_id] input")`)
	p.run(chromedp.SendKeys(chromedp.CSS("tr[data-param-name=image_id] input"), id))
	p.click(execute)
	p.await(`document.querySelector('.live-responses-table img')?.naturalWidth === 1200`)
	p.screenshot("picture", ".live-responses-table")
}

// TestDocsLook holds that nothing on the page is wider than a telephone, and that axe
// (https://github.com/dequelabs/axe-core) finds nothing serious, in light and in dark.
func TestDocsLook(t *testing.T) {
	needNode(t, "testdata/axe")
	axe, err := os.ReadFile("testdata/axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	p := openDocs(t, "orders/createOrder", 390)
	p.click(execute)
	p.await(delivered)
	p.do(string(axe))
	p.look("narrow")
	p.dark()
	p.run(chromedp.EmulateViewport(1400, 900))
	p.look("dark")
}

func (p *page) look(name string) {
	p.t.Helper()
	for place, selector := range map[string]string{"top": "header.petstore", "operation": ".opblock.is-open", "panel": ".cb-panel", "responses": ".responses-table:not(.live-responses-table)"} {
		p.do(`document.querySelector("` + selector + `").scrollIntoView()`)
		p.view(name + "-" + place)
	}
	if wide := eval[string](p, `[...document.querySelectorAll("main *")].filter((e) => document.documentElement.scrollWidth > innerWidth && e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML.slice(0, 100)).join("\n")`); wide != "" {
		p.t.Errorf("%s: wider than the page:\n%s", name, wide)
	}
	if found := eval[string](p, `axe.run().then((r) => r.violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => v.id + "\n" + v.nodes.map((n) => n.html.slice(0, 200) + "\n" + n.failureSummary).join("\n")).join("\n"))`); found != "" {
		p.t.Errorf("%s: axe finds %.4000s", name, found)
	}
}
