package tutorial_test

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
	"regexp"
	"sync"
	"testing"
	"time"

	"petstore/callbacks"
)

const secret = callbacks.DevelopmentSecret

var folder string // of the servers, once they are built

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// build builds the naive server and Petstore.
var build = sync.OnceValue(func() (err error) {
	if folder, err = os.MkdirTemp("", "tutorial"); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", folder, "./cmd/petstore", "./docs/tutorial/naive")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the servers: %w\n%s", err, out)
	}
	return nil
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
	name     string
	naive    bool
	exe      string
	settings []string
	// Where it listens: its API, and the receiver that comes with it.
	api, receiver string
	cmd           *exec.Cmd
}

func newShop(t *testing.T, name string) *shop {
	t.Helper()
	data := filepath.Join(t.TempDir(), name+".db")
	s := &shop{name: name, naive: name == "naive", exe: filepath.Join(folder, name)}
	s.settings = []string{"ADDR=127.0.0.1:0", "RECEIVER_ADDR=127.0.0.1:0", "CALLBACK_SECRET=" + secret, "DATABASE=" + data, "DATABASE_URL=" + data}
	t.Cleanup(s.kill)
	return s
}

var listensAt = regexp.MustCompile(`listens at (http://[0-9.:]+)`)

// start starts the process and waits until it has said where it listens.
func (s *shop) start(t *testing.T, settings ...string) {
	t.Helper()
	s.cmd = exec.Command(s.exe)
	s.cmd.Env = append(append(os.Environ(), s.settings...), settings...)
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	addresses := make(chan string, 2)
	go func() {
		defer close(addresses)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := listensAt.FindStringSubmatch(lines.Text()); m != nil {
				addresses <- m[1]
			}
		}
	}()
	s.api = receive(t, addresses)
	s.receiver = s.api
	if !s.naive {
		s.receiver = receive(t, addresses)
	}
	s.receiver += "/callbacks/order-status"
}

// kill ends the process as a power cut would.
func (s *shop) kill() {
	if s.cmd != nil && s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill() // It may have ended.
		_ = s.cmd.Wait()
	}
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
