package receivers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/callbacks/grade"
)

const secret = "a secret of the test"

// receiver is a small receiver that keeps every rule, but for the one that is its defect.
type receiver struct {
	defect string

	mu     sync.Mutex
	done   map[string]bool // callback_ids
	count  map[string]int  // work, by order
	newest map[string]callbacks.Update
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if order, asked := strings.CutPrefix(r.URL.Path, "/effects/"); asked {
		rc.mu.Lock()
		defer rc.mu.Unlock()
		fmt.Fprintf(w, `{"count":%d,"status":%q}`, rc.count[order], rc.newest[order].Status)
		return
	}
	if r.Method != http.MethodPost && rc.defect != "not-post" {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	most := int64(callbacks.MaxBody)
	if rc.defect == "huge" {
		most = 2 * hugeBody
	}
	if rc.defect == "slow-uploads" {
		rc.mu.Lock()
		defer rc.mu.Unlock()
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	if r.Method == http.MethodPost && !rc.genuine(r.Header, body) {
		w.WriteHeader(http.StatusUnauthorized)
		if rc.defect == "no-leaks" {
			_, _ = w.Write(debug.Stack())
		}
		return
	}
	var u callbacks.Update
	if json.Unmarshal(body, &u) != nil {
		w.WriteHeader(map[bool]int{true: 500, false: 400}[rc.defect == "not-json"])
		return
	}
	if rc.refuses(u, body) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if rc.defect != "slow-uploads" {
		rc.mu.Lock()
		defer rc.mu.Unlock()
	}
	w.WriteHeader(rc.process(u))
}

// genuine verifies as Standard Webhooks wants it, but for the defect.
func (rc *receiver) genuine(h http.Header, body []byte) bool {
	switch rc.defect {
	case "unsigned":
		if h.Get(callbacks.HeaderWebhookSignature) == "" && h.Get(callbacks.HeaderSignature) == "" {
			return true
		}
	case "stripped":
		if h.Get(callbacks.HeaderWebhookSignature) == "" {
			return callbacks.VerifyBody(h, body, secret) == nil
		}
	case "wrong-secret":
		if h.Get(callbacks.HeaderSignature) == signedWithNothing(message{header: h, body: body}).header.Get(callbacks.HeaderSignature) {
			return true
		}
	case "malformed":
		if h.Get(callbacks.HeaderWebhookSignature) == "v1," {
			return true
		}
	case "tampered":
		if bytes.Contains(body, []byte(`"total":1,`)) {
			return true
		}
	case "rotation":
		if strings.Contains(h.Get(callbacks.HeaderWebhookSignature), " ") {
			return false
		}
	}
	err := callbacks.Verify(h, body, secret, time.Now())
	return err == nil || err == callbacks.ErrTimestamp && rc.defect == "old" //nolint:errorlint // It is returned as it is.
}

// refuses reports whether the defect refuses what is good.
func (rc *receiver) refuses(u callbacks.Update, body []byte) bool {
	switch rc.defect {
	case "progress":
		return u.Status == "processing"
	case "failed":
		return u.Status == "failed" && u.OrderID != ""
	case "cancelled":
		return u.Status == "cancelled"
	case "article-bodies":
		return u.CallbackID == ""
	case "unknown-type":
		return u.Status == "on_hold"
	case "encodings":
		return strings.Contains(string(body), "__proto__")
	case "raw-bytes":
		return bytes.Contains(body, []byte("\n"))
	case "large":
		return len(body) > 64<<10
	}
	return false
}

// process does the work, once, and returns the status of the answer. rc.mu is held.
func (rc *receiver) process(u callbacks.Update) int {
	if rc.done[u.CallbackID] && u.CallbackID != "" {
		switch rc.defect {
		case "duplicate":
			return http.StatusConflict
		case "concurrent":
			return http.StatusBadRequest
		case "duplicate-once", "concurrent-once":
		default:
			return http.StatusOK
		}
	}
	rc.done[u.CallbackID] = true
	if u.Sequence < rc.newest[u.OrderID].Sequence {
		switch rc.defect {
		case "late":
			return http.StatusConflict
		case "late-ignored":
		default:
			return http.StatusOK
		}
	}
	rc.newest[u.OrderID] = u
	if rc.defect != "works-once" {
		rc.count[u.OrderID]++
	}
	return http.StatusOK
}

// TestEachRule has a receiver break each rule. What else it breaks by that is beside it.
func TestEachRule(t *testing.T) {
	also := map[string][]string{
		"works-once":      {"duplicate-once", "concurrent-once", "burst"},
		"duplicate":       {"duplicate-once"},
		"duplicate-once":  {"concurrent-once"},
		"concurrent-once": {"duplicate-once"},
		"concurrent":      {"concurrent-once", "duplicate", "duplicate-once"},
		"late":            {"late-ignored"},
		"slow-uploads":    {"burst"},
		"progress":        {"late", "late-ignored"},
	}
	untested := map[string]bool{"accepts": true, "header-case": true, "burst": true} // net/http spells all names alike
	var wait sync.WaitGroup
	for _, defect := range append([]string{""}, Rules()...) {
		if untested[defect] {
			continue
		}
		wait.Go(func() {
			report := gradeDefect(t, defect)
			allowed := append([]string{defect}, also[defect]...)
			found := defect == ""
			for _, m := range report.Marks {
				if m.Verdict == grade.Pass {
					continue
				}
				found = found || m.Rule == defect
				if !slices.Contains(allowed, m.Rule) {
					t.Errorf("defect %q: %s: %s, %s", defect, m.Rule, m.Verdict, m.Why)
				}
			}
			if !found {
				t.Errorf("defect %q was not found", defect)
			}
		})
	}
	wait.Wait()
}

func gradeDefect(t *testing.T, defect string) grade.Report {
	t.Helper()
	rc := &receiver{defect: defect, done: map[string]bool{}, count: map[string]int{}, newest: map[string]callbacks.Update{}}
	server := httptest.NewServer(rc)
	defer server.Close()
	o := Options{URL: server.URL + "/callbacks", Secret: secret, Effects: server.URL + "/effects/{order_id}", Timeout: time.Minute}
	if defect == "slow-uploads" {
		o.Timeout = 2 * time.Second
		o.Effects, o.Only = "", []string{"slow-uploads"}
	}
	report, err := Grade(t.Context(), o)
	if err != nil {
		t.Error(err)
	}
	return report
}
