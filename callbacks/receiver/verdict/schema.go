package verdict

import (
	"fmt"
	"strings"

	"petstore/callbacks/receiver/verdict/contract"
)

// schema holds the request against the contract.
func (rules *Rules) schema(r *Request, h *History) []Verdict {
	v := Verdict{Check: CheckSchema, Source: "#"}
	if r.Truncated || len(r.Body) > MaxBody {
		v.Code, v.OK, v.Text = SchemaUnchecked, true, fmt.Sprintf("Bodies longer than %d bytes are not held against the contract.", MaxBody)
		return []Verdict{v}
	}
	fit := rules.contract.Check(contract.Request{
		Method: r.Method, Path: r.path(), Header: r.http(), Body: r.Body, Type: r.EventType(),
	}, h.expected(r.path()))
	if fit.Name == "" {
		v.Code, v.Text = SchemaNoMatch, fmt.Sprintf("The contract announces no %s to %s.", r.Method, clip(r.path(), 100))
		return []Verdict{v}
	}
	title := "callback " + fit.Name + " of " + fit.Owner
	if fit.Owner == "" {
		title = "webhook " + fit.Name
	}
	v.Source = fit.Pointer
	switch {
	case fit.Unchecked != "":
		v.Code, v.OK, v.Text = SchemaUnchecked, true, fmt.Sprintf("It was not held against %s: %s.", title, clip(fit.Unchecked, 200))
		return []Verdict{v}
	case len(fit.Failures) == 0:
		v.Code, v.OK, v.Text = SchemaOK, true, fmt.Sprintf("It fits %s%s.", title, alike(fit.Alike))
		return []Verdict{v}
	}
	var all []Verdict
	for _, f := range fit.Failures {
		v.Code, v.Source, v.Field = SchemaMismatch, f.Rule, f.Field
		name := f.Field
		if name == "" {
			name = "The body"
		}
		v.Text = fmt.Sprintf("%s: %s (%s).", clip(name, 100), clip(f.Reason, 200), fit.Name)
		all = append(all, v)
	}
	return all
}

// alike names others that the request may as well be.
func alike(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", and others that have the same rules: " + clip(strings.Join(names, ", "), 100)
}
