package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"petstore/callbacks"
	"petstore/docs/nodetest"
)

// startApp starts a server in this process, which ends with the test.
func startApp(t *testing.T, step time.Duration) *App {
	t.Helper()
	app, err := New(context.Background(), Config{
		Addr: "127.0.0.1:0", ReceiverAddr: "127.0.0.1:0", DatabaseURL: tempDatabase(t), CallbackSecret: callbacks.DevelopmentSecret, StepDelay: step, Env: envDevelopment,
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopApp(t, app) })
	if err := app.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return app
}

func stopApp(t *testing.T, app *App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := app.Close(ctx); err != nil && !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
}

const nodeDir = "testdata/live"

// runNode runs a script of testdata/live against a server, and returns what it prints.
func runNode(t *testing.T, script, url string) []byte {
	t.Helper()
	nodetest.Need(t, nodeDir)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	node := exec.CommandContext(ctx, "node", script, url)
	node.Dir, node.Stdout, node.Stderr = nodeDir, &out, &errs
	if err := node.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, &out, &errs)
	}
	return out.Bytes()
}

func TestArticleEventSource(t *testing.T) {
	app := startApp(t, 10*time.Millisecond)
	var updates []callbacks.Update
	if err := json.Unmarshal(runNode(t, "eventsource.mjs", app.URL()), &updates); err != nil {
		t.Fatal(err)
	}
	if n := len(updates); n != 3 || updates[n-1].Type != "order.completed" || updates[0].Type != "order.created" {
		t.Errorf("got %+v", updates)
	}
}

func TestArticleSocket(t *testing.T) {
	app := startApp(t, 10*time.Millisecond)
	runNode(t, "socket.mjs", app.URL())
}

// TestReceiverNamesItsServer: the commands on the receiver's page are for this server, wherever it listens.
func TestReceiverNamesItsServer(t *testing.T) {
	t.Parallel()
	app := startApp(t, 0)
	response, err := http.Get(app.ReceiverURL() + "/inboxes")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var inboxes struct {
		ServerURL string `json:"server_url"`
	}
	if err := json.NewDecoder(response.Body).Decode(&inboxes); err != nil || inboxes.ServerURL != app.URL() {
		t.Errorf("%+v %v, want %s", inboxes, err, app.URL())
	}
}

// TestStopEndsWhatIsOpen stops a server to which somebody listens in every way.
func TestStopEndsWhatIsOpen(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	app := startApp(t, 2*time.Second)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	res, err := client.Post(app.URL()+"/api/orders", "application/json", strings.NewReader(`{"product":"dog-food"}`))
	if err != nil {
		t.Fatal(err)
	}
	var order struct {
		TaskID string `json:"task_id"`
	}
	_ = json.NewDecoder(res.Body).Decode(&order)
	res.Body.Close()

	stream, err := client.Get(app.URL() + "/api/orders/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	conn, _, err := websocket.Dial(context.Background(), app.URL()+"/api/ws", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	session, _, err := websocket.Dial(context.Background(), app.URL()+"/socket.io/?EIO=4&transport=websocket", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := session.Read(t.Context()); err != nil { // the packet that opens the session
		t.Fatal(err)
	}
	var open sync.WaitGroup
	waiting := make(chan struct{})
	open.Go(func() {
		lines := bufio.NewReader(stream.Body)
		_, _ = lines.ReadString('\n')
		close(waiting)
		if _, err := io.Copy(io.Discard, lines); err != nil {
			t.Errorf("the stream ended with %v", err)
		}
	})
	for _, c := range []*websocket.Conn{conn, session} {
		open.Go(func() {
			for {
				if _, _, err := c.Read(context.Background()); err != nil {
					if websocket.CloseStatus(err) != websocket.StatusGoingAway {
						t.Errorf("a socket ended with %v", err)
					}
					return
				}
			}
		})
	}
	open.Go(func() {
		res, err := client.Get(app.URL() + "/api/tasks/" + order.TaskID + "?wait=60")
		if err != nil {
			t.Errorf("the long poll ended with %v", err)
			return
		}
		res.Body.Close()
	})
	<-waiting
	for !running("task.(*Engine).Wait") { // the long poll has reached the server
		runtime.Gosched()
	}
	begun := time.Now()
	stopApp(t, app)
	if took := time.Since(begun); took > 10*time.Second { // the order is packed first
		t.Errorf("stopping took %s", took)
	}
	open.Wait()
}

// running reports whether a goroutine is inside a function.
func running(function string) bool {
	stacks := make([]byte, 1<<20)
	return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte(function))
}
