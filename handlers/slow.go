package handlers

import (
	"time"
	"unicode/utf8"

	"petstore/callbacks"
	"petstore/models"
)

// What all requests for slow work have in common: whom to tell, and what to
// repeat to them.

// Limits of metadata: enough for a client's own ids, too little for a payload.
const (
	maxMetadata      = 50
	maxMetadataName  = 64
	maxMetadataValue = 500
	// maxMetadataBytes bounds names and values together, so that a callback stays
	// below the 100 kB that Express parses by default, even if all of it is
	// control characters, which JSON writes as six bytes each.
	maxMetadataBytes = 16 << 10
)

var taskStatuses = []string{models.StatusProcessing, models.StatusCompleted, models.StatusFailed, models.StatusCancelled}

// checkCallback checks a callback URL, which may be empty, and metadata.
func checkCallback(url string, metadata map[string]string, production bool) error {
	if url != "" {
		if err := callbacks.CheckURL(url, production); err != nil {
			return models.Invalid("callback_url", "%s", err)
		}
	}
	if len(metadata) > maxMetadata {
		return models.Invalid("metadata", "must have at most %d entries", maxMetadata)
	}
	size := 0
	for name, value := range metadata {
		size += len(name) + len(value)
		if n := utf8.RuneCountInString(name); n == 0 || n > maxMetadataName {
			return models.Invalid("metadata", "must have names of 1 to %d characters", maxMetadataName)
		}
		if utf8.RuneCountInString(value) > maxMetadataValue {
			return models.Invalid("metadata."+name, "must be at most %d characters long", maxMetadataValue)
		}
	}
	if size > maxMetadataBytes {
		return models.Invalid("metadata", "must be at most %d bytes altogether", maxMetadataBytes)
	}
	return nil
}

// showError is why a task failed, nil if it did not.
func showError(t models.Task) *callbacks.Error {
	if t.ErrorCode == "" {
		return nil
	}
	return &callbacks.Error{Code: t.ErrorCode, Message: t.ErrorMessage}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
