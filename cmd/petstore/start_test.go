package main

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"petstore/models"
	"petstore/models/postgrestest"
)

// TestTwoStartAtOnce (reliability 7, another instance): one of two servers that start at the same moment on an SQLite file that is not
// there yet has it, and fills the catalogue once; the other is told who has it.
func TestTwoStartAtOnce(t *testing.T) {
	refused := startTwo(t, "-database-url="+tempDatabase(t))
	if len(refused) != 1 || !strings.Contains(refused[0].Error(), "is in use by another petstore") {
		t.Errorf("refused are %v", refused)
	}
}

// TestTwoStartAtOnceOnPostgres (reliability 7, another instance): there both make the tables, and fill the catalogue, once.
func TestTwoStartAtOnceOnPostgres(t *testing.T) {
	if refused := startTwo(t, "-database-url="+postgrestest.URL(t)); len(refused) > 0 {
		t.Errorf("refused are %v", refused)
	}
}

// startTwo returns why servers did not start. Those that did have the whole catalogue.
func startTwo(t *testing.T, database string) (refused []error) {
	t.Helper()
	cfg, err := readConfig([]string{"-addr=127.0.0.1:0", "-receiver-addr=", "-blob-url=mem://", database})
	if err != nil {
		t.Fatal(err)
	}
	var apps [2]*App
	var errs [2]error
	var starting sync.WaitGroup
	for i := range apps {
		starting.Go(func() { apps[i], errs[i] = New(t.Context(), cfg, io.Discard) })
	}
	starting.Wait()
	for i, app := range apps {
		if errs[i] != nil {
			refused = append(refused, errs[i])
			continue
		}
		t.Cleanup(func() {
			if err := app.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		list, err := models.ListProducts(app.store.Read(t.Context()), models.ProductFilter{}, models.Page{Limit: models.MaxLimit})
		if err != nil || len(list.Items) != 6 {
			t.Errorf("the catalogue has %d products, %v", len(list.Items), err)
		}
	}
	return refused
}
