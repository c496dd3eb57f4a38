package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"petstore/cmd/petstore/petstoretest"
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
	petstoretest.IgnoreEnvironment()
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
	*petstoretest.Process
	tb  testing.TB
	url string
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
	folder := tb.TempDir()
	if err := petstoretest.Build(folder, nil, "petstore/cmd/petstore"); err != nil {
		tb.Fatal(err)
	}
	return startCommand(tb, filepath.Join(folder, "petstore"), settings...)
}

func startCommand(tb testing.TB, exe string, settings ...string) *process {
	tb.Helper()
	p := petstoretest.Start(tb, exe, append([]string{asServer + "=1", "ADDR=127.0.0.1:0", "RECEIVER_ADDR="}, settings...)...)
	return &process{p, tb, p.URL}
}

// cpu is the processor time that the process has used.
func (p *process) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Cmd.Process.Pid))
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
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid))
	if err != nil {
		p.tb.Fatal(err)
	}
	kib, _ := strconv.Atoi(regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindStringSubmatch(string(status))[1])
	return kib << 10
}

func tempDatabase(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "petstore.db")
}
