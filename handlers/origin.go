package handlers

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"petstore/callbacks/origin"
	"petstore/models"
)

var (
	errHost = &models.Error{Code: codeMisdirected, Message: "This server is not known by the name that the Host header has. " +
		"It is by those in PUBLIC_URL and ALLOWED_HOSTS, by its address, and on this machine as localhost.",
		Fields: []models.FieldError{{Field: "Host", Message: "is not this server's"}}}
	errOrigin = &models.Error{Code: codeOriginForbidden, Message: "Pages of this origin may not use the API. Those that may are in ALLOWED_ORIGINS, beside the server's own.",
		Fields: []models.FieldError{{Field: "Origin", Message: "is not allowed"}}}
)

// exposedHeaders are those that pages of other origins may read.
const exposedHeaders = "Content-Disposition, ETag, Link, Location, Preference-Applied, Retry-After, X-Request-Id"

// admit refuses what is for another host than this, and what pages that may not use the API would write; it lets the others read
// the answers.
func admit(pages origin.Policy) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Writer.Header().Add("Vary", "Origin")
		reads := slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, c.Request.Method)
		switch {
		case !pages.Hosts.Allow(c.Request):
			fail(c, errHost)
		case pages.AllowPage(c.Request):
			origin.Share(c.Writer.Header(), c.Request, exposedHeaders)
		case !reads:
			fail(c, errOrigin)
		}
	}
}
