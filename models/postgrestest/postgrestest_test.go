package postgrestest_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"petstore/models/postgrestest"
)

// TestEnvironment (faults 1, another instance): neither a locale that this machine does not have, nor what says where
// another server is, nor a folder for temporary files with a space in its name, keeps tests from a server.
func TestEnvironment(t *testing.T) {
	folder, err := os.MkdirTemp("", "pg test") //nolint:usetesting // PostgreSQL may be another user, and has to enter it
	if err == nil {
		err = os.Chmod(folder, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	for name, value := range map[string]string{
		"TMPDIR": folder, "LANG": "xx_XX.UTF-8", "LC_ALL": "xx_XX.UTF-8", "PGSERVICE": "another", "PGPORT": "1", "PGHOST": "db.internal.test", "PGOPTIONS": "-c nonsense=1",
	} {
		t.Setenv(name, value)
	}
	defer postgrestest.Stop()
	conn, err := pgx.Connect(t.Context(), postgrestest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var collation string
	if err := conn.QueryRow(t.Context(), "SELECT datcollate FROM pg_database WHERE datname = current_database()").Scan(&collation); err != nil || collation != "C" {
		t.Errorf("sorts by %q, %v", collation, err)
	}
}
