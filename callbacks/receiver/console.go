package receiver

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"unicode"

	"github.com/mattn/go-isatty"

	"petstore/callbacks"
)

// console writes a line for each callback, for people.
type console struct {
	mu     sync.Mutex
	out    io.Writer
	colour bool
}

func newConsole(out io.Writer) *console {
	if out == nil {
		out = io.Discard
	}
	file, isFile := out.(*os.File)
	return &console{
		out:    out,
		colour: isFile && isatty.IsTerminal(file.Fd()) && os.Getenv("NO_COLOR") == "", // https://no-color.org
	}
}

// show writes "10:04:05 ✓ order.progress  ord_…  50%  Packing item 1 of 2", or with ✗ why it was not accepted.
func (c *console) show(e *entry) {
	mark, note := e.verdict()
	line := printable(e.describe() + note)
	if c.colour {
		mark = colours[mark] + mark + "\x1b[0m"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, "%s %s %s\n", e.ReceivedAt.Local().Format("15:04:05"), mark, line)
}

var colours = map[string]string{"✓": "\x1b[32m", "↻": "\x1b[33m", "✗": "\x1b[31m"}

// verdict is what became of a callback: a mark, and a note if it was not simply accepted.
func (e *entry) verdict() (mark, note string) {
	switch {
	case e.accepted():
		return "✓", ""
	case e.Duplicate:
		return "↻", "  (already processed)"
	case e.Status == http.StatusUnauthorized && !e.Verified:
		return "✗", "  (invalid signature)"
	case e.Status == 0:
		return "✗", fmt.Sprintf("  (attempt %d: connection dropped)", e.Attempt)
	default:
		return "✗", fmt.Sprintf("  (attempt %d: answered %d)", e.Attempt, e.Status)
	}
}

// describe says what a callback tells. Of one that isn't verified, that is nothing but where it went.
func (e *entry) describe() string {
	if !e.Verified {
		return e.path
	}
	u := e.update
	return strings.TrimRight(fmt.Sprintf("%-17s %s %4d%%  %s", u.Type, cmp.Or(u.ID(), u.TaskID), u.Progress, news(u)), " ")
}

// news is what an update has to tell: what went wrong, what came of it, or how far it is.
func news(u callbacks.Update) string {
	if u.Error != nil {
		return u.Error.Code + ": " + u.Error.Message
	}
	var result struct {
		Summary string `json:"summary"`
	}
	if json.Unmarshal(u.Result, &result) == nil && result.Summary != "" {
		return result.Summary
	}
	return u.Message
}

// printable keeps a callback from writing more than a line, or commands to the terminal.
func printable(s string) string {
	const most = 300
	runes := []rune(s)
	if len(runes) > most {
		runes = append(runes[:most-1], '…')
	}
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = '·'
		}
	}
	return string(runes)
}
