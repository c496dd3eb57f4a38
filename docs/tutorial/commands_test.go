package tutorial_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	tryIt = regexp.MustCompile(`(?s)## Try it\n(.*?)\n## Read`)
	block = regexp.MustCompile("(?s)```(\\w*)\n(.*?)```")
)

// TestCommands runs the commands of the pages against a server, and expects that it says what stands beneath them. A
// command with … in it is for the reader to complete, and in an output … stands for whatever comes there. What is marked
// as text only explains.
func TestCommands(t *testing.T) {
	needServers(t)
	for _, tool := range []string{"sh", "curl", "grep", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") == "" {
			t.Skip("needs " + tool)
		}
	}
	pages, err := filepath.Glob("[0-9]*.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newShop(t, "petstore")
	s.start(t)
	tried, ran := 0, 0
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			tried++
			if s.follow(t, string(text)) {
				ran++
			}
		})
	}
	if tried == len(pages) && ran < 8 {
		t.Errorf("only the commands of %d pages were run", ran)
	}
}

// follow runs the commands of a page, and reports whether there were any.
func (s *shop) follow(t *testing.T, page string) (ran bool) {
	t.Helper()
	section := tryIt.FindStringSubmatch(page)
	if section == nil {
		t.Fatal("there is nothing to try")
	}
	before := len(s.output())
	var said []string
	for _, m := range block.FindAllStringSubmatch(section[1], -1) {
		language, text := m[1], m[2]
		switch {
		case language == "sh" && runnable(text):
			ran = true
			said = append(said, s.run(t, text)...)
		case language == "" || language == "http" || language == "json":
			for line := range strings.Lines(text) {
				// Progress that a newer update overtakes is not sent.
				if ran && strings.TrimSpace(line) != "" && !strings.Contains(line, ".progress ") {
					s.expect(t, strings.TrimSpace(line), said, before)
				}
			}
		}
	}
	return ran
}

func runnable(text string) bool {
	return strings.Contains(text, "curl") && !strings.Contains(text, "…") && !strings.Contains(text, "curl -N") && !strings.Contains(text, "go run")
}

// run runs commands at the addresses of the shop, and returns the lines that they print.
func (s *shop) run(t *testing.T, text string) []string {
	t.Helper()
	receiver := strings.TrimSuffix(s.receiver, "/callbacks/order-status")
	at := strings.NewReplacer("http://127.0.0.1:8080", s.api, "http://127.0.0.1:9090", receiver)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", at.Replace(text)).Output()
	if err != nil {
		t.Errorf("%s: %v", text, err)
	}
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(string(out), "}{", "}\n{")) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// expect waits until a line has been said, or printed by the server.
func (s *shop) expect(t *testing.T, line string, said []string, from int) {
	t.Helper()
	wanted := pattern(line)
	deadline := time.After(30 * time.Second)
	for look := time.Tick(20 * time.Millisecond); ; {
		if slices.ContainsFunc(slices.Concat(said, s.output()[from:]), wanted.MatchString) {
			return
		}
		select {
		case <-look:
		case <-deadline:
			t.Fatalf("nobody says %s, but:\n%s", line, strings.Join(slices.Concat(said, s.output()[from:]), "\n"))
		}
	}
}

// pattern matches a line of an output, whatever is volatile in it.
func pattern(line string) *regexp.Regexp {
	expression := regexp.QuoteMeta(line)
	for _, v := range []struct{ shown, means string }{
		{`…`, `.*`},
		{`_[0-9a-f]{32}`, `_[0-9a-f]{32}`},
		{`\d\d:\d\d:\d\d`, `\d\d:\d\d:\d\d`},
		{`whsec_[\w\\+/=]+`, `whsec_[\w+/=]+`},
		{`[0-9]+ orders? so far: .*`, `[0-9]+ orders? so far: .*`},
	} {
		expression = regexp.MustCompile(v.shown).ReplaceAllLiteralString(expression, v.means)
	}
	return regexp.MustCompile("^" + expression + "$")
}
