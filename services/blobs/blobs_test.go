package blobs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"petstore/models"
	"petstore/models/db"
)

// TestUnfinishedFiles: what a killed write left is removed at the next start,
// and what another process may be writing stays.
func TestUnfinishedFiles(t *testing.T) {
	folder := t.TempDir()
	old, recent := filepath.Join(folder, "images", "a.1.tmp"), filepath.Join(folder, "images", "b.2.tmp")
	if err := os.MkdirAll(filepath.Dir(old), 0o750); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{old, recent} {
		if err := os.WriteFile(name, []byte("a part"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	bucket, err := Open(nil, (&url.URL{Scheme: "file", Path: filepath.ToSlash(folder)}).String())
	if err != nil {
		t.Fatal(err)
	}
	if err := bucket.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old one: %v", err)
	}
	if _, err := os.Stat(recent); err != nil {
		t.Errorf("the recent one: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, rawURL := range []string{
		"", "blobs", "nope://x", "s3://bucket", "file:blobs", "file://host/blobs", "file://" + file, "file://" + file + "/below", "%",
		"file:///tmp/x?metadata=skip", "s3://user:hunter2@host/bucket", "s3://user:hunter2@host:x/bucket",
	} {
		_, err := Open(nil, rawURL)
		if err == nil || !strings.Contains(err.Error(), "BLOB_URL") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v", rawURL, err)
		}
	}
}

// TestReadOnlyFolder (reliability 9) is said at the start, not to who uploads.
func TestReadOnlyFolder(t *testing.T) {
	folder := t.TempDir()
	if os.Geteuid() == 0 { // whom no mode stops
		folder = "/proc"
	} else if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(nil, "file://"+folder); err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("got %v", err)
	}
}

// TestFailedWrites say what a client can do about them.
func TestFailedWrites(t *testing.T) {
	for err, code := range map[error]string{
		syscall.ENOSPC: db.CodeFull, syscall.EDQUOT: db.CodeFull, syscall.EROFS: db.CodeUnavailable, syscall.EACCES: db.CodeUnavailable,
		io.ErrUnexpectedEOF: "",
	} {
		bucket, _ := openTemp(t)
		if _, got := bucket.Put(t.Context(), "images/a", failing{err}); got == nil || models.Code(got) != code {
			t.Errorf("%v: got %v, want the code %q", err, got, code)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func openTemp(t *testing.T) (bucket *Bucket, folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "blobs")
	bucket, err := Open(nil, (&url.URL{Scheme: "file", Path: filepath.ToSlash(folder)}).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bucket.Close(); err != nil {
			t.Error(err)
		}
	})
	return bucket, folder
}

// TestBuckets holds both kinds to the same.
func TestBuckets(t *testing.T) {
	inMemory, err := Open(nil, "mem://")
	if err != nil {
		t.Fatal(err)
	}
	inFolder, _ := openTemp(t)
	for name, bucket := range map[string]*Bucket{"memory": inMemory, "folder": inFolder} {
		const key = "images/img_1.source"
		wantContent(t, name, bucket, key, "")
		for _, content := range []string{"first", "second"} {
			if size, err := bucket.Put(t.Context(), key, strings.NewReader(content)); err != nil || size != int64(len(content)) {
				t.Errorf("%s: put %d bytes, %v", name, size, err)
			}
			wantContent(t, name, bucket, key, content)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := bucket.Put(ended, key, strings.NewReader("too late")); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: after its context, got %v", name, err)
		}
		if _, err := bucket.Put(t.Context(), key, io.MultiReader(strings.NewReader("a part"), failing{io.ErrUnexpectedEOF})); err == nil {
			t.Errorf("%s: a part was stored", name)
		}
		wantContent(t, name, bucket, key, "second")
		if err := bucket.kept.remove(key); err != nil {
			t.Error(err)
		}
		wantContent(t, name, bucket, key, "")
	}
}

// wantContent fails the test unless a blob has this content, or is not there: "".
func wantContent(t *testing.T, name string, bucket *Bucket, key, want string) {
	t.Helper()
	if found, err := bucket.Exists(key); err != nil || found != (want != "") {
		t.Errorf("%s: it exists: %t, %v", name, found, err)
	}
	r, err := bucket.Open(key)
	if want == "" {
		if models.Code(err) != models.CodeNotFound {
			t.Errorf("%s: opening what is not there: %v", name, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != want {
		t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
	}
}

// TestPrivate (security 19): only the server's user may read what clients have uploaded.
func TestPrivate(t *testing.T) {
	bucket, folder := openTemp(t)
	if _, err := bucket.Put(t.Context(), "images/img_1.source", strings.NewReader("a photograph")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "images": 0o700, "images/img_1.source": 0o600} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q has the mode %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(folder, "images")); err != nil || len(entries) != 1 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}
