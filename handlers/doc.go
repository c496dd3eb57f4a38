// Package handlers is the HTTP edge: it decodes and checks requests, calls a use
// case once, and writes the answer. One file for each resource; router.go has
// the table of all routes.
//
// Each file declares, as a small interface, what it needs of a use case, so that
// this package does not know how anything is done.
package handlers
