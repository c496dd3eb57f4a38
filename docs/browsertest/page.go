// Package browsertest drives Chromium in tests, as a person would: it clicks, types, waits and looks.
package browsertest

import (
	"context"
	"encoding/json"
	"flag"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// How long a page may live, and how long it may take to become what a test waits for.
const (
	lifetime = 2 * time.Minute
	patience = time.Minute
)

// Stop ends the browser, if Open has started one. Call it at the end of TestMain.
func Stop() { stop() }

var stop = func() {}

// start starts the browser of all pages.
var start = sync.OnceValues(func() (context.Context, error) {
	allocator, end := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"),
		chromedp.NoSandbox, // Tests may run as root, as whom the sandbox does not start.
		chromedp.Flag("disable-dev-shm-usage", true),
	)...)
	browser, _ := chromedp.NewContext(allocator)
	stop = func() {
		_ = chromedp.Cancel(browser)
		end()
	}
	return browser, chromedp.Do(browser)
})

// Page is a page in a window of its own, which shares nothing with others but the browser.
type Page struct {
	t   testing.TB
	ctx context.Context

	told chan struct{} // closed when the console has told everything
}

// Open opens a URL in a window that is so many pixels wide, and 900 high. The page ends with the test, the browser with Stop. What the page
// throws, and what its Content-Security-Policy keeps it from, are errors of the test. Where Chromium is not installed the test is skipped, but not in CI.
func Open(t testing.TB, url string, width int) *Page {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil && os.Getenv("CI") == "" {
		t.Skip("needs chromium")
	}
	p := &Page{t: t, told: make(chan struct{})}
	t.Cleanup(func() { <-p.told })
	browser, err := start()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, lifetime)
	t.Cleanup(cancel)
	p.ctx = ctx
	go p.console(chromedp.Console(ctx))
	// The page lives as long as the context of this first call.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(int64(width), 900), chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *Page) console(messages iter.Seq2[chromedp.ConsoleMessage, error]) {
	defer close(p.told)
	for m, err := range messages {
		if err != nil {
			return
		}
		if m.IsException() || m.Source == "security" {
			p.t.Errorf("the page's console: %s (%s:%d)", m, m.URL, m.Line)
		}
	}
}

// Run does things that have no method of their own.
func (p *Page) Run(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.failf("%v", err)
	}
}

// failf ends the test. What the page looked like is kept.
func (p *Page) failf(format string, args ...any) {
	p.t.Helper()
	if p.ctx.Err() == nil {
		p.Look("failed")
	}
	p.t.Fatalf(format, args...)
}

// Await waits until a JavaScript expression holds.
func (p *Page) Await(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	// Chromium may draw no frames of a page that nobody sees: ask by the clock.
	poll := chromedp.Poll[chromedp.Void]("Boolean("+expression+")", chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(0))
	if err := chromedp.Do(ctx, poll); err != nil {
		p.failf("waiting for %s: %v", expression, err)
	}
}

// Eval is the value of a JavaScript expression; of a promise, what it brings.
func Eval[V any](p *Page, expression string) V {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[V](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.failf("evaluating %.200s: %v", expression, err)
	}
	return value
}

// Click clicks on the first element that a selector finds.
func (p *Page) Click(selector string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector)))
	for err != nil && strings.Contains(err.Error(), "Could not find node") && ctx.Err() == nil { // drawn anew since it was found
		err = chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector)))
	}
	if err != nil {
		p.failf("clicking %s: %v", selector, err)
	}
}

// Do runs a statement of JavaScript.
func (p *Page) Do(statement string) {
	p.t.Helper()
	p.Run(chromedp.Evaluate[chromedp.Void](statement + "; 0"))
}

// Fill replaces what is in a field.
func (p *Page) Fill(selector, text string) {
	p.t.Helper()
	arguments, err := json.Marshal([]string{selector, text})
	if err != nil {
		p.failf("%v", err)
	}
	Eval[bool](p, `(([selector, text]) => {
		const field = document.querySelector(selector);
		field.focus();
		field.value = text;
		return field.dispatchEvent(new Event("input", { bubbles: true }));
	})(`+string(arguments)+`)`)
}

// Press presses keys, with the focus where it is.
func (p *Page) Press(keys string) {
	p.t.Helper()
	p.Run(chromedp.KeyEvent(keys))
}

// Dark makes the page that of a person who prefers dark ones.
func (p *Page) Dark() {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
	if err != nil {
		p.failf("%v", err)
	}
}

// Look keeps a picture of what is seen of the page, for `go test -artifacts`.
func (p *Page) Look(name string) {
	p.t.Helper()
	p.keep(name, chromedp.CaptureScreenshot())
}

func (p *Page) keep(name string, picture chromedp.Action[[]byte]) {
	p.t.Helper()
	if kept := flag.Lookup("test.artifacts"); kept != nil && kept.Value.String() == "true" {
		p.write(filepath.Join(p.t.ArtifactDir(), name+".png"), picture)
	}
}

func (p *Page) write(file string, picture chromedp.Action[[]byte]) {
	p.t.Helper()
	png, err := chromedp.Run(p.ctx, picture)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, png, 0o600); err != nil {
		p.t.Error(err)
	}
}

// Write writes a picture of what is seen of the page to a file, as PNG.
func (p *Page) Write(file string) {
	p.t.Helper()
	p.write(file, chromedp.CaptureScreenshot())
}

// LookAt is Look for the first element that a selector finds, which there has to be.
func (p *Page) LookAt(name, selector string) {
	p.t.Helper()
	p.Await("document.querySelector(" + strconv.Quote(selector) + ")")
	p.keep(name, chromedp.Screenshot(chromedp.CSS(selector)))
}
