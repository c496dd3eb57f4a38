package tutorial_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
	"petstore/cmd/petstore/petstoretest"
)

const secret = callbacks.DevelopmentSecret

var folder string // of the servers, once they are built

func TestMain(m *testing.M) {
	petstoretest.IgnoreEnvironment()
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// build builds the naive server and Petstore.
var build = sync.OnceValue(func() (err error) {
	if folder, err = os.MkdirTemp("", "tutorial"); err != nil {
		return err
	}
	return petstoretest.Build(folder, []string{"CGO_ENABLED=1"}, "petstore/cmd/petstore", "petstore/docs/tutorial/naive")
})

func needServers(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds two servers")
	}
	needCompiler(t)
	if err := build(); err != nil {
		t.Fatal(err)
	}
}

func needCompiler(t *testing.T) {
	t.Helper()
	for _, compiler := range []string{"gcc", "clang", os.Getenv("CC")} {
		if _, err := exec.LookPath(compiler); err == nil {
			return
		}
	}
	if os.Getenv("CI") == "" {
		t.Skip("the SQLite driver of the naive server needs a C compiler")
	}
}

// shop is one of the two servers, in a process of its own that can be killed.
type shop struct {
	*petstoretest.Process
	t        *testing.T // that it lives as long as
	name     string
	naive    bool
	settings []string
	// Where it listens: its API, and the receiver that comes with it.
	api, receiver string
}

func newShop(t *testing.T, name string) *shop {
	t.Helper()
	data := filepath.Join(t.TempDir(), name+".db")
	return &shop{t: t, name: name, naive: name == "naive", settings: []string{
		"ADDR=127.0.0.1:0", "RECEIVER_ADDR=127.0.0.1:0", "CALLBACK_SECRET=" + secret, "DATABASE=" + data, "DATABASE_URL=" + data,
	}}
}

// start starts the process and waits until it has said where it listens.
func (s *shop) start(settings ...string) {
	s.t.Helper()
	s.Process = petstoretest.Start(s.t, filepath.Join(folder, s.name), append(settings, s.settings...)...)
	s.api, s.receiver = s.URL, s.URL
	if !s.naive {
		s.receiver = s.Receiver()
	}
	s.receiver += "/callbacks/order-status"
}

// order places an order and returns its id.
func (s *shop) order(t *testing.T, callbackURL string) string {
	t.Helper()
	body := fmt.Sprintf(`{"product":"dog-food","callback_url":%q}`, callbackURL)
	response, err := http.Post(s.api+"/api/orders", "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		t.Error(err)
		return ""
	}
	defer response.Body.Close()
	var order update
	if err := json.NewDecoder(response.Body).Decode(&order); err != nil || response.StatusCode != http.StatusAccepted {
		t.Errorf("the order was answered %s, %v", response.Status, err)
	}
	return order.OrderID
}

// does reports whether the shop does what it should. Petstore has half a minute for it, on a busy machine; the naive
// server won't do it, so two seconds are enough for that.
func (s *shop) does(t *testing.T, what <-chan struct{}) bool {
	t.Helper()
	if s.naive {
		return happens(what, 2*time.Second)
	}
	return happens(what, 30*time.Second)
}

// fails reports whether the shop does what it should not. There the naive server has half a minute.
func (s *shop) fails(t *testing.T, what <-chan struct{}) bool {
	t.Helper()
	if s.naive {
		return happens(what, 30*time.Second)
	}
	return happens(what, time.Second)
}

func happens(what <-chan struct{}, within time.Duration) bool {
	select {
	case <-what:
		return true
	case <-time.After(within):
		return false
	}
}

// receive waits for what has to come.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-from:
		if !ok {
			t.Fatal("the server has ended")
		}
		return v
	case <-time.After(time.Minute):
		t.Fatal("nothing comes")
		panic("unreachable")
	}
}

// update is what both servers tell.
type update struct {
	OrderID  string `json:"order_id"`
	Status   string `json:"status"`
	Progress int    `json:"progress"`
}

func (u update) ended() bool { return u.Status == callbacks.StatusCompleted }

func readUpdate(r *http.Request) (u update) {
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &u) // The sender may have been killed meanwhile.
	return u
}
