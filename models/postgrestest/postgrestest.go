// Package postgrestest starts a PostgreSQL server for tests, from the programs
// that Debian's package postgresql installs.
package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is the one of this test binary, started when it is first needed.
var server struct {
	sync.Mutex
	folder string // its data and its socket
	bin    string
	err    error
}

var databases atomic.Int64

// Prepare prepares, if it is set, the database that all others are copies of, which is
// quicker than to prepare each. It must not leave a connection open.
var Prepare func(url string) error

// Durable has the server wait for the disk, as one in earnest does. Benchmarks set it.
var Durable bool

// CPU is the processor time that the server has used.
func CPU(t testing.TB) time.Duration {
	t.Helper()
	pidFile, err := os.ReadFile(filepath.Join(data(), "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	postmaster, _, _ := strings.Cut(string(pidFile), "\n")
	var ticks int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// Fields are counted after the command's name, which is in parentheses: the
		// parent, and from the 12th user and system time, of the process and of those
		// of its children that have ended.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		self := filepath.Base(filepath.Dir(name)) == postmaster
		if self || fields[1] == postmaster {
			for _, field := range fields[11:15] {
				n, _ := strconv.Atoi(field)
				ticks += n
			}
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// URL returns the URL of a database of the test's own, which is empty but for what
// Prepare has put there. Where PostgreSQL is not installed the test is skipped, but
// not in CI.
func URL(t testing.TB) string {
	t.Helper()
	folder, err := start()
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") == "" {
		t.Skip("PostgreSQL is not installed: apt install postgresql")
	}
	if err != nil {
		t.Fatalf("starting PostgreSQL: %v", err)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if err := create(folder, name, prepared); err != nil {
		t.Fatal(err)
	}
	return at(folder, name)
}

// prepared is the database that all others are copies of.
const prepared = "prepared"

func create(folder, name, original string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, at(folder, "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+original)
	return err
}

func at(folder, database string) string {
	host := strings.ReplaceAll(url.QueryEscape(folder), "+", "%20") // pgx takes a + as it is
	return "postgres:///" + database + "?user=postgres&host=" + host
}

// Stop stops the server, if URL has started one. Call it at the end of TestMain.
func Stop() {
	server.Lock()
	defer server.Unlock()
	if server.folder == "" {
		return
	}
	_ = command("pg_ctl", "stop", "-D", data(), "-m", "immediate", "-w").Run()
	_ = os.RemoveAll(server.folder)
	server.folder, server.err = "", nil
}

func start() (folder string, err error) {
	server.Lock()
	defer server.Unlock()
	if server.folder != "" || server.err != nil {
		return server.folder, server.err
	}
	if server.err = launch(); server.err == nil {
		server.err = create(server.folder, prepared, "template1")
	}
	if server.err == nil && Prepare != nil {
		server.err = Prepare(at(server.folder, prepared))
	}
	if server.err != nil {
		_ = command("pg_ctl", "stop", "-D", data(), "-m", "immediate").Run()
		_ = os.RemoveAll(server.folder)
		server.folder = ""
	}
	return server.folder, server.err
}

// launch makes a server that listens at a socket in its own folder only. Unless it is
// Durable it needn't survive a crash, so it doesn't wait for the disk.
func launch() (err error) {
	if server.bin, err = find(); err != nil {
		return err
	}
	if server.folder, err = os.MkdirTemp("", "pg"); err != nil { // short: a socket's path has 107 bytes
		return err
	}
	forgetEnvironment()
	if id := serverUser(); id != nil {
		if err := os.Chown(server.folder, int(id.Uid), int(id.Gid)); err != nil {
			return err
		}
	}
	settings := "-c listen_addresses= -c max_connections=200 -k '" + server.folder + "'"
	if !Durable {
		settings += " -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c autovacuum=off"
	}
	for _, cmd := range []*exec.Cmd{
		command("initdb", "-D", data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"),
		command("pg_ctl", "start", "-D", data(), "-w", "-l", filepath.Join(server.folder, "log"), "-o", settings),
	} {
		// A file, not a pipe: the server would keep a pipe open.
		if cmd.Stdout, err = os.Create(filepath.Join(server.folder, filepath.Base(cmd.Path)+".out")); err != nil {
			return err
		}
		cmd.Stderr = cmd.Stdout
		if err := cmd.Run(); err != nil {
			out, _ := os.ReadFile(filepath.Join(server.folder, filepath.Base(cmd.Path)+".out"))
			return fmt.Errorf("%s: %w: %s", cmd.Path, err, out)
		}
	}
	return nil
}

// forgetEnvironment unsets what says where another server is (libpq's environment variables).
func forgetEnvironment() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "PG") {
			_ = os.Unsetenv(name) // Only a name that is no name is refused.
		}
	}
}

func data() string { return filepath.Join(server.folder, "data") }

func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(server.bin, name), args...) //nolint:gosec // G204: of PostgreSQL, with the tests' own arguments
	cmd.Dir, cmd.Env = server.folder, append(os.Environ(), "LC_ALL=C")
	if id := serverUser(); id != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: id}
	}
	return cmd
}

// serverUser is whom the server runs as: PostgreSQL refuses to run as root.
func serverUser() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// find finds the programs, which Debian keeps out of PATH.
func find() (bin string, err error) {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", fmt.Errorf("finding initdb: %w", exec.ErrNotFound)
	}
	return filepath.Dir(path), nil
}
