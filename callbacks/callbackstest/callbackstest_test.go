package callbackstest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func post(t *testing.T, url, body string) int {
	t.Helper()
	response, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

func TestInbox(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	inbox := New(t)
	inbox.Script(t, Step{Status: 500, Times: 1})
	if got := []int{post(t, inbox.URL+"/a", `{"n":1}`), post(t, inbox.URL+"/b?c=d", `{"n":2}`)}; got[0] != 500 || got[1] != 200 {
		t.Errorf("got %v", got)
	}
	if r := inbox.Wait(t, Field("n", "2"), Path("/b"), Header("content-type", "application/json"), Answered(200)); r.Query != "c=d" {
		t.Errorf("got %+v", r)
	}
	if got := inbox.Received(Answered(500)); len(got) != 1 || string(got[0].Body) != `{"n":1}` || !got[0].HeadersExact {
		t.Errorf("got %+v", got)
	}
	inbox.Script(t)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if got := inbox.WaitN(t, 3, Path("/later")); len(got) < 3 {
			t.Errorf("got %d", len(got))
		}
	})
	for i := range 3 {
		post(t, inbox.URL+"/later", fmt.Sprint(i))
	}
	waiting.Wait()
}

// failing is a test that fails at once, instead of the one that it is in.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	panic(f)
}

func TestInboxFails(t *testing.T) {
	inbox := New(t, "a secret")
	f := &failing{TB: t}
	func() {
		defer func() { _ = recover() }()
		inbox.Script(f, Step{Status: 99})
	}()
	if !strings.Contains(f.message, "script[0].status") {
		t.Errorf("got %q", f.message)
	}
}
