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
	"time"
	"unicode"

	"github.com/mattn/go-isatty"

	"petstore/callbacks"
)

// console writes a line for each request, for people.
type console struct {
	mu     sync.Mutex
	out    io.Writer // nil for nowhere
	colour bool
}

func newConsole(out io.Writer) *console {
	file, isFile := out.(*os.File)
	return &console{
		out:    out,
		colour: isFile && isatty.IsTerminal(file.Fd()) && os.Getenv("NO_COLOR") == "", // https://no-color.org
	}
}

// show writes "10:04:05 ✓ order.progress  ord_…  50%  Packing item 1 of 2", or with ✗ why it was not accepted.
func (c *console) show(r *Request) {
	if c.out == nil {
		return
	}
	mark, line := r.line()
	c.print(r.ReceivedAt, mark, line)
}

// warn writes what people should know of the receiver itself, unless that is "".
func (c *console) warn(text string) {
	if c.out != nil && text != "" {
		c.print(time.Now(), "!", text)
	}
}

func (c *console) print(at time.Time, mark, line string) {
	line = printable(line)
	if c.colour {
		mark = colours[mark] + mark + "\x1b[0m"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, "%s %s %s\n", at.Local().Format("15:04:05"), mark, line)
}

var colours = map[string]string{"✓": "\x1b[32m", "↻": "\x1b[33m", "!": "\x1b[33m", "✗": "\x1b[31m"}

// line is what is told of a request that has been answered: a mark, and in words what came and what became of it.
func (r *Request) line() (mark, text string) {
	if r.Inbox != DefaultInbox {
		return r.plainLine()
	}
	mark, note := r.outcome()
	return mark, r.describe() + note
}

// plainLine tells of a request that is nobody's callback: "POST /in/mine/a  200".
func (r *Request) plainLine() (mark, text string) {
	mark, text = "✓", fmt.Sprintf("%s %s  %d", r.Method, r.Path, r.Answer.Status)
	if r.Answer.Status < 200 || r.Answer.Status > 299 {
		mark = "✗"
	}
	switch {
	case r.Hint != "":
		text += "  (no such path: " + r.Hint + ")"
	case r.Answer.Fault != "":
		text += "  (attempt " + fmt.Sprint(r.Attempt) + ": " + r.Answer.Fault + ")"
	}
	return mark, text
}

// outcome is what became of a callback: a mark, and a note if it was not simply accepted.
func (r *Request) outcome() (mark, note string) {
	switch {
	case r.accepted():
		return "✓", ""
	case r.duplicate():
		return "↻", "  (already processed)"
	case r.Answer.Status == http.StatusUnauthorized && !r.verified:
		return "✗", "  (invalid signature)"
	case r.Answer.Status == 0:
		return "✗", fmt.Sprintf("  (attempt %d: connection dropped)", r.Attempt)
	default:
		return "✗", fmt.Sprintf("  (attempt %d: answered %d)", r.Attempt, r.Answer.Status)
	}
}

// describe says what a callback tells. Of one that isn't verified, that is nothing but where it went.
func (r *Request) describe() string {
	if !r.verified {
		return r.Path
	}
	u := r.update()
	return strings.TrimRight(fmt.Sprintf("%-17s %s %4d%%  %s", u.Type, cmp.Or(u.ID(), u.TaskID), u.Progress, tidings(u)), " ")
}

// tidings is what an update has to tell: what went wrong, what came of it, or how far it is.
func tidings(u callbacks.Update) string {
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
