package main

import (
	"context"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/grade"
	"petstore/callbacks/grade/senders"
	"petstore/callbacks/receiver/verdict/contract"
	"petstore/docs"
)

// nameServer is the environment variable that has the server ask another name server.
const nameServer = "PETSTORE_TEST_NAME_SERVER"

func askNameServer(address string) {
	if address == "" {
		return
	}
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
}

// TestFullMarks: Petstore keeps every rule for senders, kill -9 and unknown names included.
func TestFullMarks(t *testing.T) {
	t.Parallel() // It mostly waits.
	dns, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	announced, err := contract.Read(docs.YAML)
	if err != nil {
		t.Fatal(err)
	}
	settings := []string{
		"DATABASE_URL=" + tempDatabase(t), "BLOB_URL=mem://", "STEP_DELAY=100ms", nameServer + "=" + dns.LocalAddr().String(),
		"RETRY_SCHEDULE=500ms,1s,2s,4s,8s,8s,8s,8s,8s", "CALLBACK_TIMEOUT=5s",
	}
	var server atomic.Pointer[process]
	server.Store(startProcess(t, settings...))
	report, err := senders.Grade(t.Context(), senders.Options{
		Trigger: func(ctx context.Context, url string) error { return order(ctx, server.Load().url, url) },
		Restart: func(context.Context) error {
			server.Load().Kill()
			server.Store(startProcess(t, settings...))
			return nil
		},
		Secret: callbacks.DevelopmentSecret, Contract: announced, DNS: dns,
		Wait: time.Minute, Quiet: 3 * time.Second, RetryAfter: 4 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	expectFullMarks(t, report, "private-addresses")
}

// TestFullMarksInProduction: there it refuses private addresses in any spelling.
func TestFullMarksInProduction(t *testing.T) {
	t.Parallel()
	server := startProcess(t, "ENV=production", "CALLBACK_SECRET=ZGEwmDwY3uJTEGb0hlGgPw3Z2HgIUHdb", "STRIPE_API_KEY=sk_live_none", "STRIPE_API_URL=http://127.0.0.1:9",
		"DATABASE_URL="+tempDatabase(t), "BLOB_URL=file://"+filepath.ToSlash(t.TempDir()))
	report, err := senders.Grade(t.Context(), senders.Options{
		Trigger:        func(ctx context.Context, url string) error { return order(ctx, server.url, url) },
		RefusesPrivate: true, Quiet: time.Second, Only: []string{"private-addresses"},
	})
	if err != nil {
		t.Fatal(err)
	}
	expectFullMarks(t, report)
}

// order orders at a server.
func order(ctx context.Context, server, callbackURL string) error {
	trigger, err := senders.Request("POST " + server + `/api/orders {"product":"dog-food","quantity":2,"callback_url":"{url}"}`)
	if err != nil {
		return err
	}
	return trigger(ctx, callbackURL)
}

func expectFullMarks(t *testing.T, report grade.Report, unasked ...string) {
	t.Helper()
	applicable := len(report.Marks) - len(unasked)
	if report.Failed > 0 || report.Passed != applicable {
		if err := report.Write(t.Output(), grade.Format{Requests: true}); err != nil {
			t.Error(err)
		}
		t.Errorf("%d of %d rules are kept, %v cannot be judged here", report.Passed, applicable, unasked)
	}
}
