package contract

import (
	"slices"
	"strings"

	"github.com/pb33f/jsonschema/v6"
	"github.com/pb33f/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// leaves finds the single fields that do not fit in the tree of errors of a schema. Of alternatives (anyOf, oneOf)
// it follows the one that fits best: what is wrong with the others is of no use.
func leaves(err *jsonschema.ValidationError, place string) []Failure {
	switch k := err.ErrorKind.(type) {
	case *kind.Required:
		return each(k.Missing, err, Failure{Reason: "missing", Rule: rule(err, place), foreign: true})
	case *kind.AdditionalProperties:
		return each(k.Properties, err, Failure{Reason: "not declared", Rule: rule(err, place)})
	case *kind.AnyOf, *kind.OneOf:
		if len(err.Causes) > 0 {
			return bestOf(err, place)
		}
	}
	var all []Failure
	for _, cause := range err.Causes {
		all = append(all, leaves(cause, place)...)
	}
	if len(err.Causes) == 0 {
		all = append(all, Failure{
			Field: field(err.InstanceLocation), Reason: err.ErrorKind.LocalizedString(message.NewPrinter(language.English)), Rule: rule(err, place),
			foreign: isConstant(err.ErrorKind),
		})
	}
	return all
}

func isConstant(k jsonschema.ErrorKind) bool {
	switch k.(type) {
	case *kind.Const, *kind.Enum:
		return true
	default:
		return false
	}
}

// each is a failure of each of these members of an object.
func each(members []string, err *jsonschema.ValidationError, failure Failure) []Failure {
	var all []Failure
	for _, member := range members {
		failure.Field = field(slices.Concat(err.InstanceLocation, []string{member}))
		all = append(all, failure)
	}
	return all
}

// bestOf prefers an alternative of the right type, however much is wrong inside.
func bestOf(err *jsonschema.ValidationError, place string) []Failure {
	var best []Failure
	least := 0
	for i, alternative := range err.Causes {
		all := leaves(alternative, place)
		wrong := len(all)
		if len(all) == 1 && all[0].Field == field(err.InstanceLocation) {
			wrong += 1000
		}
		if i == 0 || wrong < least {
			best, least = all, wrong
		}
	}
	return best
}

// rule is where the contract says so: within a component if the schema refers to one, else below place.
func rule(err *jsonschema.ValidationError, place string) string {
	_, inSchema, _ := strings.Cut(err.SchemaURL, "#")
	keyword := strings.Join(err.ErrorKind.KeywordPath(), "/")
	if strings.HasPrefix(inSchema, "/components/") {
		return "#" + inSchema + "/" + keyword
	}
	return place + " … " + strings.TrimPrefix(inSchema+"/"+keyword, "/")
}
