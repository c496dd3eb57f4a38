package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/gin-gonic/gin"

	"petstore/models"
)

// readEdit reads what a PUT or a PATCH makes of a T. What else than decoding is to be checked the edit's caller checks; of a
// body that cannot be decoded, check says the rest.
func readEdit[T any](c *gin.Context, check func(T) error) (edit func(now T) (T, error), err error) {
	if c.Request.Method == http.MethodPut {
		to, err := decode[T](c)
		if err != nil {
			return nil, invalid(to, err, check(to))
		}
		return func(T) (T, error) { return to, nil }, nil
	}
	patch, err := readPatch(c, check)
	return func(now T) (T, error) { return mergePatch(patch, now) }, err
}

// readPatch reads a JSON merge patch of a T. Fields that T doesn't have, or has
// as another type, are errors even if the patch only takes them away. With
// these it is told what else is wrong with the values that it gives.
func readPatch[T any](c *gin.Context, rest func(T) error) ([]byte, error) {
	patch, err := readBody(c, "application/merge-patch+json", "application/json")
	if err != nil {
		return nil, err
	}
	var fields *T
	err = parse(patch, &fields)
	switch {
	case err != nil && fields != nil:
		return nil, invalid(fields, err, ofGiven(patch, check(fields)), ofGiven(patch, rest(*fields)))
	case err != nil:
		return nil, err
	case fields == nil:
		return nil, malformed("", "The body must be a JSON object.")
	}
	return patch, nil
}

// ofGiven leaves of what a check says of a patch that which is about values in it: what is not there may be missing.
func ofGiven(patch []byte, err error) error {
	found, ok := errors.AsType[*models.Error](err)
	if !ok {
		return err
	}
	var given map[string]any
	_ = json.Unmarshal(patch, &given) // it has been parsed
	var wrong models.FieldErrors
	for _, fault := range found.Fields {
		if given[pathStep.FindString(fault.Field)] != nil {
			wrong = append(wrong, fault)
		}
	}
	return wrong.Err()
}

// mergePatch applies a patch (RFC 7396) to a request, and decodes and checks
// what comes out as strictly as if the client had sent that.
func mergePatch[T any](patch []byte, to T) (T, error) {
	var patched T
	original, err := json.Marshal(to)
	if err != nil {
		return patched, fmt.Errorf("encoding what a patch applies to: %w", err)
	}
	merged, err := jsonpatch.MergePatch(original, patch)
	if err != nil {
		return patched, malformed("", "The body is not a JSON merge patch: it must be an object with the fields to change.")
	}
	return patched, unmarshal(merged, &patched)
}
