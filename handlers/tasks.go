package handlers

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gin-gonic/gin"

	"petstore/callbacks"
	"petstore/models"
)

type tasks interface {
	Wait(ctx context.Context, id string, wait time.Duration) (models.Task, error)
	Updates(ctx context.Context, id string, page models.Page) (models.List[models.Update], error)
}

// maxWait is how long a request may wait for a task to end.
const maxWait = 60 * time.Second

// retryAfter is after how many seconds a poller may well ask again.
const retryAfter = "1"

type taskHandlers struct{ tasks tasks }

func (a *API) taskRoutes() {
	h, g := taskHandlers{tasks: a.cfg.Tasks}, a.group("/api/tasks")
	g.get("/stream", a.streams(nil).followTasks)
	g.get("/:task_id", h.get)
	g.get("/:task_id/updates", h.updates)
}

// task is a task as the API shows it: the answer to polling.
type task struct {
	// Its id, for GET /api/tasks/{task_id}.
	TaskID string `json:"task_id" example:"task_0199f2a0c1d27d3ea4b5c6d7e8f90124"`
	// What kind of slow work it is: order, report, image, payment, refund and so on.
	Kind string `json:"kind" example:"order"`
	// What the task works on: an order's id, and so on.
	ResourceID string `json:"resource_id" example:"ord_0199f2a0c1d27d3ea4b5c6d7e8f90123"`
	// Whether it is still being worked on; the other three are final.
	Status string `json:"status" enums:"processing,completed,failed,cancelled" example:"completed"`
	// How far it has come, in percent.
	Progress int `json:"progress" minimum:"0" maximum:"100" example:"100"`
	// What is being done, or what became of it, for people.
	Message string `json:"message" example:"Completed"`
	// The number of its latest update.
	Sequence int64 `json:"sequence" minimum:"1" example:"3"`
	taskTail
}

// taskUpdates is what a task has told so far.
type taskUpdates struct { //nolint:unused // read by the contract's generator
	// The updates of this page, the first one first.
	Items []callbacks.Update `json:"items"`
	// The cursor of the next page, null at the end.
	NextCursor *string `json:"next_cursor" extensions:"x-nullable"`
}

func showTask(t models.Task) task {
	return task{
		TaskID: t.ID, Kind: t.Kind, ResourceID: t.ResourceID, Status: t.Status, Progress: t.Progress, Message: t.Message,
		Sequence: t.Sequence, taskTail: showTail(t, t.CreatedAt, t.UpdatedAt),
	}
}

// @Summary     Get a task
// @Description The polling answer. With `wait`, it is given as soon as the task has ended, or when that time is over (long polling).
// @Description
// @Description `ETag` and `If-None-Match` spare a poller the body of an answer that it knows, and `Retry-After` says when to ask again, while the task is processing.
// @ID          getTask
// @Tags        tasks
// @Param       task_id path   string true  "Its id"
// @Param       wait    query  string false "How long to wait for the end, up to 60 seconds" example(10)
// @Param       Prefer  header string false "The same as a preference (RFC 7240): wait=10"
// @Param       If-None-Match header string false "The ETag of an earlier answer"
// @Success     200 {object} task
// @Header      200 {string}  ETag "Names this answer, for If-None-Match"
// @Header      200 {integer} Retry-After "After how many seconds to ask again, while it is processing"
// @Header      200 {string}  Preference-Applied "The wait of Prefer, if it was heeded"
// @Success     304 "Nothing has changed"
// @Header      304 {string}  ETag "Names the answer"
// @Header      304 {integer} Retry-After "After how many seconds to ask again, while it is processing"
// @Header      304 {string}  Preference-Applied "The wait of Prefer, if it was heeded"
// @Router      /api/tasks/{task_id} [get]
func (h taskHandlers) get(c *gin.Context) error {
	id, err := validID(c, "task_id")
	if err != nil {
		return err
	}
	q := newQuery(c)
	wait := q.seconds("wait", maxWait)
	if err := q.done(); err != nil {
		return err
	}
	if wait == 0 {
		wait = preferredWait(c)
	}
	t, err := h.tasks.Wait(c.Request.Context(), id, wait)
	if err != nil {
		return err
	}
	if !t.Ended() {
		c.Header("Retry-After", retryAfter)
	}
	return respondTagged(c, new(showTask(t)))
}

// @Summary     List the updates of a task
// @Description Everything that it has told so far, first to last: the bodies of its callbacks. A page ends after 1,000 of them, or 1 MiB.
// @ID          listTaskUpdates
// @Tags        tasks
// @Param       task_id path  string true  "Its id"
// @Param       limit   query int    false "How many" minimum(1) maximum(1000) default(1000)
// @Param       cursor  query string false "Where the page before this one ended: its next_cursor" maxlength(200)
// @Success     200 {object} taskUpdates "A page of its updates"
// @Header      200 {string} Link "The next page (RFC 8288)"
// @Router      /api/tasks/{task_id}/updates [get]
func (h taskHandlers) updates(c *gin.Context) error {
	id, err := validID(c, "task_id")
	if err != nil {
		return err
	}
	q := newQuery(c)
	return servePageOf(c, q, q.pageOf(models.MaxUpdates, models.MaxUpdates), h.tasks.Updates, id, func(u models.Update) json.RawMessage { return json.RawMessage(u.Body) })
}
