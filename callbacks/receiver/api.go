package receiver

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"petstore/callbacks/origin"
)

// methods are the handlers of a path, by method.
type methods map[string]func(http.ResponseWriter, *http.Request) error

func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	handle := m[method]
	if handle == nil {
		w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(m)), ", "))
		if method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		fail(w, noMethod(w, r))
		return
	}
	if err := handle(w, r); err != nil {
		fail(w, err)
	}
}

// routes are what the receiver shows of itself.
func (rc *Receiver) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for path, handler := range map[string]methods{
		"/{$}":                                 {"GET": rc.showPage},
		"/assets/{file}":                       {"GET": rc.showAsset},
		"/received":                            {"GET": rc.list, "DELETE": rc.forget},
		"/inboxes":                             {"GET": rc.listInboxes},
		"/inboxes/{inbox}":                     {"GET": rc.showInbox, "PUT": rc.put, "PATCH": rc.put, "DELETE": rc.removeInbox},
		"/inboxes/{inbox}/requests":            {"GET": rc.listRequests, "DELETE": rc.emptyInbox},
		"/inboxes/{inbox}/requests.har":        {"GET": rc.listHAR},
		"/inboxes/{inbox}/stream":              {"GET": rc.stream},
		"/inboxes/{inbox}/requests/{n}":        {"GET": rc.one(showRequest)},
		"/inboxes/{inbox}/requests/{n}/body":   {"GET": rc.one(showBytes)},
		"/inboxes/{inbox}/requests/{n}/raw":    {"GET": rc.one(showRaw)},
		"/inboxes/{inbox}/requests/{n}/curl":   {"GET": rc.one(showCurl)},
		"/inboxes/{inbox}/requests/{n}/har":    {"GET": rc.one(showHAR)},
		"/inboxes/{inbox}/requests/{n}/replay": {"POST": rc.replay},
	} {
		mux.Handle(path, handler)
	}
	return mux
}

// own guards what the receiver shows of itself: a callback may come from anywhere, but not who looks.
func (rc *Receiver) own(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.Header().Add("Vary", "Origin")
	switch {
	case !rc.pages.Hosts.Allow(r):
		fail(w, errHost)
	case !rc.pages.AllowPage(r):
		fail(w, errOrigin)
	default:
		origin.Share(w.Header(), r, "Content-Disposition")
		rc.mux.ServeHTTP(w, r)
	}
}

func (rc *Receiver) listInboxes(w http.ResponseWriter, r *http.Request) error {
	all, removed := rc.store.infos()
	for i := range all {
		all[i] = rc.located(all[i], r)
	}
	return respond(w, http.StatusOK, struct {
		Items   []inboxInfo `json:"items"`
		Count   int         `json:"count"`
		Removed int         `json:"removed"`
		Limits  Limits      `json:"limits"`
		Server  string      `json:"server_url,omitempty"` // of the Pet Store, for the page
	}{all, len(all), removed, rc.store.limits, rc.serverURL()})
}

func (rc *Receiver) serverURL() string {
	if rc.options.ServerURL == nil {
		return ""
	}
	return rc.options.ServerURL()
}

func (rc *Receiver) showInbox(w http.ResponseWriter, r *http.Request) error {
	info, found := rc.store.info(r.PathValue("inbox"))
	if !found {
		return errNoInbox
	}
	return respond(w, http.StatusOK, rc.located(info, r))
}

func (rc *Receiver) removeInbox(w http.ResponseWriter, r *http.Request) error {
	if !rc.Remove(r.PathValue("inbox")) {
		return errNoInbox
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (rc *Receiver) emptyInbox(w http.ResponseWriter, r *http.Request) error {
	if !rc.store.empty(r.PathValue("inbox")) {
		return errNoInbox
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Remove removes an inbox, its settings and what came to it, and reports whether there was one.
func (rc *Receiver) Remove(name string) bool { return rc.store.remove(name) }

// Requests returns what came to an inbox and matches, in the order of arrival.
func (rc *Receiver) Requests(inbox string, match Match) []*Request {
	all, _ := rc.store.list(inbox)
	if match == nil {
		return all
	}
	return slices.DeleteFunc(all, func(r *Request) bool { return !match(r) })
}

// Wait returns what came to an inbox and matches, as soon as that is count requests that have been answered. If ctx ends
// before, or the receiver is closed, it returns what there is, and an error.
func (rc *Receiver) Wait(ctx context.Context, inbox string, count int, match Match) ([]*Request, error) {
	left := map[int64]bool{}
	err := rc.await(ctx, inbox, func(r *Request) bool {
		if match == nil || match(r) {
			left[r.Number] = true
		}
		return len(left) >= count
	})
	return rc.Requests(inbox, match), err
}

// await calls enough with each request of an inbox that has been answered, those that are there first, and more than
// once if they change again, until it says that it is.
func (rc *Receiver) await(ctx context.Context, inbox string, enough func(*Request) bool) error {
	all, version := rc.store.list(inbox)
	for {
		for _, r := range all {
			if r.Answer != nil && enough(r) {
				return nil
			}
		}
		n := rc.store.since(inbox, version)
		all, version = n.requests, n.version
		if len(all) > 0 {
			continue
		}
		select {
		case <-n.changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-rc.ctx.Done():
			return http.ErrServerClosed
		}
	}
}

func (rc *Receiver) listRequests(w http.ResponseWriter, r *http.Request) error {
	lookup, err := parseLookup(r.URL.Query(), true)
	if err != nil {
		return err
	}
	name := r.PathValue("inbox")
	found, timedOut := rc.lookup(r.Context(), name, lookup)
	info, _ := rc.store.info(name)
	items := make([]any, len(found))
	for i, request := range found {
		items[i] = request.view(lookup.summary)
	}
	return respond(w, http.StatusOK, struct {
		Items    []any `json:"items"`
		Count    int   `json:"count"`
		Dropped  int64 `json:"dropped"`
		TimedOut bool  `json:"timed_out"`
	}{items, len(items), info.Dropped, timedOut})
}

// lookup waits if it was asked to, and returns what matches.
func (rc *Receiver) lookup(ctx context.Context, inbox string, l lookup) (found []*Request, timedOut bool) {
	if l.wait > 0 {
		waiting, cancel := context.WithTimeout(ctx, l.wait)
		defer cancel()
		var err error
		found, err = rc.Wait(waiting, inbox, l.count, l.matches)
		timedOut = err != nil
	} else {
		found = rc.Requests(inbox, l.matches)
	}
	if l.newest {
		slices.Reverse(found)
	}
	return found[:min(l.limit, len(found))], timedOut
}

// one answers for one request, which it finds by its number.
func (rc *Receiver) one(show func(http.ResponseWriter, *http.Request, *Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		_, found, err := rc.find(r)
		if err != nil {
			return err
		}
		return show(w, r, found)
	}
}

func (rc *Receiver) find(r *http.Request) (*kept, *Request, error) {
	number, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil {
		return nil, nil, errNoRequest
	}
	k, found := rc.store.find(r.PathValue("inbox"), number)
	if found == nil {
		return nil, nil, errNoRequest
	}
	return k, found, nil
}

func showRequest(w http.ResponseWriter, _ *http.Request, found *Request) error {
	return respond(w, http.StatusOK, found.view(false))
}
