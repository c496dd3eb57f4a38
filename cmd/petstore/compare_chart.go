package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
)

// chart shows figures as a table and as bars.
type chart struct {
	out    io.Writer
	colour bool
}

// newChart uses colours on a terminal, unless NO_COLOR is set (https://no-color.org).
func newChart(out io.Writer) chart {
	file, isFile := out.(*os.File)
	return chart{out, isFile && isatty.IsTerminal(file.Fd()) && os.Getenv("NO_COLOR") == ""}
}

func (c chart) show(figures []figure) {
	c.table(figures)
	c.bars("Requests", figures, func(f figure) (float64, string) { return float64(f.requests), fmt.Sprint(f.requests) })
	c.bars("Bytes on the wire, both ways", figures, func(f figure) (float64, string) { return float64(f.bytes), kilobytes(f.bytes) })
	c.bars("From done to known (median)", figures, func(f figure) (float64, string) { return float64(f.median), millis(f.median) })
	fmt.Fprintln(c.out)
}

func (c chart) table(figures []figure) {
	fmt.Fprintf(c.out, "\n  %s\n", c.dim("               requests  connections  held open      bytes   done → known: median    worst"))
	defer fmt.Fprintf(c.out, "  %s\n", c.dim("held open: connections on which somebody waits, half-way through the work"))
	for i, f := range figures {
		fmt.Fprintf(c.out, "  %s %9d %12d %10d %10s %22s %8s\n", c.name(i, f.name), f.requests, f.connections, f.held, kilobytes(f.bytes), millis(f.median), millis(f.worst))
	}
}

// barWidth is the length of the longest bar, in characters.
const barWidth = 48

// bars draws one bar for each figure; the longest is the largest.
func (c chart) bars(title string, figures []figure, value func(figure) (float64, string)) {
	largest := 0.0
	for _, f := range figures {
		v, _ := value(f)
		largest = max(largest, v)
	}
	fmt.Fprintf(c.out, "\n  %s\n", c.bold(title))
	for i, f := range figures {
		v, text := value(f)
		fmt.Fprintf(c.out, "  %s %s %s\n", c.name(i, f.name), c.paint(i, bar(v/largest)), text)
	}
}

// bar draws a part of barWidth, to the eighth of a character.
func bar(part float64) string {
	eighths := max(int(part*barWidth*8+0.5), 1)
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text
}

func kilobytes(n int64) string { return fmt.Sprintf("%.1f kB", float64(n)/1000) }

func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

func (c chart) name(i int, name string) string { return c.paint(i, fmt.Sprintf("%-13s", name)) }

// paint gives each way a colour of its own, of the terminal's palette.
func (c chart) paint(i int, text string) string {
	return c.style([]string{"31", "33", "32", "36", "34", "35"}[i%6], text)
}

func (c chart) bold(text string) string { return c.style("1", text) }
func (c chart) dim(text string) string  { return c.style("2", text) }

func (c chart) style(code, text string) string {
	if !c.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
