package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// readConnections is how many queries run side by side: two reports, two lists, and
// those of one row. SQLite's readers don't wait for the writer in WAL mode.
const readConnections = 6

// sqliteEngine is one SQLite file: a pool of one connection that writes, and
// the file, which no other process has.
type sqliteEngine struct {
	file     *ownedFile
	readDB   *sql.DB
	writeDB  *sql.DB
	healthDB *sql.DB // a connection that no list or report can hold
	writer   *groupWriter
	log      *walGuard
	damaged  atomic.Pointer[string] // what a check has found

	checking sync.WaitGroup
	stop     context.CancelFunc // ends the check
}

func openSQLite(ctx context.Context, path string) (*Store, error) {
	path = strings.TrimPrefix(path, "file:")
	if path == "" || strings.ContainsAny(path, "?#\x00") || strings.Contains(path, ":memory:") {
		return nil, errors.New("DATABASE_URL: want the path of a file, or a postgres:// URL") // there may be a password in it
	}
	file, err := ownFile(path)
	if err != nil {
		return nil, err
	}
	store, err := openOwned(ctx, file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database %s: %w", path, explainOpen(err)), file.release())
	}
	return store, nil
}

func openOwned(ctx context.Context, file *ownedFile) (_ *Store, err error) {
	e := &sqliteEngine{file: file}
	defer func() {
		if err != nil {
			_ = e.closePools() // err says why
		}
	}()
	writes, err := openPool(file.path, "&_txlock=immediate", 1)
	if err != nil {
		return nil, err
	}
	e.writeDB, _ = writes.DB()
	if _, err = e.writeDB.ExecContext(ctx, fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", checkpointPages)); err != nil {
		return nil, err
	}
	if err = checkFile(ctx, e.writeDB); err != nil {
		return nil, err
	}
	if err = migrate(writes.WithContext(ctx)); err != nil {
		return nil, err
	}
	reads, err := openPool(file.path, "&_query_only=1", readConnections)
	if err != nil {
		return nil, err
	}
	e.readDB, _ = reads.DB()
	for range readConnections { // now: there may be no descriptors left later
		conn, err := e.readDB.Conn(ctx)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
	}
	health, err := openPool(file.path, "&_query_only=1", 1)
	if err != nil {
		return nil, err
	}
	e.healthDB, _ = health.DB()
	if err = file.noteOpened(); err != nil {
		return nil, err
	}
	e.log = newWALGuard(file.path)
	e.writer = newGroupWriter(writes, file.check, e.log.bound)
	checks, stop := context.WithCancel(context.Background())
	e.stop = stop
	e.checking.Go(func() { e.checkTables(checks, health) })
	return storeOn(reads, e), nil
}

// openPool opens the file with the settings that hold for every connection.
// synchronous=FULL makes a commit survive a power cut, not just a crash
// (https://www.sqlite.org/pragma.html#pragma_synchronous).
func openPool(path, extra string, connections int) (*gorm.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1&_busy_timeout=5000" + driverSettings + extra
	db, err := gorm.Open(dialector{&sqlite.Dialector{DriverName: driverName, DSN: dsn}}, gormConfig())
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return db, nil
}

// checkTimeout is how long the start waits for the check of the file: a small one
// is checked in that time.
const checkTimeout = 50 * time.Millisecond

// checkFile finds a file that is not to be read at the start, where an operator sees it,
// instead of at some request later. It does not compare indexes with their tables, nor
// does it look at all of a large file: that is left to checkTables.
func checkFile(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var verdict string
	err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
	switch {
	case err != nil && (ctx.Err() != nil || sqliteCode(err)&0xff == codeInterrupt):
		return nil
	case err == nil && verdict != "ok":
		return damage(verdict)
	}
	return err
}

func damage(verdict string) error {
	return fmt.Errorf("the file is damaged (%s): restore it from a backup, or move it away to start anew", verdict)
}

// checkTables checks the file in the background, table by table, whenever the log is
// small enough for it (walGuard). Once it has found damage, nothing is written any more.
func (e *sqliteEngine) checkTables(ctx context.Context, db *gorm.DB) {
	tables := []string{"sqlite_schema"} // and the list of free pages (https://www.sqlite.org/pragma.html#pragma_integrity_check)
	var found []string
	if err := db.WithContext(ctx).Table("sqlite_schema").Where("type = 'table' AND rootpage > 0").Pluck("name", &found).Error; err != nil {
		return // the database is closed
	}
	for _, table := range append(tables, found...) {
		for ctx.Err() == nil && !e.checkTable(ctx, table) {
			select {
			case <-time.After(time.Minute):
			case <-ctx.Done():
			}
		}
	}
}

func (e *sqliteEngine) checkTable(ctx context.Context, table string) (checked bool) {
	ctx, leave := e.log.enter(ctx)
	defer leave()
	var verdict string
	err := e.readDB.QueryRowContext(ctx, "PRAGMA integrity_check('"+table+"')").Scan(&verdict)
	switch {
	case err == nil && verdict == "ok":
		return true
	case err != nil && (ctx.Err() != nil || !isDamage(err)), e.file.check() != nil: // it may yet be put back
		return false
	case err != nil:
		verdict = err.Error()
	}
	e.damaged.Store(&verdict)
	slog.Error("The database file is damaged: nothing is written to it any more. Restore it from a backup.", "table", table, "damage", verdict)
	return true
}

func (e *sqliteEngine) inTx(ctx context.Context, fn func(*Tx) error) error {
	if verdict := e.damaged.Load(); verdict != nil {
		return unavailable(damage(*verdict))
	}
	err := e.writer.do(ctx, fn)
	if isDamage(err) {
		verdict := err.Error()
		e.damaged.CompareAndSwap(nil, &verdict)
	}
	return err
}

func isDamage(err error) bool {
	code := sqliteCode(err) & 0xff
	return code == codeCorrupt || code == codeNotADB
}

func (e *sqliteEngine) waiting() float64 { return float64(len(e.writer.queue)) / queueSize }

func (e *sqliteEngine) ping(ctx context.Context) error {
	if verdict := e.damaged.Load(); verdict != nil {
		return unavailable(damage(*verdict))
	}
	if err := e.file.check(); err != nil {
		return unavailable(err)
	}
	if err := e.file.room(); err != nil {
		return err
	}
	return e.healthDB.PingContext(ctx)
}

// tryWrite writes the header of the file anew, as it is.
func (e *sqliteEngine) tryWrite(tx *Tx) error { return tx.Exec("PRAGMA user_version = 0").Error }

func (e *sqliteEngine) close() error {
	e.stop()
	e.checking.Wait()
	e.writer.close()
	return errors.Join(e.closePools(), e.file.release())
}

func (e *sqliteEngine) closePools() error {
	var errs []error
	for _, db := range []*sql.DB{e.readDB, e.healthDB, e.writeDB} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// dialector is GORM's SQLite dialect, with errors of both drivers translated.
type dialector struct{ *sqlite.Dialector }

// SQLite's result codes that matter here (https://www.sqlite.org/rescode.html).
const (
	codeBusy             = 5
	codeLocked           = 6
	codeReadOnly         = 8
	codeInterrupt        = 9
	codeIOErr            = 10
	codeCorrupt          = 11
	codeFull             = 13
	codeCantOpen         = 14
	codeNotADB           = 26
	codeForeignKey       = 787
	codeUniquePrimaryKey = 1555
	codeUnique           = 2067
)

// Translate turns a driver's error into GORM's.
func (d dialector) Translate(err error) error {
	switch sqliteCode(err) {
	case codeUnique, codeUniquePrimaryKey:
		return gorm.ErrDuplicatedKey
	case codeForeignKey:
		return gorm.ErrForeignKeyViolated
	}
	return err
}

type failure int

const (
	failureOther failure = iota
	failureFull
	failureUnavailable
)

// sqliteFailure sorts the failures of a whole database from those of one
// statement. Of an extended code, the low byte is the primary one.
func sqliteFailure(err error) failure {
	switch sqliteCode(err) & 0xff {
	case codeFull:
		return failureFull
	case codeBusy, codeLocked, codeReadOnly, codeIOErr, codeCorrupt, codeCantOpen, codeNotADB:
		return failureUnavailable
	}
	return failureOther
}

// explainOpen says in plain words why a file cannot be opened.
func explainOpen(err error) error {
	switch sqliteCode(err) & 0xff {
	case codeNotADB:
		return fmt.Errorf("the file is not an SQLite database: %w", err)
	case codeCorrupt:
		return fmt.Errorf("the file is damaged, restore it from a backup, or move it away to start anew: %w", err)
	case codeBusy, codeLocked:
		return fmt.Errorf("another program holds the file, close that one: %w", err)
	case codeReadOnly, codeCantOpen:
		return fmt.Errorf("the file or its folder cannot be written: %w", err)
	case codeFull:
		return fmt.Errorf("the disk is full: %w", err)
	}
	return err
}
