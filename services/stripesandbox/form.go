package stripesandbox

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// form reads the parameters of a request. The first thing that is wrong with
// them is kept for done.
type form struct {
	values url.Values
	known  map[string]bool
	wrong  *Error
}

func newForm(values url.Values) *form { return &form{values: values, known: map[string]bool{}} }

func (f *form) failf(code, param, format string, args ...any) {
	if f.wrong == nil {
		f.wrong = invalid(code, param, format, args...)
	}
}

// text reads a parameter, nil if it isn't there.
func (f *form) text(name string) *string {
	f.known[name] = true
	if !f.values.Has(name) {
		return nil
	}
	value := f.values.Get(name)
	if value == "" {
		f.failf("parameter_invalid_empty", name, "You passed an empty string for '%s'.", name)
	}
	return &value
}

// required reads a parameter that must be there.
func (f *form) required(name string) string {
	value := f.text(name)
	if value == nil {
		f.failf("parameter_missing", name, "Missing required param: %s.", name)
		return ""
	}
	return *value
}

// amount reads an amount of money, fallback if it isn't there.
func (f *form) amount(name string, fallback int64) int64 {
	text := f.text(name)
	if text == nil {
		return fallback
	}
	n, err := strconv.ParseInt(*text, 10, 64)
	switch {
	case err != nil:
		f.failf("parameter_invalid_integer", name, "Invalid integer: %s", *text)
	case n < 1:
		f.failf("parameter_invalid_integer", name, "This value must be greater than or equal to 1.")
	}
	return n
}

// flag reads true or false.
func (f *form) flag(name string) bool {
	text := f.text(name)
	if text != nil && *text != "true" && *text != "false" {
		f.failf("", name, "Invalid boolean: %s", *text)
	}
	return text != nil && *text == "true"
}

// oneOf reads a parameter that has few values.
func (f *form) oneOf(name string, values ...string) *string {
	text := f.text(name)
	if text != nil && !slices.Contains(values, *text) {
		f.failf("", name, "Invalid %s: must be one of %s", name, strings.Join(values, ", "))
	}
	return text
}

// list reads name[0], name[1], … or name[].
func (f *form) list(name string) []string {
	var found []string
	for i := 0; f.values.Has(fmt.Sprintf("%s[%d]", name, i)); i++ {
		f.known[fmt.Sprintf("%s[%d]", name, i)] = true
		found = append(found, f.values.Get(fmt.Sprintf("%s[%d]", name, i)))
	}
	f.known[name+"[]"] = true
	return append(found, f.values[name+"[]"]...)
}

// metadata reads metadata[…].
func (f *form) metadata() map[string]string {
	found := map[string]string{}
	for name := range f.values {
		if key, ok := strings.CutPrefix(name, "metadata["); ok && strings.HasSuffix(key, "]") {
			f.known[name] = true
			found[strings.TrimSuffix(key, "]")] = f.values.Get(name)
		}
	}
	return found
}

// done reports what was wrong, a parameter that nobody asked for included.
func (f *form) done() error {
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		if !f.known[name] {
			f.failf("parameter_unknown", name, "Received unknown parameter: %s", name)
		}
	}
	if f.wrong == nil {
		return nil
	}
	return f.wrong
}
