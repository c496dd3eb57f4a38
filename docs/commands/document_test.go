package commands_test

import (
	"regexp"
	"strings"
)

// A step of a document is what a reader does next, or sees then.
type step struct {
	command string   // of the shell; empty where there is none
	program string   // a source file that the reader saves, and its
	name    string   // path
	expect  []string // lines that are said after the commands before
}

var (
	element = regexp.MustCompile("(?ms)^#+ [^\n]*$|^```(\\w*)\n(.*?)^```$|<summary><code>(.*?)</code></summary>")
	comment = regexp.MustCompile(`(^|\s+)# .*$`)
)

// read returns the steps of a document. A block without a language, or of http or json, that comes after commands is
// what they say. One that is marked as text only explains.
func read(document string) (steps []step) {
	commands := false // stand before, below the same heading
	for _, m := range element.FindAllStringSubmatch(document, -1) {
		language, text := m[1], m[2]
		switch {
		case strings.HasPrefix(m[0], "#"):
			commands = false
		case m[3] != "":
			steps = append(steps, step{command: m[3]})
		case language == "sh":
			commands = true
			for _, command := range split(text) {
				steps = append(steps, step{command: command})
			}
		case language == "console":
			commands = true
			steps = append(steps, session(text)...)
		case language == "go" && strings.HasPrefix(text, "package main"):
			steps = append(steps, step{program: text, name: "cmd/mine/main.go"})
		case language == "js" && strings.Contains(text, "app.listen("):
			steps = append(steps, step{program: text, name: "app.js"})
		case commands && (language == "" || language == "http" || language == "json"):
			steps = append(steps, step{expect: lines(text)})
		}
	}
	return steps
}

// split returns the commands of a block, without comments. Those that follow each other are one, lest the variables of
// the shell are lost, unless one of them stays in the foreground of its terminal.
func split(block string) (commands []string) {
	open := false
	for line := range strings.SplitSeq(strings.ReplaceAll(block, "\\\n", " "), "\n") {
		line = strings.TrimSpace(comment.ReplaceAllString(line, ""))
		if line == "" {
			continue
		}
		if stays := serves.MatchString(line) || elsewhere(line) != ""; open && !stays {
			commands[len(commands)-1] += "\n" + line
		} else {
			commands = append(commands, line)
			open = !stays
		}
	}
	return commands
}

// session returns the steps of what stands in a terminal, with a $ before each command.
func session(block string) (steps []step) {
	for line := range strings.SplitSeq(strings.ReplaceAll(block, "\\\n", " "), "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			steps = append(steps, step{command: comment.ReplaceAllString(command, "")}, step{})
		} else if strings.TrimSpace(line) != "" && len(steps) > 0 {
			last := &steps[len(steps)-1]
			last.expect = append(last.expect, line)
		}
	}
	return steps
}

// lines returns the lines of an output. One that begins with a blank goes on with the JSON of the one before.
func lines(block string) (all []string) {
	for line := range strings.SplitSeq(strings.TrimSpace(block), "\n") {
		switch next, goesOn := strings.CutPrefix(line, " "); {
		case strings.TrimSpace(line) == "":
		case goesOn && len(all) > 0 && strings.HasPrefix(all[len(all)-1], "{"):
			all[len(all)-1] += next
		default:
			all = append(all, line)
		}
	}
	return all
}
