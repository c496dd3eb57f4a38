package callbacks

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// The statuses of a task. Processing is the only one that is not final.
const (
	StatusProcessing = "processing"
	StatusCompleted  = "completed"
	StatusFailed     = "failed"
	StatusCancelled  = "cancelled"
)

// Update is what a task has to tell. It is the body of a callback, and the same JSON on every other transport.
//
// Update marshals itself, always as [Encode] writes it. A struct that embeds Update inherits that method, and
// loses its own fields on the wire: hold an Update in a named field instead.
type Update struct {
	// CallbackID names the update, the same at every receiver and every attempt ("cb_…"). Deduplicate by it.
	CallbackID string `json:"callback_id" example:"cb_0198c5d2-7a51-7cc3-9d5f-0f6a3c1b2e4d"`
	// Type is the kind of resource and what happened to it: order.progress, order.completed, order.failed…
	Type string `json:"type" example:"order.completed"`
	// TaskID is the task that tells it ("task_…").
	TaskID string `json:"task_id" example:"task_0198c5d2-7a4f-7e0b-8b57-6d1f0a9c8e21"`
	Resource
	// Sequence counts the updates of one task from 1, without gaps. A progress update that a newer one has
	// overtaken may not be sent, so a receiver can see gaps.
	Sequence int64 `json:"sequence" minimum:"1" example:"3"`
	// Status is that of the task: processing, or one of the final three.
	Status string `json:"status" enums:"processing,completed,failed,cancelled" example:"completed"`
	// Progress is in percent, 0 to 100.
	Progress int `json:"progress" minimum:"0" maximum:"100" example:"100"`
	// Message is what is being done, or what became of it, for people.
	Message string `json:"message,omitempty" example:"Packing item 1 of 2"`
	// Metadata echoes what the client gave with its request. It is never null on the wire.
	Metadata Metadata `json:"metadata"`
	// Timestamp is when it happened; RFC 3339, UTC, to the millisecond.
	Timestamp time.Time `json:"timestamp" format:"date-time"`
	// Error says why a failed task failed.
	Error *Error `json:"error,omitempty"`
	// Result is any JSON value. For a failed task it is {"error":{…}}, because the article's handler reads
	// result.error.
	Result json.RawMessage `json:"result,omitempty" swaggertype:"object"`
}

// Metadata is what the client attached to its request, echoed in every update.
type Metadata map[string]string

// Error is why a task failed: a stable code for programs (OUT_OF_STOCK) and a sentence for people.
type Error struct {
	// Code is for programs, and does not change between releases.
	Code string `json:"code" example:"OUT_OF_STOCK"`
	// Message is for people.
	Message string `json:"message" example:"dog-food is out of stock"`
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Terminal reports whether this is the last update of its task.
func (u Update) Terminal() bool {
	return u.Status == StatusCompleted || u.Status == StatusFailed || u.Status == StatusCancelled
}

// MarshalJSON writes the update as [Encode] does.
func (u Update) MarshalJSON() ([]byte, error) { return Encode(u) }

// timestampLayout has three digits of a second always, as ECMAScript's Date.prototype.toISOString has.
const timestampLayout = "2006-01-02T15:04:05.000Z07:00"

// update writes u's members in the order of its fields. It is written by hand because it is on the way of every
// callback; a test holds it against the struct tags.
func (e *encoder) update(u *Update) error {
	e.out = append(e.out, '{')
	e.stringMember("callback_id", u.CallbackID)
	e.stringMember("type", u.Type)
	e.stringMember("task_id", u.TaskID)
	for i := range Kinds {
		if k := &Kinds[i]; k.id != nil {
			e.optionalMember(k.Field, *k.id(&u.Resource))
		}
	}
	e.name("sequence")
	e.integer(u.Sequence)
	e.stringMember("status", u.Status)
	e.name("progress")
	e.integer(int64(u.Progress))
	e.optionalMember("message", u.Message)
	e.name("metadata")
	e.metadata(u.Metadata)
	e.name("timestamp")
	e.out = append(e.out, '"')
	e.out = u.Timestamp.UTC().AppendFormat(e.out, timestampLayout)
	e.out = append(e.out, '"')
	if u.Error != nil {
		e.name("error")
		e.out = append(e.out, '{')
		e.stringMember("code", u.Error.Code)
		e.stringMember("message", u.Error.Message)
		e.out = append(e.out, '}')
	}
	if len(u.Result) > 0 {
		e.name("result")
		if err := e.raw(u.Result); err != nil {
			return err
		}
	}
	e.out = append(e.out, '}')
	return nil
}

// metadata writes m with its keys sorted, so that the same metadata is always the same bytes.
func (e *encoder) metadata(m Metadata) {
	object := e.openObject()
	for _, key := range slices.Sorted(maps.Keys(m)) {
		e.openMember(object)
		e.string(key)
		e.closeName()
		e.string(m[key])
		e.closeMember()
	}
	e.closeObject(object)
}

// name writes the name of a member of a struct: a plain word that needs no escape and is no array index.
func (e *encoder) name(name string) {
	if e.out[len(e.out)-1] != '{' {
		e.out = append(e.out, ',')
	}
	e.out = append(e.out, '"')
	e.out = append(e.out, name...)
	e.out = append(e.out, '"', ':')
}

func (e *encoder) stringMember(name, value string) {
	e.name(name)
	e.string(value)
}

func (e *encoder) optionalMember(name, value string) {
	if value != "" {
		e.stringMember(name, value)
	}
}
