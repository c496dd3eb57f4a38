package blobs

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
	bucket, err := Open(t.Context(), nil, (&url.URL{Scheme: "file", Path: filepath.ToSlash(folder)}).String())
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
	for _, rawURL := range []string{"", "blobs", "nope://x", "file://" + file, "file://" + file + "/below", "%"} {
		if _, err := Open(t.Context(), nil, rawURL); err == nil || !strings.Contains(err.Error(), "BLOB_URL") {
			t.Errorf("%q: got %v", rawURL, err)
		}
	}
}
