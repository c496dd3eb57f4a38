package db

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestFileIsNotTheOneThatWasOpened (reliability 3): what would be written to a file that nobody can open again is refused,
// and the server is not ready, until the file is back.
func TestFileIsNotTheOneThatWasOpened(t *testing.T) {
	move := func(from, to string) func(path string) error {
		return func(path string) error { return os.Rename(path+from, path+to) }
	}
	replace := func(path string) error {
		content, err := os.ReadFile(path)
		return errors.Join(err, os.Rename(path, path+".away"), os.WriteFile(path, content, 0o600))
	}
	var content []byte
	empty := func(path string) (err error) {
		content, err = os.ReadFile(path)
		return errors.Join(err, os.Truncate(path, 0))
	}
	for name, test := range map[string]struct{ lose, mend func(path string) error }{
		"emptied":      {empty, func(path string) error { return os.WriteFile(path, content, 0o600) }}, // another instance
		"deleted":      {move("", ".away"), move(".away", "")},
		"replaced":     {replace, move(".away", "")},
		"log deleted":  {move("-wal", "-wal.away"), move("-wal.away", "-wal")},
		"folder moved": {func(path string) error { return os.Rename(filepath.Dir(path), filepath.Dir(path)+"2") }, func(path string) error { return os.Rename(filepath.Dir(path)+"2", filepath.Dir(path)) }},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "folder", "test.db")
			s := openStore(t, path)
			addProduct(t, s, "before", 1)
			if err := test.lose(path); err != nil {
				t.Fatal(err)
			}
			err := s.InTx(within(t), func(tx *Tx) error { return CreateProduct(tx, product("lost", 1)) })
			if code(err) != CodeUnavailable || !errors.Is(err, errFileGone) {
				t.Errorf("told %v", err)
			}
			if err := s.Ping(within(t)); !errors.Is(err, errFileGone) {
				t.Errorf("ready, with %v", err)
			}
			if got := slugs(t, s); len(got) != 1 { // reads go on
				t.Errorf("stored are %v", got)
			}
			if err := test.mend(path); err != nil {
				t.Fatal(err)
			}
			if err := s.Ping(within(t)); err != nil {
				t.Errorf("not ready: %v", err)
			}
			addProduct(t, s, "after", 1)
		})
	}
}

// TestLogIsCut (reliability 3, another instance): without its log the database has lost what was last written, which is said.
func TestLogIsCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s := openStore(t, path)
	addProduct(t, s, "before", 1)
	e, _ := s.engine.(*sqliteEngine)
	e.checking.Wait()
	log, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 32, len(log) - 1} {
		if err := os.Truncate(path+"-wal", int64(size)); err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(within(t)); !errors.Is(err, errFileGone) {
			t.Errorf("ready with %d of %d bytes: %v", size, len(log), err)
		}
		err := s.InTx(within(t), func(tx *Tx) error { return CreateProduct(tx, product("lost", 1)) })
		if code(err) != CodeUnavailable {
			t.Errorf("with %d of %d bytes a write is told %v", size, len(log), err)
		}
		e.checkTable(within(t), "products") // which finds pages missing
	}
	if err := os.WriteFile(path+"-wal", log, 0o600); err != nil {
		t.Fatal(err)
	}
	addProduct(t, s, "after", 1)
	if got := slugs(t, s); len(got) != 2 {
		t.Errorf("stored are %v", got)
	}
}

// TestFileIsLostDuringAWrite (reliability 3): a transaction that was committed to a file that is gone is not told as stored.
func TestFileIsLostDuringAWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s := openStore(t, path)
	err := s.InTx(within(t), func(tx *Tx) error {
		tx.AfterCommit(func() { t.Error("it is taken for stored") })
		return errors.Join(CreateProduct(tx, product("lost", 1)), os.Remove(path))
	})
	if code(err) != CodeUnavailable || !errors.Is(err, errFileGone) {
		t.Errorf("told %v", err)
	}
}

// TestNotReadyWhenFull (reliability 3): after a write that did not fit the server is not ready, until one does.
func TestNotReadyWhenFull(t *testing.T) {
	s := newStore(t)
	e, _ := s.engine.(*sqliteEngine)
	limit := func(pages string) {
		t.Helper()
		if _, err := e.writeDB.ExecContext(within(t), "PRAGMA max_page_count = "+pages); err != nil {
			t.Fatal(err)
		}
	}
	limit("1")
	large := product("large", 1)
	large.Description = strings.Repeat("x", 100_000)
	if err := s.InTx(within(t), func(tx *Tx) error { return CreateProduct(tx, large) }); code(err) != CodeFull || !s.failing.Load() {
		t.Fatalf("told %v", err)
	}
	if _, err := e.writeDB.ExecContext(within(t), "PRAGMA query_only = 1"); err != nil { // nor does anything else
		t.Fatal(err)
	}
	if err := s.Ping(within(t)); code(err) != CodeUnavailable {
		t.Errorf("ready, with %v", err)
	}
	if _, err := e.writeDB.ExecContext(within(t), "PRAGMA query_only = 0"); err != nil {
		t.Fatal(err)
	}
	limit("1000000")
	if err := s.Ping(within(t)); err != nil || s.failing.Load() {
		t.Errorf("not ready: %v", err)
	}
	if runtime.GOOS != "linux" {
		return
	}
	if err := (&ownedFile{path: "/proc/self/status"}).room(); code(err) != CodeFull { // a file system without room
		t.Errorf("there is room: %v", err)
	}
}
