package stream

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"petstore/models/db"
	"petstore/models/postgrestest"
)

func TestMain(m *testing.M) {
	postgrestest.Prepare = func(url string) error {
		store, err := db.Open(context.Background(), url)
		if err != nil {
			return err
		}
		return store.Close()
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		postgrestest.Stop()
		os.Exit(code)
	}))
}

// onPostgres is the test whose parts run on PostgreSQL.
const onPostgres = "TestOnPostgres"

// TestOnPostgres repeats the tests of what both engines promise.
func TestOnPostgres(t *testing.T) {
	t.Run("follow", TestFollowMissesAndRepeatsNothing)
	t.Run("stuck follower", TestStuckFollowerHarmsNobody)
}

// newDatabase is the URL of an empty database, on PostgreSQL where that is what
// is tested.
func newDatabase(t testing.TB) string {
	t.Helper()
	if strings.HasPrefix(t.Name(), onPostgres+"/") {
		return postgrestest.URL(t)
	}
	return filepath.Join(t.TempDir(), "test.db")
}

// leavesNothing fails a test that leaves goroutines behind.
func leavesNothing(t testing.TB) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// patienceOfTests bounds every wait for an event that should come.
const patienceOfTests = 30 * time.Second

// within returns a context that ends with the test, or when the test has waited
// too long.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patienceOfTests)
	t.Cleanup(cancel)
	return ctx
}

// await receives from c, and fails the test when nothing comes.
func await[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	timer := time.NewTimer(patienceOfTests)
	defer timer.Stop()
	select {
	case v := <-c:
		return v
	case <-timer.C:
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// TestPollerHasEnded: the position of a hub that is closed before anything was known.
func TestPollerHasEnded(t *testing.T) {
	never := &poller{known: make(chan struct{}), ended: make(chan struct{})}
	close(never.ended)
	if _, err := never.position(within(t)); !errors.Is(err, errPollerEnded) {
		t.Errorf("the position of a poller that has ended is %v", err)
	}
}
