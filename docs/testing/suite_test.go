// Package testing_test is the suite of docs/testing.md: twenty tests of what a server sends, all at once, each with an inbox
// of its own.
package testing_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"petstore/callbacks/callbackstest"
	"petstore/cmd/petstore/petstoretest"
)

// api is the URL of the server under test.
var api string

// settings make a server that is quick to fail and forgets all at its end.
var settings = []string{
	"ADDR=127.0.0.1:0", "RECEIVER_ADDR=127.0.0.1:0", "DATABASE_URL=:memory:", "STEP_DELAY=10ms",
	"RETRY_SCHEDULE=50ms,100ms,200ms,400ms,800ms", "CALLBACK_TIMEOUT=2s",
}

func TestMain(m *testing.M) {
	petstoretest.IgnoreEnvironment()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "petstore-suite-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	petstore := filepath.Join(folder, "petstore")
	if out, err := exec.Command("go", "build", "-o", petstore, "petstore/cmd/petstore").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("building the server: %v\n%s", err, out))
	}
	os.Setenv("PETSTORE", petstore)
	stop, err := start(petstore)
	if err != nil {
		panic(err)
	}
	defer stop()
	return m.Run()
}

// start starts the server, and waits for its first line, which says in JSON where it is.
func start(petstore string) (stop func(), err error) {
	server := exec.Command(petstore, "-ready-json")
	server.Env = append(os.Environ(), settings...)
	out, err := server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		server.Process.Signal(os.Interrupt)
		server.Wait()
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		stop()
		return nil, err
	}
	var ready struct {
		API string `json:"api_url"`
	}
	if err := json.Unmarshal(line, &ready); err != nil {
		stop()
		return nil, err
	}
	api = ready.API
	return stop, nil
}

// post asks the server for slow work, and returns the id of what it made.
func post(t *testing.T, path, field string, body map[string]any) string {
	t.Helper()
	data, _ := json.Marshal(body)
	response, err := http.Post(api+path, "application/json", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(response.Body)
	var made map[string]any
	if err := json.Unmarshal(answer, &made); err != nil || response.StatusCode != 202 {
		t.Fatalf("POST %s: %d %s", path, response.StatusCode, answer)
	}
	return made[field].(string)
}

func order(t *testing.T, inbox *callbackstest.Inbox) string {
	t.Helper()
	return post(t, "/api/orders", "order_id", map[string]any{"product": "dog-food", "callback_url": inbox.URL + "/orders", "metadata": map[string]string{"test": t.Name()}})
}

// delivered waits for the last callback of an order to be accepted, and returns all attempts of that one.
func delivered(t *testing.T, inbox *callbackstest.Inbox, id string) []*callbackstest.Request {
	t.Helper()
	last := inbox.Wait(t, callbackstest.Field("order_id", id), callbackstest.Field("status", "completed"), accepted)
	callback, _ := last.Field("callback_id")
	return inbox.Received(callbackstest.Field("callback_id", callback))
}

func accepted(r *callbackstest.Request) bool {
	return r.Answer != nil && r.Answer.Status >= 200 && r.Answer.Status <= 299
}

// outage is a test: what the receiver does to the first attempts of each callback, and how many there are to be.
type outage struct {
	name     string
	step     callbackstest.Step
	attempts int
}

func TestOutages(t *testing.T) {
	for _, test := range []outage{
		{"none", callbackstest.Step{Delay: callbackstest.Duration(time.Millisecond), Times: 1}, 1},
		{"answers 500", callbackstest.Step{Status: 500, Times: 1}, 2},
		{"answers 500 three times", callbackstest.Step{Status: 500, Times: 3}, 4},
		{"answers 404", callbackstest.Step{Status: 404, Times: 1}, 2},
		{"is busy", callbackstest.Step{Status: 429, RetryAfter: new(1), Times: 1}, 2},
		{"is busy until a date", callbackstest.Step{RetryAfter: new(1), RetryAfterDate: true, Times: 1}, 2},
		{"redirects", callbackstest.Step{Redirect: "/elsewhere", Times: 1}, 2},
		{"resets the connection", callbackstest.Step{Drop: "before", Times: 1}, 2},
		{"resets it twice", callbackstest.Step{Drop: "before", Times: 2}, 3},
		{"hangs", callbackstest.Step{Hang: true, Times: 1}, 2},
		{"is slow", callbackstest.Step{Delay: callbackstest.Duration(200 * time.Millisecond), Times: 1}, 1},
		{"answers slowly", callbackstest.Step{SlowBody: callbackstest.Duration(200 * time.Millisecond), Times: 1}, 1},
		{"answers much", callbackstest.Step{HugeBody: 10 << 20, Times: 1}, 1},
		{"breaks off after its 200", callbackstest.Step{Truncate: new(0), Times: 1}, 1},
		{"answers no HTTP", callbackstest.Step{BadHTTP: "garbage", Times: 1}, 2},
		{"has endless headers", callbackstest.Step{BadHTTP: "header", Times: 1}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inbox := callbackstest.New(t)
			test.step.By = "attempt"
			inbox.Script(t, test.step)
			attempts := delivered(t, inbox, order(t, inbox))
			if len(attempts) != test.attempts {
				t.Errorf("%d attempts, want %d", len(attempts), test.attempts)
			}
			for _, a := range attempts {
				if a.Verdict() != "ok" || !bytes.Equal(a.Body, attempts[0].Body) {
					t.Errorf("attempt %d: %s %+v", a.Attempt, a.Body, a.Verdicts)
				}
			}
			onlyOwn(t, inbox)
		})
	}
}

// onlyOwn fails if something came that is another test's.
func onlyOwn(t *testing.T, inbox *callbackstest.Inbox) {
	t.Helper()
	for _, r := range inbox.Received() {
		if name, _ := r.Field("metadata.test"); name != t.Name() {
			t.Errorf("the callback of %q came: %s", name, r.Body)
		}
	}
}

func TestGone(t *testing.T) {
	t.Parallel()
	inbox := callbackstest.New(t)
	inbox.Script(t, callbackstest.Step{Status: 410})
	order(t, inbox)
	first := inbox.Wait(t, callbackstest.Field("status", "completed"))
	if got := inbox.Received(callbackstest.Field("callback_id", first.DeliveryID)); len(got) != 1 {
		t.Errorf("%d attempts after a 410", len(got))
	}
}

func TestOtherWork(t *testing.T) {
	for kind, body := range map[string]map[string]any{
		"reports":        {"type": "sales"},
		"images/process": {"image_url": "%s/docs/dog.png"},
		"payments":       {"amount": 100, "provider": "stripe"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			inbox := callbackstest.New(t)
			body["callback_url"] = inbox.URL
			if url, found := body["image_url"].(string); found {
				body["image_url"] = fmt.Sprintf(url, api)
			}
			task := post(t, "/api/"+kind, "task_id", body)
			if last := inbox.Wait(t, callbackstest.Field("task_id", task), callbackstest.Field("status", "completed")); last.Verdict() != "ok" {
				t.Errorf("got %+v", last.Verdicts)
			}
		})
	}
}

// TestNode runs the same suite as it is written in JavaScript, against a server of its own.
func TestNode(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil && os.Getenv("CI") == "" {
		t.Skip("needs Node")
	}
	t.Parallel()
	node := exec.CommandContext(t.Context(), "node", "--test", "suite.test.mjs")
	node.Env = append(os.Environ(), settings...)
	if out, err := node.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("# pass 20")) && !bytes.Contains(out, []byte("ℹ pass 20")) {
		t.Errorf("%v\n%s", err, out)
	}
}
