package handlers_test

import (
	"bytes"
	"fmt"
	stdimage "image"
	"image/color"
	"image/jpeg"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"petstore/callbacks"
)

// image is what a client reads.
type image struct {
	ImageID  string  `json:"image_id"`
	TaskID   string  `json:"task_id"`
	Status   string  `json:"status"`
	ImageURL *string `json:"image_url"`
	Variants []struct {
		Name        string `json:"name"`
		URL         string `json:"url"`
		ContentType string `json:"content_type"`
		Width       int    `json:"width"`
		Height      int    `json:"height"`
		Size        int    `json:"size"`
	} `json:"variants"`
	Metadata    map[string]string `json:"metadata"`
	CallbackURL *string           `json:"callback_url"`
	Error       callbacks.Error   `json:"error"`
}

// photo is a picture as a JPEG.
func photo(t testing.TB, w, h int) []byte {
	t.Helper()
	picture := stdimage.NewRGBA(stdimage.Rect(0, 0, w, h))
	for x := range w {
		for y := range h {
			picture.SetRGBA(x, y, color.RGBA{R: uint8(x * 255 / w), G: uint8(y * 255 / h), B: 128, A: 255})
		}
	}
	var out bytes.Buffer
	must(t, jpeg.Encode(&out, picture, nil))
	return out.Bytes()
}

// form writes a form: a file unless that is nil, and fields "name=value".
func form(t testing.TB, file []byte, fields ...string) (body, contentType string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		must(t, w.WriteField(name, value))
	}
	if file != nil {
		part, err := w.CreateFormFile("file", "cat.jpg")
		must(t, err)
		_, err = part.Write(file)
		must(t, err)
	}
	must(t, w.Close())
	return out.String(), "Content-Type: " + w.FormDataContentType()
}

// upload sends a form, past the contract's check: the validator reads no forms.
func (a *api) upload(file []byte, fields ...string) answer {
	a.Helper()
	body, contentType := form(a, file, fields...)
	return a.unchecked().do("POST", "/api/images/process", body, contentType)
}

// unchecked is the api with a client that doesn't hold requests against the
// contract.
func (a *api) unchecked() *api {
	plain := *a
	plain.client = http.DefaultClient
	return &plain
}

// TestArticleImage is the article's request, on a photograph that is here: a rose,
// which comes with the sources of golang.org/x/image.
func TestArticleImage(t *testing.T) {
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/image").Output()
	must(t, err)
	file, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(module)), "testdata", "yellow_rose.lossy.webp"))
	must(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(file) }))
	t.Cleanup(server.Close)
	a := newAPI(t, settings{})
	receiver := newReceiver(t)
	a.start()
	accepted := a.do("POST", "/api/images/process", `{ "image_url": "`+server.URL+`/cat.jpg", "callback_url": "`+receiver.url+`" }`).want(202)
	placed := read[image](accepted)
	if placed.Status != "processing" || accepted.Header.Get("Location") != "/api/images/"+placed.ImageID {
		t.Errorf("answered %s, Location %s", accepted.body, accepted.Header.Get("Location"))
	}
	receiver.wait(t, func(got []received) bool {
		return len(got) > 0 && got[len(got)-1].Type == "image.completed" && got[len(got)-1].ImageID == placed.ImageID
	})
	shown := read[image](a.do("GET", "/api/images/"+placed.ImageID, "").want(200))
	if len(shown.Variants) != 3 || shown.Variants[2].Name != "small" || shown.Variants[2].Width != 160 || shown.Variants[2].Height != 120 {
		t.Fatalf("the image is %+v", shown)
	}
	// A product can have it.
	a.do("POST", "/api/products", `{"slug":"cat","name":"Cat","category":"cat","price":1,"image_url":"`+shown.Variants[2].URL+`"}`).want(201)
	a.do("PATCH", "/api/products/cat", `{"image_url":"/api/images/img_none/small"}`).want(422).names("image_url")
}

func TestUpload(t *testing.T) {
	a := newAPI(t, settings{})
	receiver := newReceiver(t)
	a.start()
	placed := read[image](a.upload(photo(t, 300, 200), "callback_url="+receiver.url, `metadata={"pet":"42"}`,
		`operations=[{"op":"resize","width":64,"height":64,"fit":"cover"},{"op":"grayscale"}]`, "format=png").want(202))
	if placed.ImageURL != nil || placed.Metadata["pet"] != "42" || *placed.CallbackURL != receiver.url {
		t.Errorf("answered %+v", placed)
	}
	a.do("GET", "/api/tasks/"+placed.TaskID+"?wait=30", "").want(200)
	shown := read[image](a.do("GET", "/api/images/"+placed.ImageID, "").want(200))
	if len(shown.Variants) != 1 || shown.Variants[0].Name != "processed" || shown.Variants[0].ContentType != "image/png" {
		t.Fatalf("the image is %+v", shown)
	}
	got := a.do("GET", shown.Variants[0].URL, "").want(200)
	c, err := png.DecodeConfig(bytes.NewReader(got.body))
	if err != nil || c.Width != 64 || c.Height != 64 || c.ColorModel != color.GrayModel {
		t.Errorf("the picture is %+v, %v", c, err)
	}
}

// TestPicture: how pictures are served, browsers and caches in mind.
func TestPicture(t *testing.T) {
	a := newAPI(t, settings{})
	a.start()
	placed := read[image](a.upload(photo(t, 30, 20)).want(202))
	a.do("GET", "/api/tasks/"+placed.TaskID+"?wait=30", "").want(200)
	path := "/api/images/" + placed.ImageID + "/small"
	whole := a.do("GET", path, "").want(200)
	for name, want := range map[string]string{
		"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
		"Content-Disposition": `inline; filename="` + placed.ImageID + `-small.jpeg"`, "Accept-Ranges": "bytes",
	} {
		if got := whole.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	etag := whole.Header.Get("ETag")
	a.do("GET", path, "", "If-None-Match: "+etag).want(304)
	part := a.do("GET", path, "", "Range: bytes=2-9").want(206)
	if !bytes.Equal(part.body, whole.body[2:10]) || part.Header.Get("Content-Range") != fmt.Sprintf("bytes 2-9/%d", len(whole.body)) {
		t.Errorf("the part is %q, %v", part.body, part.Header)
	}
	a.do("GET", path, "", "Range: bytes=2-9", `If-Range: "other"`).want(200)
	a.do("GET", path, "", "Range: bytes=999999-").want(416).names("Range")
	// security 12
	a.do("GET", path, "", `If-Match: "other"`).want(412).names("If-Match")
	a.do("GET", path, "", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT").want(412).names("If-Unmodified-Since")
	// faults 17
	a.do("GET", path, "", "Range: items=0-1").want(200)
	a.do("GET", path, "", "Range: BYTES=0-1").want(206)
	a.do("GET", path, "", "Range: bytes=-0").want(416).names("Range")
	a.do("GET", path, "", "Range: bytes=-0,0-1").want(206)
	a.do("GET", path, "", "Range: bytes=-2").want(206)
	if head := a.do("HEAD", path, "").want(200); head.ContentLength != int64(len(whole.body)) {
		t.Errorf("HEAD says %d bytes", head.ContentLength)
	}
	a.do("GET", "/api/images/"+placed.ImageID+"/source", "").want(404)
	a.do("GET", "/api/images/"+placed.ImageID+"/..%2fsmall", "").want(404)
	a.do("GET", path+"?x=1", "").want(422).names("x")
	a.do("DELETE", "/api/images/"+placed.ImageID, "").want(204)
	a.do("GET", path, "").want(404)
	a.do("DELETE", "/api/images/"+placed.ImageID, "").want(404)
}

func TestImagesWhileProcessing(t *testing.T) {
	a := newAPI(t, settings{}) // works on nothing yet
	placed := read[image](a.do("POST", "/api/images/process", `{"image_url":"http://127.0.0.1:1/cat.jpg","metadata":{"a":"b"}}`).want(202))
	other := read[image](a.upload(photo(t, 3, 2)).want(202))
	path := "/api/images/" + placed.ImageID
	a.do("GET", path+"/small", "").want(404)
	a.do("DELETE", path, "").want(409)
	changed := read[image](a.do("PATCH", path, `{"callback_url":"http://127.0.0.1:1/hook"}`).want(200))
	if *changed.CallbackURL != "http://127.0.0.1:1/hook" || changed.Metadata["a"] != "b" {
		t.Errorf("patched, it is %+v", changed)
	}
	changed = read[image](a.do("PUT", path, `{"metadata":{"c":"d"}}`).want(200))
	if changed.CallbackURL != nil || fmt.Sprint(changed.Metadata) != "map[c:d]" {
		t.Errorf("replaced, it is %+v", changed)
	}
	a.do("PATCH", path, `{"callback_url":"ftp://x/"}`).want(422).names("callback_url")
	if got := read[image](a.do("POST", path+"/cancel", "").want(200)); got.Status != "cancelled" {
		t.Errorf("cancelled, it is %+v", got)
	}
	a.do("POST", path+"/cancel", "").want(409)
	a.do("PUT", path, `{}`).want(409)
	for query, want := range map[string]string{
		"?status=cancelled": placed.ImageID, "?status=processing": other.ImageID, "?image_url=http://127.0.0.1:1/cat.jpg": placed.ImageID,
		"?limit=1": other.ImageID,
	} {
		list := read[page[image]](a.do("GET", "/api/images"+query, "").want(200))
		if len(list.Items) != 1 || list.Items[0].ImageID != want {
			t.Errorf("%s lists %+v", query, list)
		}
	}
	a.do("GET", "/api/images?status=done", "").want(422).names("status")
	a.do("GET", "/api/images?colour=red", "").want(422).names("colour")
}

// TestBadImageRequests: whatever is wrong is named, and nothing is stored.
func TestBadImageRequests(t *testing.T) {
	a := newAPI(t, settings{})
	unchanged := a.watch()
	const with = `{"image_url":"http://x/y",`
	for body, field := range map[string]string{
		`{}`:                                  "image_url",
		`{"image_url":""}`:                    "image_url",
		`{"image_url":"cat.jpg"}`:             "image_url",
		`{"image_url":"file:///etc/passwd"}`:  "image_url",
		`{"image_url":"http://u:p@x/"}`:       "image_url",
		`{"image_url":"data:image/png;base"}`: "image_url",
		`{"image_url":7}`:                     "image_url",
		with + `"callback_url":"nope"}`:       "callback_url",
		with + `"format":"webp"}`:             "format",
		with + `"quality":0}`:                 "quality",
		with + `"quality":101}`:               "quality",
		with + `"quality":80,"format":"png"}`: "quality",
		with + `"file":"x"}`:                  "file",
		with + `"operations":[]}`:             "operations",
		with + `"operations":{}}`:             "operations",
		with + `"operations":[` + strings.TrimSuffix(strings.Repeat(`{"op":"grayscale"},`, 11), ",") + `]}`: "operations",
		with + `"operations":[{"op":"explode"}]}`:                                                           "operations[0].op",
		with + `"operations":[{"width":1}]}`:                                                                "operations[0].op",
		with + `"operations":[{"op":"resize"}]}`:                                                            "operations[0].width",
		with + `"operations":[{"op":"resize","width":-1}]}`:                                                 "operations[0].width",
		with + `"operations":[{"op":"resize","width":5001}]}`:                                               "operations[0].width",
		with + `"operations":[{"op":"resize","height":30001}]}`:                                             "operations[0].height",
		with + `"operations":[{"op":"resize","width":1.5}]}`:                                                "operations[0].width",
		with + `"operations":[{"op":"resize","width":9,"fit":"fill"}]}`:                                     "operations[0].fit",
		with + `"operations":[{"op":"resize","width":9,"fit":"cover"}]}`:                                    "operations[0].fit",
		with + `"operations":[{"op":"crop","x":1,"width":9}]}`:                                              "operations[0].height",
		with + `"operations":[{"op":"crop","x":-1,"width":9,"height":9}]}`:                                  "operations[0].x",
		with + `"operations":[{"op":"rotate"}]}`:                                                            "operations[0].degrees",
		with + `"operations":[{"op":"rotate","degrees":45}]}`:                                               "operations[0].degrees",
		with + `"operations":[{"op":"grayscale"},{"op":"rotate","degrees":90,"width":3}]}`:                  "operations[1].width",
		with + `"operations":[{"op":"grayscale","colour":"red"}]}`:                                          "operations[0].colour",
		with + `"metadata":{"a":1}}`:                                                                        "metadata.a",
	} {
		a.do("POST", "/api/images/process", body).want(422).names(field)
	}
	a.do("POST", "/api/images/process?x=1", `{"image_url":"http://x/y"}`).want(422).names("x")
	a.do("POST", "/api/images/process", "cat", "Content-Type: image/jpeg").want(415).names("Content-Type")
	a.do("POST", "/api/images/process", `{"image_url":`).want(400)
	if !unchanged() {
		t.Error("something was stored")
	}
}

func TestBadUploads(t *testing.T) {
	a := newAPI(t, settings{})
	unchanged := a.watch()
	file := photo(t, 3, 2)
	for field, got := range map[string]answer{
		"image_url":  a.upload(nil),
		"file":       a.upload([]byte{}),
		"colour":     a.upload(file, "colour=red"),
		"format":     a.upload(file, "format=jpeg", "format=png"),
		"metadata":   a.upload(file, "metadata=pet"),
		"metadata.a": a.upload(file, `metadata={"a":1}`),
		"quality":    a.upload(file, "quality=best"),
		"operations": a.upload(file, `operations=[{"op":"grayscale"}`),
	} {
		got.want(422).names(field)
	}
	a.upload(file, "image_url=http://x/y").want(422).names("image_url")
	a.upload(file, "callback_url=\xff").want(422).names("callback_url")
	a.upload(file, "callback_url=a\x00b").want(422).names("callback_url")
	a.upload(make([]byte, 20<<20+1)).want(413).names("file")
	a.upload(make([]byte, 22<<20)).want(413).names("file")
	body, contentType := form(t, file)
	plain := a.unchecked()
	plain.do("POST", "/api/images/process", body[:len(body)/2], contentType).want(400)
	plain.do("POST", "/api/images/process", body, "Content-Type: multipart/form-data").want(400)
	plain.do("POST", "/api/images/process", strings.Replace(body, `name="file"`, `name="picture"`, 1), contentType).want(422).names("picture")
	if !unchanged() {
		t.Error("something was stored")
	}
	// faults 18: a browser gives a Blob a filename
	blob := strings.Replace(body, "--"+boundary(contentType)+"\r\n", "--"+boundary(contentType)+"\r\n"+
		"Content-Disposition: form-data; name=\"metadata\"; filename=\"blob\"\r\nContent-Type: application/json\r\n\r\n{\"a\":\"b\"}\r\n--"+boundary(contentType)+"\r\n", 1)
	if img := read[image](plain.do("POST", "/api/images/process", blob, contentType).want(202)); img.Metadata["a"] != "b" {
		t.Errorf("the metadata is %v", img.Metadata)
	}
	for _, field := range []string{`callback_url http://127.0.0.1:1/x`, `format jpeg`, `quality 80`} { // text/plain, by the contract
		name, value, _ := strings.Cut(field, " ")
		text := strings.NewReplacer(`"metadata"`, `"`+name+`"`, "application/json", "text/plain;charset=utf-8", `{"a":"b"}`, value).Replace(blob)
		plain.do("POST", "/api/images/process", text, contentType).want(202)
	}
	plain.do("POST", "/api/images/process", strings.Replace(blob, "application/json", "text/plain", 1), contentType).want(422).names("metadata")
	plain.do("POST", "/api/images/process", strings.Replace(blob, `{"a":"b"}`, `{"a":`, 1), contentType).want(422).names("metadata")
}

func boundary(contentType string) string {
	_, boundary, _ := strings.Cut(contentType, "boundary=")
	return boundary
}

func TestImagesInProduction(t *testing.T) {
	a := newAPI(t, settings{production: true})
	for _, target := range []string{"http://example.com/cat.jpg", "https://127.0.0.1/", "https://0177.0.0.1/", "https://2130706433/", "https://[::ffff:10.0.0.1]/", "https://localhost/"} {
		a.do("POST", "/api/images/process", `{"image_url":"`+target+`"}`).want(422).names("image_url")
	}
}
