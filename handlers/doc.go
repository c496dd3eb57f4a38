// Package handlers is the HTTP edge: it decodes and checks requests, calls a use
// case once, and writes the answer. One file for each resource; router.go has
// the table of all routes.
//
// Each file declares, as a small interface, what it needs of a use case, so that
// this package does not know how anything is done.
//
// The annotations become the contract (docs/gen). What operations have by rule is
// added to it there (docs/gen/shared.go), and no annotation repeats it:
//
//   - requests and answers are JSON, and errors are problems (RFC 9457)
//   - 422 everywhere; 403 for all methods but GET; 404 where the path names a
//     resource; 400, 413 and 415 where there is a body
//   - lists, which answer page[T], have limit, cursor and a Link
//   - slow work, which has @x-callback, can prefer to wait (Prefer, 201), and says
//     where it is (Location, Retry-After)
package handlers
