package handlers

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"petstore/models"
)

// origins decides which web pages may use the API from a browser. Programs that
// are no browsers send no Origin, and may always.
type origins struct {
	allowed []string // https://app.example.com, or * for any
	local   bool     // pages from this machine may, too: a frontend's development server
}

var errOrigin = &models.Error{Code: codeOriginForbidden, Message: "Pages of this origin may not use the API."}

// allow reports whether the page that a request comes from may use the API: by
// default only pages that this server itself has served.
func (o origins) allow(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(o.allowed, "*") || slices.Contains(o.allowed, origin) {
		return true
	}
	page, err := url.Parse(origin)
	if err != nil {
		return false
	}
	ip := net.ParseIP(page.Hostname())
	return strings.EqualFold(page.Host, r.Host) || o.local && (page.Hostname() == "localhost" || ip.IsLoopback())
}

// setCORSHeaders lets pages of other origins that are allowed read the answers
// (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol). Without these
// headers browsers keep the answers from other pages. But they send their
// requests all the same, if those look like a form's: hence what writes is
// refused.
func (o origins) setCORSHeaders(c *gin.Context) {
	header := c.Writer.Header()
	header.Add("Vary", "Origin")
	if c.GetHeader("Origin") == "" {
		return
	}
	if !o.allow(c.Request) {
		if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, c.Request.Method) {
			fail(c, errOrigin)
		}
		return
	}
	header.Set("Access-Control-Allow-Origin", c.GetHeader("Origin"))
	header.Set("Access-Control-Expose-Headers", "Content-Disposition, ETag, Link, Location, Preference-Applied, Retry-After, X-Request-Id")
	if c.Request.Method == http.MethodOptions {
		header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
		// A page that may use the API may send what its libraries add: traceparent, Authorization, …
		header.Set("Access-Control-Allow-Headers", c.GetHeader("Access-Control-Request-Headers"))
		header.Set("Access-Control-Max-Age", "600")
	}
}
