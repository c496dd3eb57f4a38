package handlers

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"petstore/models"
)

// names reports whether something is known to be wrong with a field, with the array's element that it is in, or with an
// element of the array that it is.
func names(known models.FieldErrors, field string) bool {
	return slices.ContainsFunc(known, func(k models.FieldError) bool {
		return field == k.Field || strings.HasSuffix(k.Field, "]") && strings.HasPrefix(field, k.Field+".") || strings.HasPrefix(k.Field, field+"[")
	})
}

// invalid joins what several checks say of a request, in the order of its fields: the first that is said of each.
// An error about anything else than a field stands alone.
func invalid(request any, checks ...error) error {
	var all models.FieldErrors
	for _, err := range checks {
		found, ok := errors.AsType[*models.Error](err)
		switch {
		case err == nil:
			continue
		case !ok || found.Code != models.CodeInvalid:
			return err
		}
		for _, fault := range found.Fields {
			if !names(all, fault.Field) {
				all = append(all, fault)
			}
		}
	}
	if len(all) > 1 {
		sortFields(all, reflect.TypeOf(request))
	}
	return all.Err()
}

// sortFields brings errors into the order in which a type declares its fields; those that it doesn't have are last.
func sortFields(wrong models.FieldErrors, t reflect.Type) {
	slices.SortStableFunc(wrong, func(a, b models.FieldError) int {
		return slices.Compare(place(t, a.Field), place(t, b.Field))
	})
}

var pathStep = regexp.MustCompile(`[^.\[\]]+`)

// place is where a field such as items[2].quantity is in a type: the index of each step of its path.
func place(t reflect.Type, field string) (indexes []int) {
	for _, step := range pathStep.FindAllString(field, -1) {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch t.Kind() {
		case reflect.Slice:
			index, _ := strconv.Atoi(step)
			indexes, t = append(indexes, index), t.Elem()
		case reflect.Struct:
			fields := fieldsOf(t)
			i := slices.IndexFunc(fields, func(f reflect.StructField) bool { return jsonName(f) == step })
			if i < 0 {
				return append(indexes, len(fields))
			}
			indexes, t = append(indexes, i), fields[i].Type
		default:
			return indexes
		}
	}
	return indexes
}

// fieldsOf are a struct's fields in JSON, those of embedded structs too, in their order.
func fieldsOf(t reflect.Type) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.Anonymous })
}

func namesOf(fields []reflect.StructField) []string { return mapItems(fields, jsonName) }

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
