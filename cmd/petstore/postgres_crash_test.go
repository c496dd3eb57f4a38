package main

import (
	"fmt"
	"net/http"
	"testing"

	"petstore/models/postgrestest"
)

// TestKilledOnPostgres kills a server in the middle of five orders. The next one
// takes them up at its start, and each is called back with one end.
func TestKilledOnPostgres(t *testing.T) {
	t.Parallel()
	settings := []string{"DATABASE_URL=" + postgrestest.URL(t), "BLOB_URL=mem://", "STEP_DELAY=300ms"}
	events := make(counter, 1000)
	receiver := newWitness(t, events)
	server := startProcess(t, settings...)
	orders := map[string]accepted{}
	for range 5 {
		body := fmt.Sprintf(`{"items":[{"product":"dog-food"},{"product":"bird-seed"},{"product":"cat-tree"}],"callback_url":%q}`,
			receiver.URL+"/callbacks")
		var order accepted
		if err := call(t.Context(), http.MethodPost, server.url+"/api/orders", body, http.StatusAccepted, &order); err != nil {
			t.Fatal(err)
		}
		orders[order.TaskID] = order
	}
	events.wait(t, 1) // of about 15 callbacks
	server.Kill()
	open := 0
	receiver.mu.Lock()
	for id := range orders {
		if !ends(receiver.updates[id]) {
			open++
		}
	}
	receiver.mu.Unlock()
	if open == 0 {
		t.Fatal("all orders ended before the server was killed: this test has shown nothing")
	}
	server = startProcess(t, settings...)
	for id, order := range orders {
		if err := call(t.Context(), http.MethodGet, server.url+"/api/tasks/"+id+"?wait=20", "", http.StatusOK, &order); err != nil {
			t.Fatal(err)
		}
		if order.Status != "completed" {
			t.Errorf("task %s is %s", id, order.Status)
		}
		receiver.checkCalledBack(t, id, order)
	}
	checkStock(t, server.url)
}
