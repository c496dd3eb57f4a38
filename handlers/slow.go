package handlers

import (
	"context"
	"maps"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"petstore/callbacks"
	"petstore/models"
)

// What all requests for slow work have in common: how they begin and are
// answered, whom to tell, and what to repeat to them.

// starter begins one kind of slow work, from the JSON of its request: what a POST
// does with its body, and a socket with the data of its event.
type starter func(ctx context.Context, body []byte) (accepted, error)

// accepted is slow work that has begun.
type accepted struct {
	taskID   string
	location string                                 // the path of the resource
	resource any                                    // as the API shows it now
	later    func(ctx context.Context) (any, error) // the same at a later time
}

// createSlow serves the POST that begins slow work.
func createSlow(c *gin.Context, tasks tasks, start starter) error {
	if err := noQuery(c); err != nil {
		return err
	}
	body, err := readBody(c, "application/json")
	if err != nil {
		return err
	}
	a, err := start(c.Request.Context(), body)
	if err != nil {
		return err
	}
	return answerSlow(c, tasks, a)
}

// answerSlow answers a request for slow work: 202 with the resource as it is now.
// A client that prefers to wait (`Prefer: wait=10`, RFC 7240) is answered when the
// work has ended, with 201 and the finished resource; or, if that takes longer
// than it wants to wait, with 202 after all.
func answerSlow(c *gin.Context, tasks tasks, a accepted) error {
	status, resource := http.StatusAccepted, a.resource
	if wait := preferredWait(c); wait > 0 {
		ctx := c.Request.Context()
		task, err := tasks.Wait(ctx, a.taskID, wait)
		if err == nil {
			resource, err = a.later(ctx)
		}
		switch {
		case err != nil: // what began goes on, and that is the news
			resource = a.resource
		case task.Ended():
			status = http.StatusCreated
		}
	}
	c.Header("Location", a.location)
	if status == http.StatusAccepted {
		c.Header("Retry-After", retryAfter)
	}
	return respond(c, status, resource)
}

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
func checkCallback(url string, metadata map[string]string, policy callbacks.Policy) error {
	if url != "" {
		if err := callbacks.CheckURL(url, policy); err != nil {
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

// changeTold replaces whom a task tells, and with which metadata.
func changeTold(task *models.Task, callbackURL string, metadata map[string]string, policy callbacks.Policy) error {
	if err := checkCallback(callbackURL, metadata, policy); err != nil {
		return err
	}
	task.CallbackURL, task.Metadata = callbackURL, models.Metadata{}
	maps.Copy(task.Metadata, metadata)
	return nil
}

// callbackUpdate describes the callbacks of all slow work: docs/gen puts the kind for {kind}, and it beneath each operation
// that names it with @x-callback.
//
// @Summary     What the {kind} has to tell
// @Description The server POSTs each update of the {kind} to `callback_url`: at least once, in order, signed. Any 2xx answer says that it was received.
// @Param       update body callbacks.Update true "The update"
// @Failure     410 "Gone: this update is not sent again"
// @Router      /callbacks-sent/update [post]
func callbackUpdate() {} //nolint:unused // read by the contract's generator
