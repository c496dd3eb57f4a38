package db

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSettingsHoldOnEveryConnection asks all connections of both pools at once.
func TestSettingsHoldOnEveryConnection(t *testing.T) {
	s := newStore(t)
	e, ok := s.engine.(*sqliteEngine)
	if !ok {
		t.Fatalf("the engine is a %T", s.engine)
	}
	for _, pool := range []struct {
		name        string
		db          *sql.DB
		connections int
		queryOnly   string
	}{{"writer", e.writeDB, 1, "0"}, {"reader", e.readDB, readConnections, "1"}} {
		if most := pool.db.Stats().MaxOpenConnections; most != pool.connections {
			t.Errorf("%s: %d connections at most", pool.name, most)
		}
		for range pool.connections {
			conn, err := pool.db.Conn(within(t)) // held to the end, so that the next one is another
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for pragma, want := range map[string]string{
				"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "query_only": pool.queryOnly, "busy_timeout": "5000",
			} {
				var got string
				if err := conn.QueryRowContext(within(t), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
					t.Errorf("%s: %s is %q, %v; want %q", pool.name, pragma, got, err, want)
				}
			}
		}
	}
}

// TestFilesArePrivate (security 19, another instance): the database holds the secrets of webhooks.
func TestFilesArePrivate(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(folder, "new.db")
	s, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, want := range map[string]os.FileMode{folder: 0o700, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, path + ".lock": 0o600} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestReadersCannotWrite(t *testing.T) {
	s := newStore(t)
	if err := s.Read(within(t)).Exec("DELETE FROM products").Error; sqliteCode(err)&0xff != codeReadOnly {
		t.Errorf("got %v", err)
	}
}

// inAnotherProcess makes the test binary open a database and say what came of it.
const inAnotherProcess = "PETSTORE_TEST_OPEN"

func TestOpenInAnotherProcess(t *testing.T) {
	path := os.Getenv(inAnotherProcess)
	if path == "" {
		return // a helper of TestOneProcessOwnsTheFile
	}
	s, err := Open(context.Background(), path)
	fmt.Printf("opened: %v\n", err)
	if err == nil {
		_ = s.Close()
	}
}

// openElsewhere has another process open a database, and returns what it says.
func openElsewhere(t *testing.T, path string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestOpenInAnotherProcess$", "-test.v")
	cmd.Env = append(os.Environ(), inAnotherProcess+"="+path)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestOneProcessOwnsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%20c", "test.db")
	s, err := Open(within(t), path)
	if err != nil {
		t.Fatal(err)
	}
	if out := openElsewhere(t, path); !strings.Contains(out, "is in use by another petstore") || !strings.Contains(out, "DATABASE_URL") {
		t.Errorf("the second process says: %s", out)
	}
	if _, err := Open(within(t), path); err == nil || !strings.Contains(err.Error(), "in use by another petstore") {
		t.Errorf("a second time in this process: %v", err)
	}
	addProduct(t, s, "a", 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if out := openElsewhere(t, path); !strings.Contains(out, "opened: <nil>") {
		t.Errorf("after the first has left: %s", out)
	}
}

// TestOneProcessOwnsTheFileByAnyName (reliability 8): a link to the file is the file, also one that leads to where there is none
// yet, and the lock is held although the file beside it is deleted.
func TestOneProcessOwnsTheFileByAnyName(t *testing.T) {
	folder := t.TempDir()
	path, link, hard := filepath.Join(folder, "test.db"), filepath.Join(folder, "link.db"), filepath.Join(folder, "hard.db")
	if err := os.Symlink("test.db", link); err != nil {
		t.Skip("needs symbolic links")
	}
	s := openStore(t, link)
	if err := os.Link(path, hard); err != nil {
		t.Fatal(err)
	}
	names := []string{link, path}
	if runtime.GOOS == "linux" {
		names = append(names, hard)
	}
	refused := func(when string) {
		t.Helper()
		for _, name := range names {
			if out := openElsewhere(t, name); !strings.Contains(out, "is in use by another petstore") {
				t.Errorf("%s, as %s: %s", when, name, out)
			}
		}
	}
	refused("at first")
	if runtime.GOOS == "linux" {
		if err := os.Remove(path + ".lock"); err != nil {
			t.Fatal(err)
		}
		refused("without the lock file")
	}
	addProduct(t, s, "a", 1)
}

func TestOpenRefuses(t *testing.T) {
	sqliteFile := func(change func(content []byte)) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			t.Helper()
			s, err := Open(within(t), path)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 200 {
				addProduct(t, s, fmt.Sprintf("p%03d", i), 1)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			change(content)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write := func(text string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"not a database", write(strings.Repeat("Dear diary, ", 1000)), "not an SQLite database"},
		{"damaged", sqliteFile(func(content []byte) {
			for i := 2 * 4096; i < len(content)-4096; i++ {
				content[i] = byte(i * 7)
			}
		}), "damaged"},
		{"a folder", func(t *testing.T, path string) {
			t.Helper()
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "cannot be written"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "test.db")
			test.make(t, path)
			before, _ := os.ReadFile(path)
			_, err := Open(within(t), path)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
			if _, again := Open(within(t), path); again == nil || strings.Contains(again.Error(), "in use") {
				t.Errorf("the lock was kept: %v", again)
			}
		})
	}
	for _, path := range []string{"", "file:", ":memory:", "test.db?mode=memory", "a#b", "a\x00b", "/dev/null/no/folder.db", "/proc/no-folder/x.db"} {
		if _, err := Open(within(t), path); err == nil {
			t.Errorf("opened %q", path)
		}
	}
}

// TestOpenWhileAnotherProgramHoldsTheFile: a program that is no petstore, like
// the sqlite3 shell, does not know the lock file.
func TestOpenWhileAnotherProgramHoldsTheFile(t *testing.T) {
	t.Parallel() // it takes the five seconds that SQLite waits for a lock
	path := filepath.Join(t.TempDir(), "test.db")
	other, err := sql.Open(driverName, "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	for _, statement := range []string{"CREATE TABLE theirs (a)", "BEGIN EXCLUSIVE"} {
		if _, err := other.ExecContext(within(t), statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(within(t), path); err == nil || !strings.Contains(err.Error(), "another program holds the file") {
		t.Errorf("got %v", err)
	}
	if _, err := other.ExecContext(within(t), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	var tables int
	if err := other.QueryRowContext(within(t), "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil || tables != 1 {
		t.Errorf("%d tables, %v", tables, err)
	}
}

// TestDiskFull fills the file to its last allowed page. Whoever does not fit is
// told so, what is stored is whole, and what fits goes on.
func TestDiskFull(t *testing.T) {
	s := newStore(t)
	limit := func(pages string) {
		e, _ := s.engine.(*sqliteEngine)
		if _, err := e.writeDB.ExecContext(within(t), "PRAGMA max_page_count = "+pages); err != nil {
			t.Fatal(err)
		}
	}
	limit("60") // the tables take about 50
	stored := map[string]bool{}
	var mu sync.Mutex
	var writers sync.WaitGroup
	full := 0
	for c := range 8 {
		random := rand.New(rand.NewPCG(7, uint64(c)))
		writers.Go(func() {
			for i := range 40 {
				slug := fmt.Sprintf("p%d-%d", c, i)
				p := product(slug, 1)
				p.Description = strings.Repeat("x", random.IntN(6000))
				p.Tags = []ProductTag{{ProductID: p.ID, Tag: "one"}, {ProductID: p.ID, Tag: "two", Position: 1}}
				err := s.InTx(within(t), func(tx *Tx) error {
					return CreateProduct(tx, p)
				})
				mu.Lock()
				if err == nil {
					stored[slug] = true
				} else if full++; code(err) != CodeFull {
					t.Errorf("told %v", err)
				}
				mu.Unlock()
			}
		})
	}
	writers.Wait()
	if full == 0 || len(stored) == 0 {
		t.Fatalf("%d stored, %d refused: this shows nothing", len(stored), full)
	}
	got := slugs(t, s)
	for _, slug := range got {
		if !stored[slug] {
			t.Errorf("%s is stored, though its caller was told otherwise", slug)
		}
	}
	var tags int64
	if err := s.Read(within(t)).Model(&ProductTag{}).Count(&tags).Error; err != nil || len(got) != len(stored) || tags != int64(2*len(got)) {
		t.Errorf("%d products with %d tags, %d were acknowledged, %v", len(got), tags, len(stored), err)
	}
	limit("1000000")
	addProduct(t, s, "after", 1)
	var verdict string
	if err := s.Read(within(t)).Raw("PRAGMA integrity_check").Scan(&verdict).Error; err != nil || verdict != "ok" {
		t.Errorf("the file is %s, %v", verdict, err)
	}
}

func TestPingAfterClose(t *testing.T) {
	s, err := Open(within(t), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(within(t)); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Ping(within(t)); err == nil {
		t.Error("a closed store answers")
	}
}

// TestUpgrade opens a database of the version before this one, with work in it.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	old, err := openPool(path, "&_txlock=immediate", 1)
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(migrations, "migrations/000[1-7]*.sql")
	if err == nil {
		err = migrateBy(old, names)
	}
	for _, statement := range []string{
		`INSERT INTO tasks (id, kind, resource_id, status, progress, message, sequence, metadata, callback_url, result, error_code, error_message, created_at, updated_at, revision, braced, cuts, cut_at_progress)
			VALUES ('task_1', 'order', 'ord_1', 'processing', 20, '', 2, '{}', '', NULL, '', '', ?, ?, 1, TRUE, 1, 20)`,
		`INSERT INTO deliveries (id, update_id, callback_id, task_id, sequence, passing, type, webhook_id, url, host, status, attempts, round, next_attempt_at, replaying, status_code, error, created_at, updated_at)
			VALUES ('dlv_1', 1, 'cb_1', 'task_1', 2, TRUE, 'order.progress', '', 'http://x.test/', 'http://x.test', 'pending', 0, 0, ?, FALSE, 0, '', ?, ?)`,
	} {
		args := slices.Repeat([]any{time.Now()}, strings.Count(statement, "?"))
		err = errors.Join(err, old.Exec("PRAGMA foreign_keys = OFF").Error, old.Exec(statement, args...).Error)
	}
	pool, closing := old.DB()
	if err = errors.Join(err, closing, pool.Close()); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, path)
	var supersedable bool
	var crashes int
	err = s.Read(within(t)).Raw("SELECT d.supersedable, t.crashes FROM deliveries d JOIN tasks t ON t.id = d.task_id WHERE d.status = 'pending'").
		Row().Scan(&supersedable, &crashes)
	if err != nil || !supersedable || crashes != 1 {
		t.Errorf("got %v, %d, %v", supersedable, crashes, err)
	}
}

func TestMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	for range 2 { // the second time there is nothing to do
		s, err := Open(within(t), path)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		if err := s.Read(within(t)).Table("migrations").Order("id").Pluck("id", &ids).Error; err != nil || len(ids) == 0 || ids[0] != "migrations/0001_tables.sql" {
			t.Errorf("migrations %v, %v", ids, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(within(t), path)
	if err != nil {
		t.Fatal(err)
	}
	inTx(t, s, func(tx *Tx) error {
		return tx.Exec("INSERT INTO migrations VALUES ('migrations/9999_later.sql')").Error
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	if _, err := Open(within(t), path); err == nil || !strings.Contains(err.Error(), "newer petstore") {
		t.Errorf("a database of a newer petstore: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("it was changed")
	}
}
