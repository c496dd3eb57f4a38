package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"petstore/docs/browsertest"
	"petstore/models/postgrestest"
)

// asServer makes the test binary behave as the petstore command: tests that
// kill the server, and benchmarks that measure it alone, need a process.
const asServer = "PETSTORE_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		askNameServer(os.Getenv(nameServer))
		serveProfiled()
		return
	}
	_ = flag.Set("test.parallel", "4") // those that are parallel mostly wait
	code := m.Run()
	browsertest.Stop()
	postgrestest.Stop()
	os.Exit(code)
}

// serveProfiled is main, with a CPU profile if CPU_PROFILE names a file for it.
func serveProfiled() {
	if name := os.Getenv("CPU_PROFILE"); name != "" {
		file, err := os.Create(name)
		if err == nil {
			err = pprof.StartCPUProfile(file)
		}
		if err != nil {
			panic(err)
		}
		defer pprof.StopCPUProfile()
	}
	main()
}

// process is a server in a process of its own.
type process struct {
	tb     testing.TB
	cmd    *exec.Cmd
	url    string
	output *lines
}

// startProcess starts a server with the given settings and waits until it listens.
func startProcess(tb testing.TB, settings ...string) *process {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	return startCommand(tb, exe, settings...)
}

// startBuilt is startProcess with the command as users run it. The tests' binary
// holds the tests, too, which counts where memory is measured.
func startBuilt(tb testing.TB, settings ...string) *process {
	tb.Helper()
	exe := filepath.Join(tb.TempDir(), "petstore")
	if out, err := exec.CommandContext(tb.Context(), "go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		tb.Fatalf("building the command: %v\n%s", err, out)
	}
	return startCommand(tb, exe, settings...)
}

func startCommand(tb testing.TB, exe string, settings ...string) *process {
	tb.Helper()
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), append([]string{asServer + "=1", "ADDR=127.0.0.1:0", "RECEIVER_ADDR="}, settings...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = endWithParent
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	p := &process{tb: tb, cmd: cmd, output: &lines{found: make(chan string, 1), more: make(chan struct{})}}
	go p.output.read(out)
	tb.Cleanup(p.stop)
	select {
	case p.url = <-p.output.found:
	case <-time.After(20 * time.Second):
		tb.Fatal("the server did not say where it listens")
	}
	if p.url == "" {
		tb.Fatalf("the server ended before it listened:\n%s", p.output.text())
	}
	return p
}

// kill ends the process as a power cut would.
func (p *process) kill() { p.end(syscall.SIGKILL) }

// stop ends the process as an operator would.
func (p *process) stop() { p.end(syscall.SIGTERM) }

func (p *process) end(signal syscall.Signal) {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Signal(signal)
	_ = p.cmd.Wait()
}

// cpu is the processor time that the process has used.
func (p *process) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.tb.Fatal(err)
	}
	// Fields are counted after the command's name, which is in parentheses:
	// user and system time are the 12th and 13th, in hundredths of a second.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// resident is the memory that the process holds now, in bytes.
func (p *process) resident() int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.tb.Fatal(err)
	}
	kib, _ := strconv.Atoi(regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindStringSubmatch(string(status))[1])
	return kib << 10
}

// lines keeps what a server prints, and finds its URL in it.
type lines struct {
	found chan string

	mu   sync.Mutex
	kept []string
	more chan struct{} // closed when there is another line
}

var listensAt = regexp.MustCompile(`^Petstore listens at (http://[^,]+),`)

func (l *lines) read(r io.Reader) {
	defer close(l.found)
	scanner := bufio.NewScanner(r)
	told := false
	for scanner.Scan() {
		l.keep(scanner.Text())
		if m := listensAt.FindStringSubmatch(scanner.Text()); m != nil && !told {
			told = true
			l.found <- m[1]
		}
	}
}

func (l *lines) keep(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kept) < 100 {
		l.kept = append(l.kept, line)
	}
	close(l.more)
	l.more = make(chan struct{})
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.kept, "\n")
}

// waitFor waits until the process has said something.
func (p *process) waitFor(text string) {
	p.tb.Helper()
	for timeout := time.After(20 * time.Second); ; {
		p.output.mu.Lock()
		more := p.output.more
		p.output.mu.Unlock()
		if strings.Contains(p.output.text(), text) {
			return
		}
		select {
		case <-more:
		case <-timeout:
			p.tb.Fatalf("it does not say %q:\n%s", text, p.output.text())
		}
	}
}

func tempDatabase(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "petstore.db")
}
