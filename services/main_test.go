package services

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"petstore/models/db"
	"petstore/models/postgrestest"
	"petstore/services/dispatch"
	"petstore/services/queue/river"
	"petstore/services/stream"
	"petstore/services/task"
)

func TestMain(m *testing.M) {
	// Warnings about injected faults would bury the failures.
	if os.Getenv("TEST_LOG") == "" {
		slog.SetDefault(slog.New(slog.DiscardHandler))
	}
	postgrestest.Prepare = makeTables
	_ = flag.Set("test.parallel", "8") // those that are parallel mostly wait
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		postgrestest.Stop()
		os.Exit(code)
	}))
}

// makeTables brings a database up to date.
func makeTables(url string) error {
	ctx := context.Background()
	store, err := db.Open(ctx, url)
	if err != nil {
		return err
	}
	d := dispatch.New(store, dispatch.Options{})
	hub := stream.NewHub(store)
	defer hub.Close()
	_, err = river.New(ctx, store, task.NewEngine(store, hub, d), "server_tables", d.Sweep)
	return errors.Join(err, store.Close())
}

// leavesNothing fails a test that leaves goroutines behind. Of those that run side
// by side TestMain finds it.
func leavesNothing(t testing.TB) {
	t.Helper()
	if strings.HasPrefix(t.Name(), onPostgres+"/") {
		return
	}
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
