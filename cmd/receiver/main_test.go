package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"petstore/callbacks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error)
	environment := map[string]string{"ADDR": "127.0.0.1:0", "CALLBACK_SECRET": "from the environment"}
	go func() {
		err := run(ctx, nil, func(name string) string { return environment[name] }, write, io.Discard)
		write.Close()
		ended <- err
	}()
	lines := bufio.NewScanner(read)
	lines.Scan()
	_, url, found := strings.Cut(lines.Text(), "Receiving callbacks at ")
	if !found {
		t.Fatalf("first line %q", lines.Text())
	}
	sender := callbacks.NewSender(callbacks.SenderOptions{Policy: callbacks.DevelopmentPolicy()})
	defer sender.Close()
	delivery := callbacks.Delivery{
		URL: url + "/callbacks/order-status", ID: "cb_1", Signer: callbacks.SignWith("from the environment"),
		Body: []byte(`{"callback_id":"cb_1","type":"order.completed","order_id":"ord_1","progress":100}`),
	}
	attempt := make(chan callbacks.Attempt)
	go func() { attempt <- sender.Send(t.Context(), delivery) }()
	if lines.Scan(); !strings.HasSuffix(lines.Text(), "✓ order.completed   ord_1  100%") {
		t.Errorf("second line %q", lines.Text())
	}
	if a := <-attempt; a.Body != "OK" {
		t.Errorf("got %+v", a)
	}
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		if response, err := http.Get(url + "/received?count=2&wait=60s"); err == nil {
			response.Body.Close()
		}
	}()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	<-waiting // Answered or refused, but not after its 60 seconds.
	http.DefaultClient.CloseIdleConnections()
}

func TestRunRefuses(t *testing.T) {
	nothing := func(string) string { return "" }
	for _, args := range [][]string{{"-addr", "nowhere:-1"}, {"-callback-secret", "whsec_!"}, {"-no-such-flag"}, {"-h"}, {"more"}, {"-forward-allow", "everywhere"}} {
		if err := run(t.Context(), args, nothing, io.Discard, io.Discard); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

// TestReadyJSON: programs read where the receiver is from the first line.
func TestReadyJSON(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-ready-json"}, func(string) string { return "" }, write, io.Discard)
		write.Close()
	}()
	line, _ := bufio.NewReader(read).ReadString('\n')
	var ready struct {
		URL string `json:"receiver_url"`
	}
	if err := json.Unmarshal([]byte(line), &ready); err != nil || !strings.HasPrefix(ready.URL, "http://127.0.0.1:") {
		t.Errorf("first line %q", line)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
