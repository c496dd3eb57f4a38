//go:build cgo && !race

// The race detector would find nothing here, and make the translated driver take
// minutes to build.

package db

import (
	"path/filepath"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	_ "modernc.org/sqlite" // the driver of the build without cgo
)

// TestEitherBuildReadsTheOther: a file that one driver has written means the
// same to the other.
func TestEitherBuildReadsTheOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(within(t), path)
	if err != nil {
		t.Fatal(err)
	}
	ours := addProduct(t, s, "c", 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	theirs := product("go", 2)
	theirs.CreatedAt = time.Date(2026, 1, 2, 3, 4, 5, 120_000_000, time.UTC)
	db, err := gorm.Open(sqlite.Dialector{DriverName: "sqlite", DSN: "file:" + path + "?_time_format=sqlite&_foreign_keys=1"}, gormConfig())
	if err != nil {
		t.Fatal(err)
	}
	read, err := find(db, "c")
	if err != nil || !read.CreatedAt.Equal(ours.CreatedAt) || read.Price != ours.Price {
		t.Errorf("got %+v, %v; want %+v", read, err, ours)
	}
	if err := db.Create(theirs).Error; err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err == nil {
		err = pool.Close()
	}
	if err != nil {
		t.Fatal(err)
	}

	s = openStore(t, path)
	read, err = find(s.Read(within(t)), "go")
	if err != nil || !read.CreatedAt.Equal(theirs.CreatedAt) || read.Stock != 2 {
		t.Errorf("got %+v, %v; want %+v", read, err, theirs)
	}
	var forms []string // the same text, so that they compare as text
	if err := s.Read(within(t)).Raw("SELECT substr(created_at, 11, 1) || substr(created_at, -6) FROM products").Scan(&forms).Error; err != nil ||
		len(forms) != 2 || forms[0] != forms[1] {
		t.Errorf("times are written as %q, %v", forms, err)
	}
}
