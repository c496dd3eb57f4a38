package main

import (
	"encoding/json"
	"errors"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3conv"
	"github.com/pb33f/libopenapi"
)

// openAPIVersion is the newest that Swagger UI 5.18 shows.
const openAPIVersion = "3.1.1"

// liftToV3 converts a Swagger 2.0 document to OpenAPI 3.1.
func liftToV3(swagger []byte) ([]byte, error) {
	var v2 openapi2.T
	if err := json.Unmarshal(swagger, &v2); err != nil {
		return nil, err
	}
	addShared(&v2)
	v3, err := openapi2conv.ToV3(&v2)
	if err != nil {
		return nil, err
	}
	sendProblems(v3)
	openapi3conv.Upgrade(v3)
	v3.OpenAPI = openAPIVersion // Upgrade writes a later version, which Swagger UI refuses
	return json.Marshal(v3)
}

// sendProblems gives every error response the media type of RFC 9457. Swagger 2.0 has one list of
// media types for all responses of an operation.
func sendProblems(doc *openapi3.T) {
	for _, path := range doc.Paths.Map() {
		for _, operation := range path.Operations() {
			for status, response := range operation.Responses.Map() {
				if status < "400" {
					continue
				}
				for mediaType, media := range response.Value.Content {
					delete(response.Value.Content, mediaType)
					response.Value.Content["application/problem+json"] = media
				}
			}
		}
	}
}

// applyOverlay treats warnings as errors: an action without a target is one whose operation or
// type has been renamed.
func applyOverlay(document, overlay []byte) ([]byte, error) {
	result, err := libopenapi.ApplyOverlayFromBytesToSpecBytes(document, overlay)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, warning := range result.Warnings {
		failed = append(failed, errors.New(warning.String()))
	}
	return result.Bytes, errors.Join(failed...)
}
