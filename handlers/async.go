package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"petstore/callbacks"
	"petstore/models"
)

// What all asynchronous tasks have in common: how a request begins one and is
// answered, whom it tells, and how it is shown.

// taskStarter begins the task of one kind, from the JSON of its request: what a POST
// does with its body, and a socket with the data of its event.
type taskStarter func(ctx context.Context, body []byte) (startedTask, error)

// startedTask is a task that has begun, and the resource that it works on.
type startedTask struct {
	id       string
	location string                                 // the path of the resource
	resource any                                    // a pointer to it as the API shows it now
	reload   func(ctx context.Context) (any, error) // the same at a later time
}

// started describes the task of a resource that has just been created in collection.
func started[M, V any](
	taskID, collection, id string, created M, get func(context.Context, string) (M, error), show func(M) V,
) startedTask {
	return startedTask{
		id: taskID, location: collection + "/" + id, resource: new(show(created)),
		reload: func(ctx context.Context) (any, error) {
			m, err := get(ctx, id)
			return new(show(m)), err
		},
	}
}

// createTask serves the POST that begins a task.
func createTask(c *gin.Context, tasks tasks, start taskStarter) error {
	if err := noQuery(c); err != nil {
		return err
	}
	body, err := readBody(c, "application/json")
	if err != nil {
		return err
	}
	t, err := start(c.Request.Context(), body)
	if err != nil {
		return err
	}
	return respondAccepted(c, tasks, t)
}

// respondAccepted answers a request that began a task: 202 with the resource as it is
// now. A client that prefers to wait (`Prefer: wait=10`, RFC 7240) is answered when
// the task has ended, with 201 and the finished resource; or, if that takes longer
// than it wants to wait, with 202 after all.
func respondAccepted(c *gin.Context, tasks tasks, t startedTask) error {
	status, resource := http.StatusAccepted, t.resource
	if wait := preferredWait(c); wait > 0 {
		ctx := c.Request.Context()
		task, err := tasks.Wait(ctx, t.id, wait)
		if err == nil {
			resource, err = t.reload(ctx)
		}
		switch {
		case err != nil: // what began goes on, and that is the news
			resource = t.resource
		case task.Ended():
			status = http.StatusCreated
		}
	}
	c.Header("Location", withPrefix(c, t.location))
	if status == http.StatusAccepted {
		c.Header("Retry-After", retryAfter)
	}
	return respond(c, status, resource)
}

// callback is whom a task tells, and what it repeats to them.
type callback struct {
	// Strings of your own, repeated in every update: at most 50, names of at most 64 and values of at most 500 characters, 16 KiB altogether.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Where progress and outcome are POSTed to.
	CallbackURL string `json:"callback_url,omitempty" format:"uri" maxLength:"2048"`
	// Which updates are POSTed there: types, or wildcards such as `order.*`. By default all are.
	CallbackEvents []string `json:"callback_events,omitempty" validate:"omitempty,min=1,max=20,unique,dive,min=1,max=100" minItems:"1" maxItems:"20"`
}

// taskHead is how far the task of a resource has come.
type taskHead struct {
	// The task that does the work, for GET /api/tasks/{task_id}.
	TaskID string `json:"task_id" example:"task_0199f2a0c1d27d3ea4b5c6d7e8f90124"`
	// Whether it is still being worked on; the other three are final.
	Status string `json:"status" enums:"processing,completed,failed,cancelled" example:"processing"`
	// How far it has come, in percent.
	Progress int `json:"progress" minimum:"0" maximum:"100" example:"0"`
	// What is being done, or what became of it, for people.
	Message string `json:"message" example:"Received"`
}

func showHead(t models.Task) taskHead {
	return taskHead{TaskID: t.ID, Status: t.Status, Progress: t.Progress, Message: t.Message}
}

// taskTail is whom the task of a resource tells, and what came of it.
type taskTail struct {
	// What the request gave; every update repeats it.
	Metadata map[string]string `json:"metadata"`
	// Where updates are POSTed to, null for nowhere.
	CallbackURL *string `json:"callback_url" extensions:"x-nullable"`
	// Which updates are POSTed there.
	CallbackEvents []string `json:"callback_events,omitempty"`
	// What came of it, once it has completed.
	Result json.RawMessage `json:"result,omitempty" swaggertype:"object"`
	// Why it failed.
	Error *callbacks.Error `json:"error,omitempty"`
	// When it was accepted: RFC 3339, in UTC.
	CreatedAt time.Time `json:"created_at" format:"date-time"`
	// When it last changed, or came further: RFC 3339, in UTC.
	UpdatedAt time.Time `json:"updated_at" format:"date-time"`
}

// showTail shows the task of a resource that was itself created and updated at these times.
func showTail(t models.Task, created, updated time.Time) taskTail {
	tail := taskTail{
		Metadata: t.Metadata, CallbackURL: nullable(t.CallbackURL), CallbackEvents: t.CallbackEvents, Result: t.Result,
		CreatedAt: created, UpdatedAt: updated,
	}
	if t.UpdatedAt.After(updated) {
		tail.UpdatedAt = t.UpdatedAt
	}
	if t.ErrorCode != "" {
		tail.Error = &callbacks.Error{Code: t.ErrorCode, Message: t.ErrorMessage}
	}
	return tail
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

// task is the task of a kind that tells whom the request says, if that can be.
func (cb callback) task(kind callbacks.Kind, policy callbacks.Policy) (models.Task, error) {
	wrong := cb.checkMetadata()
	if cb.CallbackURL != "" {
		if err := callbacks.CheckURL(cb.CallbackURL, policy); err != nil {
			wrong.Addf("callback_url", "%s", err)
		}
	}
	wrong = append(wrong, checkEvents(kind, cb.CallbackEvents)...)
	return models.Task{CallbackURL: cb.CallbackURL, CallbackEvents: cb.CallbackEvents, Metadata: cb.Metadata}, wrong.Err()
}

// checkEvents refuses patterns that no update matches which is sent to the callback_url of a task.
func checkEvents(kind callbacks.Kind, patterns []string) (wrong models.FieldErrors) {
	events := []string{callbacks.EventProgress, models.StatusCompleted, models.StatusFailed}
	if kind.Cancellable {
		events = append(events, models.StatusCancelled)
	}
	var sent []string
	for _, event := range events {
		sent = append(sent, callbacks.EventType(kind.Name, event))
	}
	for i, pattern := range patterns {
		if !slices.ContainsFunc(sent, func(event string) bool { return models.MatchesEvent(pattern, event) }) {
			wrong.Addf(fmt.Sprintf("callback_events[%d]", i), "matches nothing that is sent; there are %s", strings.Join(sent, ", "))
		}
	}
	return wrong
}

func (cb callback) checkMetadata() (wrong models.FieldErrors) {
	if len(cb.Metadata) > maxMetadata {
		wrong.Addf("metadata", "must have at most %d entries", maxMetadata)
		return wrong
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(cb.Metadata)) {
		size += len(name) + len(cb.Metadata[name])
		switch n := utf8.RuneCountInString(name); {
		case n == 0 || n > maxMetadataName:
			wrong.Addf("metadata", "must have names of 1 to %d characters", maxMetadataName)
		case utf8.RuneCountInString(cb.Metadata[name]) > maxMetadataValue:
			wrong.Addf("metadata."+name, "must be at most %d characters long", maxMetadataValue)
		}
	}
	if size > maxMetadataBytes {
		wrong.Addf("metadata", "must be at most %d bytes altogether", maxMetadataBytes)
	}
	return wrong
}

// changeCallback serves the PUT and the PATCH of whom a running task tells.
func changeCallback[M, V any](
	c *gin.Context, param string, change func(context.Context, string, func(*models.Task) error) (M, error), show func(M) V, kind callbacks.Kind, policy callbacks.Policy,
) error {
	check := func(cb callback) error { _, err := cb.task(kind, policy); return err }
	edit, err := readEdit(c, check)
	if err != nil {
		return err
	}
	return serveOne(c, param, func(ctx context.Context, id string) (M, error) {
		return change(ctx, id, func(task *models.Task) error {
			request, err := edit(callback{Metadata: task.Metadata, CallbackURL: task.CallbackURL, CallbackEvents: task.CallbackEvents})
			to, taskErr := request.task(kind, policy)
			task.CallbackURL, task.CallbackEvents, task.Metadata = to.CallbackURL, to.CallbackEvents, to.Metadata
			return invalid(request, err, taskErr)
		})
	}, show)
}

// callbackUpdate describes the callbacks of all tasks: docs/gen puts the kind for {kind}, and it beneath each operation
// that names it with @x-callback.
//
// @Summary     What the {kind} has to tell
// @Description The server POSTs each update of the {kind} to `callback_url`: at least once, in order, signed. Any 2xx answer says that it was received.
// @Param       update body callbacks.Update true "The update"
// @Failure     410 "Gone: this update is not sent again"
// @Router      /callbacks-sent/update [post]
func callbackUpdate() {} //nolint:unused // read by the contract's generator
