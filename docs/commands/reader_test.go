package commands_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"petstore/callbacks"
)

// reader is somebody who follows a document: in a folder of their own, with terminals.
type reader struct {
	folder string
	ports  map[string]string // those of the document, and those that are free here
	server terminal          // has the server, which runs all the time
	second terminal          // has whatever else was started last that stays
	said   log               // by all of them
	from   int               // where the output of the last commands begins in it
	// answered: their output was looked at, and other commands begin.
	answered bool
	seen     map[string]string // by prefix, the last of the names that the server makes up
}

// terminal has a program in its foreground.
type terminal struct{ stop func() }

var names = regexp.MustCompile(`\b([a-z]+_)[\w+/=]{32,}`)

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{folder: t.TempDir(), ports: map[string]string{}, seen: map[string]string{"whsec_": callbacks.DevelopmentSecret}}
	for _, port := range []string{"8080", "9090", "9091", "3000", "8081", "8443"} {
		r.ports[port] = freePort(t)
	}
	for _, name := range []string{"docs", "openapi.yaml"} {
		target, err := filepath.Abs(filepath.Join(root, name))
		if err == nil {
			err = os.Symlink(target, filepath.Join(r.folder, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r.server = r.serve(t, "ADDR=127.0.0.1:8080 RECEIVER_ADDR=127.0.0.1:9090 "+petstore)
	t.Cleanup(func() {
		r.second.end()
		r.server.end()
	})
	return r
}

// firstPort is below those that the system gives to whoever wants any.
var (
	firstPort = 20000 + rand.Int32N(10000)
	portsUsed atomic.Int32
)

// freePort returns a port that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(int(firstPort + portsUsed.Add(1)))
		if listener, err := net.Listen("tcp", ":"+port); err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

const petstore = "go run ./cmd/petstore"

// run does what a command says.
func (r *reader) run(t *testing.T, command string) {
	t.Helper()
	if r.answered {
		r.from, r.answered = r.said.len(), false
	}
	switch {
	case command == petstore: // It runs.
	case serves.MatchString(command):
		r.second.end()
		r.second = r.serve(t, command)
	default:
		r.execute(t, command)
	}
}

// execute runs a command to its end. A receiver that is graded need not be perfect.
func (r *reader) execute(t *testing.T, command string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	shell := r.shell(ctx, t, command)
	var complaints strings.Builder
	shell.Stderr = &complaints
	out, err := shell.Output()
	for line := range strings.Lines(strings.ReplaceAll(string(out), "}{", "}\n{")) {
		r.said.add(line)
	}
	if err != nil && !strings.Contains(command, " grade ") {
		t.Errorf("%s: %v\n%s", command, err, complaints.String())
	}
}

// serve starts a command that stays, and waits until it is ready: it says something, or listens at port 3000.
func (r *reader) serve(t *testing.T, command string) terminal {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	shell := r.shell(ctx, t, "exec env "+listening.Replace(command))
	out, err := shell.StdoutPipe()
	shell.Stderr = shell.Stdout
	if err == nil {
		err = shell.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	before := r.said.len()
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			r.said.add(lines.Text())
		}
		_ = shell.Wait() // It is killed.
	}()
	end := terminal{func() { cancel(); <-ended }}
	eventually(t, func() bool {
		select {
		case <-ended:
			end.end()
			t.Fatalf("%s ends: %q", command, r.said.since(before))
		default:
		}
		return r.said.len() > before || listens(r.ports["3000"])
	}, func() string { return command + " is not ready" })
	return end
}

// listening has a command listen at a port of this test's, and what is to be installed is.
var listening = strings.NewReplacer("npm install express && ", "", "go run ./docs/tutorial/naive", "ADDR=127.0.0.1:8081 go run ./docs/tutorial/naive",
	"curl -N", "curl -sSN")

func (t terminal) end() {
	if t.stop != nil {
		t.stop()
	}
}

func listens(port string) bool {
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

var (
	portNumber  = regexp.MustCompile(`\b(8080|9090|9091|3000|8081|8443)\b`)
	placeholder = regexp.MustCompile(`\b([a-z]+_)…`)
	goRun       = regexp.MustCompile(`go run \./(?:\w+/)*(\w+)`)
)

// shell returns a shell that runs a command with what is free, seen and built here.
func (r *reader) shell(ctx context.Context, t *testing.T, command string) *exec.Cmd {
	t.Helper()
	binaries := build(t)
	for _, line := range r.said.since(0) {
		for _, m := range names.FindAllStringSubmatch(line, -1) {
			r.seen[m[1]] = m[0]
		}
	}
	command = r.here(command)
	command = goRun.ReplaceAllString(command, filepath.Join(binaries, "$1"))
	command = placeholder.ReplaceAllStringFunc(command, func(found string) string {
		if name := r.seen[strings.TrimSuffix(found, "…")]; name != "" {
			return name
		}
		t.Errorf("%s: nothing was seen that is called %s", command, found)
		return found
	})
	if *verbose {
		t.Log("$ " + command)
	}
	shell := exec.CommandContext(ctx, "sh", "-c", command)
	shell.Dir, shell.WaitDelay = r.folder, time.Second
	shell.Env = append(os.Environ(), "NODE_PATH="+express(t), "DATABASE_URL=petstore.db", "STATE="+filepath.Join(r.folder, "state"), "STEP_DELAY=300ms")
	return shell
}

// express is the folder of Express, which .ci/run install fetches.
func express(t *testing.T) string {
	t.Helper()
	modules, err := filepath.Abs(root + "/cmd/petstore/testdata/express/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	return modules
}

// here has the ports of a text be those that are free.
func (r *reader) here(text string) string {
	return portNumber.ReplaceAllStringFunc(text, func(port string) string { return r.ports[port] })
}

// save stores a program that the document shows.
func (r *reader) save(t *testing.T, name, program string) {
	t.Helper()
	path := filepath.Join(r.folder, filepath.Base(name))
	if err := os.WriteFile(path, []byte(r.here(program)), 0o600); err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(name) == ".go" {
		buildOverlaid(t, "petstore/"+filepath.ToSlash(filepath.Dir(name)), name, path)
	}
}

// expect waits until a line has been said since the last command.
func (r *reader) expect(t *testing.T, line string) {
	t.Helper()
	r.answered = true
	// Progress that a newer update overtakes is not sent.
	if strings.Contains(line, ".progress ") {
		return
	}
	wanted := pattern(r.here(strings.TrimSpace(line)))
	eventually(t, func() bool {
		return slices.ContainsFunc(r.said.since(r.from), wanted.MatchString) || slices.ContainsFunc(r.received(t), wanted.MatchString)
	}, func() string {
		return "nobody says " + line + "\nbut:\n" + strings.Join(r.said.since(r.from), "\n")
	})
}

// received returns the lines of the requests that the sample receiver has got.
func (r *reader) received(t *testing.T) (lines []string) {
	t.Helper()
	requests := "http://127.0.0.1:" + r.ports["9090"] + "/inboxes/default/requests"
	var list struct {
		Items []struct {
			Number int `json:"number"`
		} `json:"items"`
	}
	if err := json.Unmarshal(get(t, requests), &list); err != nil {
		t.Fatal(err)
	}
	for _, request := range list.Items {
		raw := get(t, requests+"/"+strconv.Itoa(request.Number)+"/raw")
		for line := range strings.Lines(string(raw)) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// eventually waits for something, which a busy machine takes its time for.
func eventually(t *testing.T, holds func() bool, complaint func() string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for look := time.Tick(20 * time.Millisecond); !holds(); {
		select {
		case <-look:
		case <-deadline:
			t.Fatal(complaint())
		}
	}
}

// volatile is what is another at each run: as a document shows it, and what is as good.
var volatile = []struct{ shown, means string }{
	{`…`, `.*`},
	{`_[0-9a-f]{32}`, `_[0-9a-f]{32}`},
	{`\d{4}\D\d\d\D\d\d`, `\d{4}\D\d\d\D\d\d`},
	{`\d\d:\d\d:\d\d(\\\.\d+)?`, `\d\d:\d\d:\d\d(\.\d+)?`},
	{`whsec_[\w\\+/=]+`, `whsec_[\w+/=]+`},
	{`sha256=[0-9a-f]{64}`, `sha256=[0-9a-f]{64}`},
	{`v1,[\w\\+/=]{44,}`, `v1,[\w+/=]{44}`},
	{`Webhook-Timestamp: \d+`, `Webhook-Timestamp: \d+`},
	{`[0-9]+ orders? so far: .*`, `.* so far.*`},
	{`"sequence":\d+`, `"sequence":\d+`}, // progress that is overtaken is counted
	{`id: \d+`, `id: \d+`},
	{`"count":\d+`, `"count":\d+`}, // of what was missed: nothing here
	{`\b\d+(\\\.\d+)? (ms|kB)`, `[\d.]+ (ms|kB)`},
	{` \d+ \d+ \d+ `, ` \d+ \d+ \d+ `}, // requests, connections and those held open
	{`[█▏▎▍▌▋▊▉]+( \d+$)?`, `[█▏▎▍▌▋▊▉]*( \d+)?`},
}

var blanks = regexp.MustCompile(" +")

// pattern matches a line of an output, whatever is volatile in it.
func pattern(line string) *regexp.Regexp {
	expression := regexp.QuoteMeta(blanks.ReplaceAllString(line, " "))
	for _, v := range volatile {
		expression = regexp.MustCompile(v.shown).ReplaceAllLiteralString(expression, v.means)
	}
	return regexp.MustCompile("^" + strings.ReplaceAll(expression, " ", " +") + "$")
}

// log is what programs have said, line by line.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, strings.TrimSpace(line))
}

func (l *log) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}

func (l *log) since(from int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines[from:])
}
