package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"testing"

	"petstore/callbacks"
	"petstore/services/picture/picturetest"
)

// TestFilesOfTheServer (security 19, another instance): of all that the server has written, nothing is for others to read: the
// database, its log and lock, the sandbox of payments, pictures, and the folders of these.
func TestFilesOfTheServer(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	app, err := New(t.Context(), Config{
		Addr: "127.0.0.1:0", DatabaseURL: filepath.Join(folder, "petstore.db"), CallbackSecret: callbacks.DevelopmentSecret, Env: envDevelopment,
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopApp(t, app) })
	if err := app.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := call(t.Context(), "POST", app.URL()+"/api/payments", `{"amount":100,"provider":"stripe"}`, 202, nil); err != nil {
		t.Error(err)
	}
	if _, err := uploadImage(t.Context(), app.URL(), picturetest.PNG(t, picturetest.Corners(20, 10))); err != nil {
		t.Error(err)
	}
	var seen int
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was renamed, or is not needed any more
		}
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		seen++
		return err
	})
	if err != nil || seen < 8 {
		t.Errorf("%d files, %v", seen, err)
	}
}
