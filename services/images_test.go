package services

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/models"
	"petstore/services/blobs"
	"petstore/services/fetch"
	"petstore/services/picture"
	"petstore/services/picture/picturetest"
	"petstore/services/task"
)

// gallery is an engine that processes images, with their blobs in a folder.
type gallery struct {
	*engine
	images *Images
	blobs  *blobs.Bucket
	folder string
}

// newGallery starts an engine for images. interrupt, if set, may change how the
// operation runs.
func newGallery(t testing.TB, o options, folder string, change func(task.Operation) task.Operation) *gallery {
	t.Helper()
	idle := o.idle
	o.idle = true
	var bucket *blobs.Bucket
	o.register = func(e *engine) {
		var err error
		bucket, err = blobs.Open(e.store, (&url.URL{Scheme: "file", Path: filepath.ToSlash(folder)}).String())
		if err != nil {
			t.Fatal(err)
		}
		op := NewImaging(e.store, bucket, newFetcher(t))
		if change != nil {
			op = change(op)
		}
		e.tasks.Register(op)
	}
	e := newEngine(t, o)
	g := &gallery{engine: e, images: NewImages(e.store, e.tasks, bucket), blobs: bucket, folder: folder}
	t.Cleanup(g.close)
	if !idle {
		e.start()
	}
	return g
}

func newFetcher(t testing.TB) *fetch.Client {
	t.Helper()
	f := fetch.New(callbacks.DevelopmentPolicy())
	t.Cleanup(f.Close)
	return f
}

// readPicture inspects and loads a file.
func readPicture(data []byte) (picture.Source, image.Image, error) {
	src, err := picture.Inspect(bytes.NewReader(data))
	if err != nil {
		return src, nil, err
	}
	pixels, err := src.Load(context.Background(), data)
	return src, pixels, err
}

func rotated(t testing.TB, pixels image.Image, degrees int) image.Image {
	t.Helper()
	turned, err := picture.Retouch(t.Context(), pixels, []models.ImageOperation{{Op: models.OpRotate, Degrees: degrees}})
	if err != nil {
		t.Fatal(err)
	}
	return turned
}

func (g *gallery) close() {
	g.stop()
	if g.blobs != nil {
		if err := g.blobs.Close(); err != nil {
			g.t.Error(err)
		}
		g.blobs = nil
	}
}

// create takes an image in.
func (g *gallery) create(img models.Image, file io.Reader) models.Image {
	g.t.Helper()
	img, err := g.images.Create(within(g.t), img, file)
	if err != nil {
		g.t.Fatal(err)
	}
	return img
}

// done waits for an image to end.
func (g *gallery) done(img models.Image) models.Image {
	g.t.Helper()
	if _, err := g.tasks.Wait(within(g.t), img.TaskID, patienceOfTests); err != nil {
		g.t.Fatal(err)
	}
	img, err := g.images.Get(within(g.t), img.ID)
	if err != nil {
		g.t.Fatal(err)
	}
	return img
}

// picture reads a picture that was made.
func (g *gallery) picture(img models.Image, name string) []byte {
	g.t.Helper()
	_, content, err := g.images.Open(within(g.t), img.ID, name)
	if err != nil {
		g.t.Fatal(err)
	}
	defer content.Close()
	data, err := io.ReadAll(content)
	if err != nil {
		g.t.Fatal(err)
	}
	return data
}

// files lists what is in the folder, without the images' ids.
func (g *gallery) files() []string {
	g.t.Helper()
	names := []string{}
	err := filepath.WalkDir(g.folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, strings.TrimPrefix(filepath.Ext(path), "."))
		}
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// sweep deletes loose blobs, those too that are not due yet.
func (g *gallery) sweep() {
	g.t.Helper()
	err := g.store.InTx(within(g.t), func(tx *models.Tx) error {
		return tx.Exec("UPDATE loose_blobs SET due_at = ?", models.Now().Add(-time.Second)).Error
	})
	if err == nil {
		err = g.blobs.Sweep(within(g.t))
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

func wantFiles(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("blobs %v, want %v", got, want)
	}
}

func TestUploadedImage(t *testing.T) {
	rc := newReceiver(t, nil)
	g := newGallery(t, options{}, t.TempDir(), nil)
	file := picturetest.WithExif(picturetest.JPEG(t, rotated(t, picturetest.Corners(1400, 1050), 270)), picturetest.Exif(6))
	img := g.create(models.Image{Task: models.Task{CallbackURL: rc.URL, Metadata: models.Metadata{"pet": "42"}}}, bytes.NewReader(file))
	if img.Task.Status != models.StatusProcessing || img.ImageURL != "" {
		t.Errorf("it begins as %+v", img)
	}
	last := rc.last(img.TaskID)
	if last.Type != "image.completed" || last.ImageID != img.ID || last.Metadata["pet"] != "42" {
		t.Errorf("the last callback is %s", last.Body)
	}
	var result processed
	if err := json.Unmarshal(last.Result, &result); err != nil {
		t.Fatal(err)
	}
	if want := "3 pictures: large 1280×960, medium 640×480, small 160×120"; result.Summary != want {
		t.Errorf("the summary is %q, want %q", result.Summary, want)
	}
	img = g.done(img)
	for i, v := range img.Variants {
		data := g.picture(img, v.Name)
		if int64(len(data)) != v.Size || v.ContentType != "image/jpeg" || result.Variants[i].URL != "/api/images/"+img.ID+"/"+v.Name {
			t.Errorf("variant %+v has %d bytes, and is told as %+v", v, len(data), result.Variants[i])
		}
		_, picture, err := readPicture(data)
		if err != nil {
			t.Fatal(err)
		}
		picturetest.Upright(t, picture, v.Width, v.Height)
	}
	wantFiles(t, g.files(), "large", "medium", "small", "source")
	g.sweep()
	wantFiles(t, g.files(), "large", "medium", "small")
}

func TestFetchedImage(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg") // it is not
		w.Write(picturetest.PNG(t, picturetest.Corners(300, 200)))
	}))
	t.Cleanup(server.Close)
	g := newGallery(t, options{}, t.TempDir(), nil)
	img := g.done(g.create(models.Image{
		ImageURL: server.URL + "/cat.jpg", Format: "jpeg", Quality: 70,
		Operations: []models.ImageOperation{{Op: "resize", Width: 100, Height: 100, Fit: "cover"}, {Op: "rotate", Degrees: 180}},
	}, nil))
	if len(img.Variants) != 1 || img.Variants[0].Name != "processed" {
		t.Fatalf("it is %+v", img)
	}
	src, picture, err := readPicture(g.picture(img, "processed"))
	if err != nil || src.Format != "JPEG" {
		t.Fatalf("a %s, %v", src.Format, err)
	}
	picturetest.Upright(t, rotated(t, picture, 180), 100, 100)
	updates, err := g.tasks.Updates(within(t), img.TaskID, models.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var messages []string
	for _, u := range updates.Items {
		var m struct {
			Message string `json:"message"`
		}
		if err := json.Unmarshal([]byte(u.Body), &m); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m.Message)
	}
	want := []string{"Image received", "Fetching the image", "Decoding a PNG of 300×200 pixels", "Making picture 1 of 1: processed", "Storing 1 picture", "Completed"}
	if !slices.Equal(messages, want) {
		t.Errorf("it told %q, want %q", messages, want)
	}
}

func TestFailedImages(t *testing.T) {
	photo := picturetest.JPEG(t, picturetest.Corners(400, 300))
	files := map[string][]byte{
		"/cut": photo[:len(photo)/2], "/bomb": picturetest.PNGHeader(50_000, 50_000), "/text": []byte("not a cat"), "/empty": nil,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := files[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		w.Write(data)
	}))
	t.Cleanup(server.Close)
	rc := newReceiver(t, nil)
	g := newGallery(t, options{}, t.TempDir(), nil)
	for path, want := range map[string]string{
		"/cut": "the JPEG is damaged or cut off", "/bomb": "it has 50000×50000 pixels, at most 25 million are allowed, and 30000 on a side",
		"/text": "it is no JPEG, PNG, GIF or WebP, it looks like text/plain", "/empty": "it is empty",
		"/missing": "its URL answered with the status 404",
	} {
		img := g.create(models.Image{ImageURL: server.URL + path, Task: models.Task{CallbackURL: rc.URL}}, nil)
		last := rc.last(img.TaskID)
		if last.Type != "image.failed" || last.Error == nil || last.Error.Code != "PROCESSING_ERROR" || last.Error.Message != "Failed to process image: "+want {
			t.Errorf("%s: the last callback is %s", path, last.Body)
		}
	}
	g.sweep()
	wantFiles(t, g.files())
}

// TestImageKilledAnywhere breaks off the operation at each of its steps in turn,
// before or after what that step stores. What is made in the end is the same as
// without, to the byte, and nothing else is left.
func TestImageKilledAnywhere(t *testing.T) {
	var fetches int
	photo := picturetest.JPEG(t, picturetest.Noise(300, 200))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches++
		w.Write(photo)
	}))
	t.Cleanup(server.Close)
	undisturbed := newGallery(t, options{}, t.TempDir(), nil)
	want := undisturbed.done(undisturbed.create(models.Image{ImageURL: server.URL}, nil))
	const steps = 6 // fetching, decoding, three pictures, storing
	for _, after := range []bool{false, true} {
		fetches = 0
		var op task.Operation
		g := newGallery(t, options{idle: true}, t.TempDir(), func(o task.Operation) task.Operation { op = o; return o })
		img := g.create(models.Image{ImageURL: server.URL}, nil)
		for n := 1; n <= steps; n++ {
			g.breakOff(op, img, n, after)
		}
		g.start()
		img = g.done(img)
		if fmt.Sprint(hashes(img)) != fmt.Sprint(hashes(want)) {
			t.Errorf("it is %+v, want %+v", img.Variants, want.Variants)
		}
		for _, v := range img.Variants {
			if !bytes.Equal(g.picture(img, v.Name), undisturbed.picture(want, v.Name)) {
				t.Errorf("%s differs", v.Name)
			}
		}
		if fetches != 1 {
			t.Errorf("it was fetched %d times", fetches)
		}
		g.sweep()
		wantFiles(t, g.files(), "large", "medium", "small")
	}
}

// breakOff runs an operation up to its nth report, before that is stored or after.
func (g *gallery) breakOff(op task.Operation, img models.Image, n int, after bool) {
	g.t.Helper()
	killed := errors.New("killed")
	reports := 0
	_, err := op.Run(within(g.t), &img.Task, func(_ int, _ string, also ...func(tx *models.Tx) error) error {
		if reports++; reports == n && !after {
			return killed
		}
		err := g.store.InTx(within(g.t), func(tx *models.Tx) error {
			for _, fn := range also {
				if err := fn(tx); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil && reports == n {
			err = killed
		}
		return err
	})
	// A run that finds the file there has one report less.
	if err != nil && !errors.Is(err, killed) {
		g.t.Fatalf("broken off at step %d: %v", n, err)
	}
}

func hashes(img models.Image) []string {
	var all []string
	for _, v := range img.Variants {
		all = append(all, v.Name+" "+v.SHA256)
	}
	return all
}

// TestSilentHostBesideImages (security 2, another instance): the images that wait for a host which hangs are more than there are
// workers, and hold none: what others upload, or have fetched from elsewhere, is made.
func TestSilentHostBesideImages(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	file := picturetest.JPEG(t, picturetest.Corners(20, 10))
	healthy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(file) }))
	t.Cleanup(healthy.Close)
	const workers = 10
	g := newGallery(t, options{}, t.TempDir(), func(op task.Operation) task.Operation {
		op.Concurrency = workers
		return op
	})
	var waiting []models.Image
	for range 2 * workers {
		waiting = append(waiting, g.create(models.Image{ImageURL: silent.URL}, nil))
	}
	for _, img := range []models.Image{g.create(models.Image{}, bytes.NewReader(file)), g.create(models.Image{ImageURL: healthy.URL}, nil)} {
		if img = g.done(img); img.Task.Status != models.StatusCompleted {
			t.Errorf("%s: %s", img.Task.Status, img.Task.Message)
		}
	}
	for _, img := range waiting {
		if now, err := g.images.Cancel(within(t), img.ID); err != nil || now.Task.Status != models.StatusCancelled || now.Task.Errors > 0 {
			t.Errorf("one that waits: %+v, %v", now.Task, err)
		}
	}
}

func TestCancelledImage(t *testing.T) {
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	rc := newReceiver(t, nil)
	g := newGallery(t, options{}, t.TempDir(), nil)
	img := g.create(models.Image{ImageURL: server.URL, Task: models.Task{CallbackURL: rc.URL}}, nil)
	await(t, arrived, "the fetch")
	if err := g.images.Delete(within(t), img.ID); models.Code(err) != models.CodeConflict {
		t.Errorf("deleting it while it is processing: got %v", err)
	}
	if _, err := g.images.Cancel(within(t), img.ID); err != nil {
		t.Fatal(err)
	}
	if last := rc.last(img.TaskID); last.Type != "image.cancelled" {
		t.Errorf("the last callback is %s", last.Body)
	}
	if _, err := g.images.Change(within(t), img.ID, func(*models.Task) error { return nil }); models.Code(err) != models.CodeConflict {
		t.Errorf("changing it after its end: got %v", err)
	}
	g.drain()
	g.sweep()
	wantFiles(t, g.files())
}

func TestDeletedImage(t *testing.T) {
	g := newGallery(t, options{}, t.TempDir(), nil)
	img := g.done(g.create(models.Image{}, bytes.NewReader(picturetest.PNG(t, picturetest.Corners(20, 10)))))
	product := models.Product{Slug: "cat", Name: "Cat", Price: 1, Currency: "USD", ImageURL: picturePath(img.Variants[0])}
	product, err := g.products.Create(within(t), product)
	if err != nil {
		t.Fatal(err)
	}
	_, open, err := g.images.Open(within(t), img.ID, "small")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := g.images.Delete(within(t), img.ID); models.Code(err) != models.CodeConflict || !strings.Contains(err.Error(), `"cat"`) {
		t.Errorf("deleting what a product shows: %v", err)
	}
	if _, err := g.products.Change(within(t), "cat", 0, func(p *models.Product) error { p.ImageURL = ""; return nil }); err != nil {
		t.Error(err)
	}
	if err := g.images.Delete(within(t), img.ID); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, g.files())
	if data, err := io.ReadAll(open); err != nil || len(data) == 0 {
		t.Errorf("who was reading it got %d bytes, %v", len(data), err)
	}
	for what, err := range map[string]error{
		"getting": second(g.images.Get(within(t), img.ID)), "deleting": g.images.Delete(within(t), img.ID),
		"opening": third(g.images.Open(within(t), img.ID, "small")),
	} {
		if models.Code(err) != models.CodeNotFound {
			t.Errorf("%s it: got %v", what, err)
		}
	}
	product.Slug = "cat-2"
	if _, err := g.products.Create(within(t), product); models.Code(err) != models.CodeInvalid {
		t.Errorf("a product with a picture that does not exist: got %v", err)
	}
}

func third[A, B any](_ A, _ B, err error) error { return err }

// TestLostUpload: a file whose image is never stored is deleted.
func TestLostUpload(t *testing.T) {
	g := newGallery(t, options{}, t.TempDir(), nil)
	broken := errors.New("the client is gone")
	if _, err := g.images.Create(within(t), models.Image{}, io.MultiReader(strings.NewReader("a part"), failing{broken})); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	wantFiles(t, g.files())
	// As a kill leaves it between the file and the row.
	if err := g.images.receive(within(t), blobOf("img_lost", sourceBlob), strings.NewReader("all of it")); err != nil {
		t.Fatal(err)
	}
	if err := g.blobs.Sweep(within(t)); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, g.files(), "source") // its row may still come
	g.sweep()
	wantFiles(t, g.files())
	err := g.store.InTx(within(t), func(tx *models.Tx) error { return models.KeepBlob(tx, blobOf("img_lost", sourceBlob)) })
	if err == nil {
		t.Error("a blob that was swept is kept")
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestBlobsInMemory: the same holds without files.
func TestBlobsInMemory(t *testing.T) {
	var bucket *blobs.Bucket
	e := newEngine(t, options{idle: true, register: func(e *engine) {
		var err error
		if bucket, err = blobs.Open(e.store, "mem://"); err != nil {
			t.Fatal(err)
		}
		e.tasks.Register(NewImaging(e.store, bucket, newFetcher(t)))
	}})
	bucket.Start()
	t.Cleanup(func() {
		if err := bucket.Close(); err != nil {
			t.Error(err)
		}
	})
	images := NewImages(e.store, e.tasks, bucket)
	img, err := images.Create(within(t), models.Image{}, bytes.NewReader(picturetest.PNG(t, picturetest.Corners(20, 10))))
	if err != nil {
		t.Fatal(err)
	}
	e.start()
	if task, err := e.tasks.Wait(within(t), img.TaskID, patienceOfTests); err != nil || task.Status != models.StatusCompleted {
		t.Errorf("it is %+v, %v", task, err)
	}
	e.stop()
}

// BenchmarkThumbnails is a photograph of 12 megapixels on its way to three
// thumbnails.
func BenchmarkThumbnails(b *testing.B) {
	data := picturetest.JPEG(b, picturetest.Noise(4032, 3024))
	b.ReportAllocs()
	for b.Loop() {
		_, pixels, err := readPicture(data)
		if err != nil {
			b.Fatal(err)
		}
		for _, t := range thumbnails {
			if pixels, err = picture.Shrink(b.Context(), pixels, t.side); err != nil {
				b.Fatal(err)
			}
			if err := jpeg.Encode(new(bytes.Buffer), pixels, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
}
