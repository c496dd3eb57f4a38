package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"petstore/docs/browsertest"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// page is a page in Chromium, as a person has it before them.
type page struct {
	t   *testing.T
	ctx context.Context

	told chan struct{} // closed when the console has told everything
}

// openPage opens a URL in a Chromium of its own, which ends with the test. Where
// Chromium is not installed it skips the test, but not in CI.
func openPage(t *testing.T, url string, width int) *page {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil && os.Getenv("CI") == "" {
		t.Skip("needs chromium")
	}
	p := &page{t: t, told: make(chan struct{})}
	t.Cleanup(func() { <-p.told })
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"),
		chromedp.NoSandbox, // tests may run as root, where the sandbox does not start
		chromedp.Flag("disable-dev-shm-usage", true),
	)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	p.ctx = ctx
	go p.console(chromedp.Console(ctx))
	p.run(chromedp.EmulateViewport(int64(width), 900), chromedp.Navigate(url))
	return p
}

// console makes errors of the page's own code, and what its Content-Security-Policy
// keeps it from, errors of the test.
func (p *page) console(messages iter.Seq2[chromedp.ConsoleMessage, error]) {
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

func (p *page) run(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.screenshot("failed", ".opblock.is-open")
		p.t.Fatal(err)
	}
}

// await waits until a JavaScript expression holds.
func (p *page) await(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Poll[chromedp.Void]("Boolean("+expression+")", chromedp.WithPollingTimeout(0))); err != nil {
		p.screenshot("failed", ".opblock.is-open")
		p.t.Fatalf("waiting for %s: %v", expression, err)
	}
}

// do runs a statement of JavaScript.
func (p *page) do(statement string) {
	p.t.Helper()
	p.run(chromedp.Evaluate[chromedp.Void](statement + "; 0"))
}

// eval is the value of a JavaScript expression.
func eval[V any](p *page, expression string) V {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[V](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.screenshot("failed", ".opblock.is-open")
		p.t.Fatalf("evaluating %.200s: %v", expression, err)
	}
	return value
}

// click clicks on the first element that a selector finds, scrolled into view.
func (p *page) click(selector string) {
	p.t.Helper()
	err := chromedp.Do(p.ctx, chromedp.Click(chromedp.CSS(selector)))
	for browsertest.IsRedrawn(err) && p.ctx.Err() == nil {
		err = chromedp.Do(p.ctx, chromedp.Click(chromedp.CSS(selector)))
	}
	if err != nil {
		p.screenshot("failed", ".opblock.is-open")
		p.t.Fatalf("clicking %s: %v", selector, err)
	}
}

// dark makes the page that of a person who prefers dark ones.
func (p *page) dark() {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// view keeps a picture of what is seen of the page, for `go test -artifacts`.
func (p *page) view(name string) {
	p.t.Helper()
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.t.ArtifactDir(), name+".png"), png, 0o600); err != nil {
		p.t.Error(err)
	}
}

// screenshot keeps a picture of the first element that a selector finds, for `go test -artifacts`.
func (p *page) screenshot(name, selector string) {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.Screenshot(chromedp.CSS(selector)))
	if err != nil {
		return // a picture of a page that is gone is not what the test is about
	}
	if err := os.WriteFile(filepath.Join(p.t.ArtifactDir(), fmt.Sprintf("%s.png", name)), png, 0o600); err != nil {
		p.t.Error(err)
	}
}
