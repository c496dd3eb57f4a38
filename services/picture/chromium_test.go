package picture

import (
	"context"
	"encoding/base64"
	"image"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// chromium draws pictures as people see them.
type chromium struct {
	ctx context.Context
	url string
	// file is what the page loads next.
	file []byte
}

// newChromium starts a browser without a window.
func newChromium(t testing.TB) *chromium {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("chromium is not installed, and this compares with what it draws")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("password-store", "basic"))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	c := &chromium{ctx: ctx}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/picture") {
			w.Header().Set("Content-Type", "image/png") // browsers look at the content, too
			_, _ = w.Write(c.file)
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	if _, err := chromedp.Run(ctx, chromedp.Navigate(server.URL)); err != nil {
		t.Fatal(err)
	}
	return c
}

// drawPicture loads the picture at a URL, and returns its size and its pixels.
const drawPicture = `(async () => {
	const picture = new Image();
	picture.src = '/picture?' + Math.random();
	try { await picture.decode(); } catch { return {}; }
	const canvas = document.createElement('canvas');
	canvas.width = picture.naturalWidth;
	canvas.height = picture.naturalHeight;
	const context = canvas.getContext('2d', {willReadFrequently: true});
	context.drawImage(picture, 0, 0);
	const {data, width, height} = context.getImageData(0, 0, canvas.width, canvas.height);
	let text = '';
	for (const byte of data) text += String.fromCharCode(byte);
	return {width, height, pixels: btoa(text)};
})()`

// draw returns what Chromium draws for a file, nil if it draws nothing.
func (c *chromium) draw(t testing.TB, file []byte) *image.NRGBA {
	t.Helper()
	c.file = file
	type drawing struct {
		Width, Height int
		Pixels        string
	}
	drawn, err := chromedp.Run(c.ctx, chromedp.Evaluate[drawing](drawPicture, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	if drawn.Width == 0 {
		return nil
	}
	pixels, err := base64.StdEncoding.DecodeString(drawn.Pixels)
	if err != nil {
		t.Fatal(err)
	}
	return &image.NRGBA{Pix: pixels, Stride: 4 * drawn.Width, Rect: image.Rect(0, 0, drawn.Width, drawn.Height)}
}
