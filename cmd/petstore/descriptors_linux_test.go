package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestNoDescriptors (reliability 4 and 5) takes a server its descriptors. What it can't open is answered 503, not 500; a callback that
// cannot be sent for want of them is no attempt, and is sent once there are some.
func TestNoDescriptors(t *testing.T) {
	t.Parallel()
	came := make(chan struct{}, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came <- struct{}{} }))
	t.Cleanup(receiver.Close)
	p := startProcess(t, "DATABASE_URL="+tempDatabase(t), "STEP_DELAY=0s")
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}} // one connection, which is there before
	t.Cleanup(client.CloseIdleConnections)
	ask := func(method, path, body string) (status int, header http.Header, answer string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		content, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header, string(content)
	}
	var image struct {
		ImageID string `json:"image_id"`
		TaskID  string `json:"task_id"`
	}
	_, _, made := ask("POST", "/api/images/process", fmt.Sprintf(`{"image_url":%q}`, p.url+"/docs/dog.png"))
	if err := json.Unmarshal([]byte(made), &image); err != nil {
		t.Fatal(err)
	}
	ask("GET", "/api/tasks/"+image.TaskID+"?wait=30", "")

	p.limitDescriptors(3)
	for _, path := range []string{
		"/api/orders", "/api/products", "/api/products/dog-food", "/api/callbacks", "/api/webhooks", "/health", "/api/images/" + image.ImageID,
		"/api/images/" + image.ImageID + "/small", "/docs/", "/openapi.json",
	} {
		status, header, body := ask("GET", path, "")
		if status >= 500 && (status != http.StatusServiceUnavailable || header.Get("Retry-After") == "") {
			t.Errorf("GET %s answers %d, Retry-After %q: %s", path, status, header.Get("Retry-After"), body)
		}
	}
	status, _, body := ask("POST", "/api/orders", fmt.Sprintf(`{"product":"dog-food","callback_url":%q}`, receiver.URL))
	if status != http.StatusAccepted {
		t.Fatalf("the order is answered %d: %s", status, body)
	}
	p.Says(regexp.MustCompile("short of descriptors"))
	select {
	case <-came:
		t.Fatal("it has descriptors")
	default:
	}
	p.limitDescriptors(1024)
	<-came
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, _, list := ask("GET", "/api/callbacks?status=delivered", "")
		if strings.Contains(list, receiver.URL) {
			if !strings.Contains(list, `"attempts":1,`) {
				t.Errorf("attempts that were none count: %s", list)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is not delivered: %s", list)
		}
	}
}

// limitDescriptors bounds how many the process may have open from now on.
func (p *process) limitDescriptors(n uint64) {
	p.tb.Helper()
	var limit unix.Rlimit
	err := unix.Prlimit(p.Cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &limit)
	limit.Cur = min(n, limit.Max)
	if err == nil {
		err = unix.Prlimit(p.Cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil)
	}
	if err != nil {
		p.tb.Fatal(os.NewSyscallError("prlimit", err))
	}
}
