package handlers_test

import (
	"iter"
	"regexp"
)

var nextLink = regexp.MustCompile(`^<(/[^>]*)>; rel="next"$`)

// pages walks a list by its Link header, page by page, and holds next_cursor
// against it.
func pages[T any](a *api, path string) iter.Seq[T] {
	return func(yield func(T) bool) {
		for path != "" {
			answer := a.do("GET", path, "").want(200)
			list := read[page[T]](answer)
			for _, item := range list.Items {
				if !yield(item) {
					return
				}
			}
			link := nextLink.FindStringSubmatch(answer.Header.Get("Link"))
			if (link == nil) != (list.NextCursor == nil) {
				a.Fatalf("%s: next_cursor is %v, Link %q", path, list.NextCursor, answer.Header.Get("Link"))
			}
			path = ""
			if link != nil {
				path = link[1]
			}
		}
	}
}
