package contract

import (
	"regexp"
	"strings"
)

// pathPattern is what a callback's key says of the path of its URL while the expressions in it have no value.
type pathPattern struct{ *regexp.Regexp }

// origin is scheme and authority, which may have expressions in it.
var origin = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://([^/{]|\{[^}]*\})*`)

// newPathPattern returns nil for a webhook, which has no key. What stands before the path is not looked at: the
// receiver may be reached under several names, and have a base path.
func newPathPattern(key string) *pathPattern {
	if key == "" {
		return nil
	}
	var pattern strings.Builder
	for i, constant := range Embedded.Split(origin.ReplaceAllString(key, ""), -1) {
		if i > 0 {
			pattern.WriteString(".+")
		}
		path, _, _ := strings.Cut(constant, "#")
		path, _, _ = strings.Cut(path, "?")
		pattern.WriteString(regexp.QuoteMeta(path))
		if path != constant {
			break // What follows is not in the path.
		}
	}
	return &pathPattern{regexp.MustCompile("^.*" + pattern.String() + "$")}
}

func (p *pathPattern) matches(path string) bool { return p == nil || p.MatchString(path) }
