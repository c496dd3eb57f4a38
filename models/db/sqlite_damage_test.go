package db

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pageSize is SQLite's own.
const pageSize = 4096

// TestDamageIsFoundInTheBackground (reliability 15): an index that does not fit its table, which only a full check finds, is said,
// and nothing is written any more.
func TestDamageIsFoundInTheBackground(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s := openStore(t, path)
	for _, slug := range []string{"a", "b", "c"} {
		addProduct(t, s, slug, 1)
	}
	e, _ := s.engine.(*sqliteEngine)
	damageIndex(t, e, path)
	e.checkTables(within(t), s.reads)
	wantDamaged(t, s)
}

// TestDamageOfASmallFile (reliability 15, another instance): of a file that the start has the time to look through the indexes are
// compared with their tables all the same.
func TestDamageOfASmallFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(within(t), path)
	if err != nil {
		t.Fatal(err)
	}
	addProduct(t, s, "a", 1)
	e, _ := s.engine.(*sqliteEngine)
	damageIndex(t, e, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path)
	e, _ = s.engine.(*sqliteEngine)
	e.checking.Wait()
	wantDamaged(t, s)
}

// TestDamageOfFreePages (reliability 15, another instance): of a file that is too large for the check at the start the list of
// free pages is checked, too: what is written next goes where it says.
func TestDamageOfFreePages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s := openStore(t, path)
	large := product("large", 1)
	large.Description = strings.Repeat("x", 10*pageSize)
	inTx(t, s, func(tx *Tx) error { return CreateProduct(tx, large) })
	inTx(t, s, func(tx *Tx) error { return tx.Exec("DELETE FROM products").Error })
	e, _ := s.engine.(*sqliteEngine)
	damageFile(t, e, path, func(content []byte) {
		trunk := binary.BigEndian.Uint32(content[32:]) // https://www.sqlite.org/fileformat2.html#the_freelist
		if trunk == 0 {
			t.Fatal("no page is free")
		}
		binary.BigEndian.PutUint32(content[(trunk-1)*pageSize+8:], 1<<20) // the first of its leaves
	})
	e.checkTables(within(t), s.reads)
	wantDamaged(t, s)
}

// TestUncheckedIsNotDamaged (reliability 15, another instance): that the file can't be read for a moment is no damage.
func TestUncheckedIsNotDamaged(t *testing.T) {
	s := newStore(t)
	e, _ := s.engine.(*sqliteEngine)
	e.checking.Wait()
	if e.checkTable(within(t), "x'y") { // no statement
		t.Error("checked is what was not")
	}
	if err := s.Ping(within(t)); err != nil {
		t.Errorf("not ready: %v", err)
	}
}

// damageIndex makes an index of the products differ from them.
func damageIndex(t *testing.T, e *sqliteEngine, path string) {
	t.Helper()
	var page int
	err := e.writeDB.QueryRowContext(within(t), "SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'products' LIMIT 1").Scan(&page)
	if err != nil {
		t.Fatal(err)
	}
	damageFile(t, e, path, func(content []byte) { copy(content[page*pageSize-8:], "zzzz") }) // the end of the first key
}

// damageFile changes the file of a store that does nothing.
func damageFile(t *testing.T, e *sqliteEngine, path string, damage func(content []byte)) {
	t.Helper()
	e.checking.Wait()
	if _, err := e.writeDB.ExecContext(within(t), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damage(content)
	file, err := os.OpenFile(path, os.O_RDWR, 0) // without emptying it first
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
}

// wantDamaged fails the test unless the store knows that its file is damaged.
func wantDamaged(t *testing.T, s *Store) {
	t.Helper()
	if e, _ := s.engine.(*sqliteEngine); e.damaged.Load() == nil {
		t.Fatal("no damage was found")
	}
	if err := s.InTx(within(t), func(tx *Tx) error { return CreateProduct(tx, product("d", 1)) }); code(err) != CodeUnavailable {
		t.Errorf("told %v", err)
	}
	if err := s.Ping(within(t)); code(err) != CodeUnavailable {
		t.Errorf("ready, with %v", err)
	}
}
