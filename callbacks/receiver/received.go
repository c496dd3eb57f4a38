package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"petstore/callbacks"
)

const maxWait = 60 * time.Second

// query is what GET /received was asked.
type query struct {
	fields map[string]string
	wait   time.Duration
	count  int // accepted callbacks to wait for; 0 is one that is terminal
}

// field names the fields of an update that can be asked for.
var field = fields()

func fields() map[string]func(callbacks.Update) string {
	named := map[string]func(callbacks.Update) string{
		"callback_id": func(u callbacks.Update) string { return u.CallbackID },
		"task_id":     func(u callbacks.Update) string { return u.TaskID },
		"type":        func(u callbacks.Update) string { return u.Type },
		"status":      func(u callbacks.Update) string { return u.Status },
	}
	for _, kind := range callbacks.Kinds {
		if kind.Field != "" {
			named[kind.Field] = func(u callbacks.Update) string { return kind.IDIn(u.Resource) }
		}
	}
	return named
}

// parseQuery refuses parameters it doesn't know: a filter with a typing error would match everything.
func parseQuery(values url.Values) (query, error) {
	q := query{fields: map[string]string{}}
	for name := range values {
		value := values.Get(name)
		var err error
		switch {
		case name == "wait":
			q.wait, err = parseDuration(name, value)
		case name == "count":
			q.count, err = strconv.Atoi(value)
			if err != nil || q.count < 1 || q.count > maxEntries {
				err = errors.New("count must be a number from 1 to 1000")
			}
		case field[name] != nil:
			q.fields[name] = value
		default:
			err = errors.New(strconv.Quote(name) + " is not a parameter of this request")
		}
		if err != nil {
			return query{}, err
		}
	}
	if q.count == 0 && (values.Has("type") || values.Has("status")) {
		q.count = 1
	}
	return q, nil
}

// parseDuration reads 3s, 1m30s or plain seconds, up to a minute, from the parameter of that name.
func parseDuration(name, value string) (time.Duration, error) {
	if _, err := strconv.Atoi(value); err == nil {
		value += "s"
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > maxWait {
		return 0, errors.New(name + " must be a time such as 3s, from 0 to 60s")
	}
	return d, nil
}

func (q query) match(e *entry) bool {
	for name, want := range q.fields {
		if field[name](e.update) != want {
			return false
		}
	}
	return true
}

// satisfied reports whether there is no more to wait for.
func (q query) satisfied(found []*entry) bool {
	accepted := 0
	for _, e := range found {
		if !e.accepted() {
			continue
		}
		accepted++
		if q.count == 0 && e.update.Terminal() {
			return true
		}
	}
	return q.count > 0 && accepted >= q.count
}

func (rc *Receiver) list(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	found, satisfied := rc.await(r.Context(), q)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(struct {
		Items    []*entry `json:"items"`
		Count    int      `json:"count"`
		TimedOut bool     `json:"timed_out,omitempty"`
	}{found, len(found), q.wait > 0 && !satisfied}) // the client may have gone
}

// await returns what matches as soon as that is enough, or the time is up.
func (rc *Receiver) await(ctx context.Context, q query) (found []*entry, satisfied bool) {
	ctx, cancel := context.WithTimeout(ctx, q.wait)
	defer cancel()
	for {
		found, changed := rc.history.find(q.match)
		if q.satisfied(found) {
			return found, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return found, false
		case <-rc.closing:
			return found, false
		}
	}
}
