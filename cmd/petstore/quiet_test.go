package main

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"petstore/models/postgrestest"
)

// TestHealthyServerIsQuiet (reliability 12, another instance): a start, an order that is told, and a stop while somebody follows, on
// an empty database and on one with work in it, are no reason to warn of anything, for none of the libraries either.
func TestHealthyServerIsQuiet(t *testing.T) {
	var log lockedBuffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	defer slog.SetDefault(before)
	for name, database := range map[string]func(testing.TB) string{"SQLite": tempDatabase, "PostgreSQL": postgrestest.URL} {
		t.Run(name, func(t *testing.T) {
			url := database(t)
			for range 2 {
				serveOnce(t, url)
			}
			if said := log.String(); said != "" {
				t.Errorf("it says\n%s", said)
			}
		})
	}
}

// serveOnce starts a server, waits until an order is told, and stops the server.
func serveOnce(t *testing.T, database string) {
	t.Helper()
	rc := newAbsent(t)
	cfg, err := readConfig([]string{"-addr=127.0.0.1:0", "-receiver-addr=127.0.0.1:0", "-step-delay=0s", "-blob-url=mem://", "-database-url=" + database})
	if err != nil {
		t.Fatal(err)
	}
	app, err := New(t.Context(), cfg, &lockedBuffer{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := app.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	follow, err := http.NewRequestWithContext(t.Context(), http.MethodGet, app.URL()+"/api/orders/stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := http.DefaultClient.Do(follow)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if err := call(t.Context(), "POST", app.URL()+"/api/orders", `{"product":"dog-food","callback_url":"`+rc.URL+`/callback"}`, 202, nil); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the order is told", func() bool { return rc.told() == 1 })
}
