package db

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"gorm.io/gorm"
)

// TestMigrationIsAllOrNothing (reliability 7, another instance): the first start ends in the middle of making the tables, here
// since the disk is full. The next one makes them as if there had been none.
func TestMigrationIsAllOrNothing(t *testing.T) {
	fresh := openStore(t, filepath.Join(t.TempDir(), "fresh.db"))
	want := schema(t, fresh.Read(within(t)))
	for _, pages := range []int{3, 10, 20, 30, 40} {
		t.Run(fmt.Sprint(pages), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "test.db")
			first, err := openPool(path, "&_txlock=immediate", 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := first.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Error; err != nil {
				t.Fatal(err)
			}
			if err := migrate(first); err == nil {
				t.Fatal("all tables have room: this shows nothing")
			}
			pool, _ := first.DB()
			if err := pool.Close(); err != nil {
				t.Fatal(err)
			}
			if got := schema(t, openStore(t, path).Read(within(t))); !slices.Equal(got, want) {
				t.Errorf("the tables are\n%q, want\n%q", got, want)
			}
		})
	}
}

func schema(t *testing.T, db *gorm.DB) (statements []string) {
	t.Helper()
	if err := db.Raw("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").Scan(&statements).Error; err != nil || len(statements) == 0 {
		t.Fatal(statements, err)
	}
	return statements
}
