//go:build slow

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"petstore/services/picture/picturetest"
)

// maxResident is what the server may have in memory whatever pictures it is sent, in
// MiB.
const maxResident = 600

// TestPicturesInBounds (security 3, reliability 11) sends the largest pictures with the most work that is let in, and
// more (a file of 73 KB took 1.7 GB and 19 seconds of a core, and could not be
// cancelled). Meanwhile the server answers others.
func TestPicturesInBounds(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("the memory of a process is not in /proc here")
	}
	file := largestPNG()
	pictures := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(file) }))
	t.Cleanup(pictures.Close)
	server := startProcess(t, "DATABASE_URL="+tempDatabase(t))
	process := func(format string, resizes int) acceptedImage {
		body, err := json.Marshal(map[string]any{
			"image_url": pictures.URL, "format": format,
			"operations": repeated(map[string]any{"op": "resize", "width": 5000, "height": 5000}, resizes),
		})
		if err != nil {
			t.Fatal(err)
		}
		var accepted acceptedImage
		if err := call(t.Context(), http.MethodPost, server.url+"/api/images/process", string(body), http.StatusAccepted, &accepted); err != nil {
			t.Fatal(err)
		}
		return accepted
	}
	if ended := waitForEnd(t, server.url, process("gif", 10).TaskID); ended.Status != "failed" || !strings.Contains(ended.Message, "million pixels") {
		t.Errorf("too much work: it is %s: %s", ended.Status, ended.Message)
	}
	slowest := watchHealth(t, server.url)
	all := []acceptedImage{process("jpeg", 1), process("jpeg", 2), process("gif", 4)}
	for _, img := range all[:2] {
		if ended := waitForEnd(t, server.url, img.TaskID); ended.Status != "completed" {
			t.Errorf("it is %s: %s", ended.Status, ended.Message)
		}
	}
	waitForEnd(t, server.url, all[2].TaskID)
	cancelAtWork(t, server.url, func() acceptedImage { return process("gif", 4) })
	if ended := waitForEnd(t, server.url, process("jpeg", 1).TaskID); ended.Status != "completed" {
		t.Errorf("after one that was cancelled it is %s: %s", ended.Status, ended.Message)
	}
	resident := peakMemory(t, server.Cmd.Process.Pid)
	t.Logf("at most %d MiB; the slowest answer of /health took %v", resident, slowest())
	if resident > maxResident {
		t.Errorf("the server took %d MiB, at most %d are allowed", resident, maxResident)
	}
}

// cancelAtWork cancels an image while it is worked on: another one, if that one was done before.
func cancelAtWork(t *testing.T, url string, process func() acceptedImage) {
	t.Helper()
	for range 5 {
		img := process()
		begun := func() bool {
			var task struct {
				Status   string `json:"status"`
				Progress int    `json:"progress"`
			}
			if err := call(t.Context(), http.MethodGet, url+"/api/tasks/"+img.TaskID, "", http.StatusOK, &task); err != nil {
				t.Fatal(err)
			}
			return task.Progress > 0 || task.Status != "processing"
		}
		for look := time.Tick(10 * time.Millisecond); !begun(); {
			<-look
		}
		if call(t.Context(), http.MethodPost, url+"/api/images/"+img.ImageID+"/cancel", "", http.StatusOK, nil) == nil {
			return
		}
	}
	t.Error("no image could be cancelled while it was worked on")
}

// largestPNG is a small file of 25 megapixels.
func largestPNG() []byte {
	const side = 5000
	file := picturetest.PNGHeader(side, side)
	lines := bytes.Repeat(append([]byte{0}, make([]byte, 3*side)...), side)
	file = append(file, picturetest.Chunk("IDAT", picturetest.Deflated(lines))...)
	return append(file, picturetest.Chunk("IEND", nil)...)
}

func repeated(v any, times int) (all []any) {
	for range times {
		all = append(all, v)
	}
	return all
}

type endedTask struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func waitForEnd(t *testing.T, url, task string) (ended endedTask) {
	t.Helper()
	for ended.Status == "" || ended.Status == "processing" {
		if err := call(t.Context(), http.MethodGet, url+"/api/tasks/"+task+"?wait=60", "", http.StatusOK, &ended); err != nil {
			t.Fatal(err)
		}
	}
	return ended
}

// watchHealth asks for it all the time, until the function that it returns is called.
func watchHealth(t *testing.T, url string) (slowest func() time.Duration) {
	t.Helper()
	var took time.Duration
	end, done := make(chan struct{}), sync.WaitGroup{}
	done.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-end:
				return
			case <-ticker.C:
			}
			start := time.Now()
			if err := call(t.Context(), http.MethodGet, url+"/health", "", http.StatusOK, nil); err != nil {
				t.Error(err)
				return
			}
			took = max(took, time.Since(start))
		}
	})
	return func() time.Duration {
		close(end)
		done.Wait()
		return took
	}
}

// peakMemory is the most that a process had in memory at once, in MiB (proc(5)).
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("no VmHWM in %s", status)
	}
	kib, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}
