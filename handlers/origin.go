package handlers

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"petstore/models"
)

// Origin is where a web page comes from (RFC 6454), normalised: the scheme and the host in
// lower case, and the port.
type Origin struct{ scheme, host, port string }

// AnyOrigin is every origin.
var AnyOrigin = Origin{scheme: "*"}

// ParseOrigin reads an origin, or * for AnyOrigin.
func ParseOrigin(text string) (Origin, error) {
	if text == "*" {
		return AnyOrigin, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return Origin{}, errors.New("want an origin, such as https://app.example.com")
	}
	return Origin{u.Scheme, canonical(u.Hostname()), portOr(u.Port(), u.Scheme)}, nil
}

// portOr is a port, or the one that a scheme implies.
func portOr(port, scheme string) string {
	if port != "" {
		return port
	}
	return map[string]string{"http": "80", "https": "443"}[scheme]
}

// origins decides which web pages may use the API from a browser. Programs that
// are no browsers send no Origin, and may always.
type origins struct {
	own     Hosts
	public  Origin   // of this server, as browsers know it; the zero value where that is not known
	allowed []Origin // of other pages
	local   bool     // pages from this machine may, too: a frontend's development server
}

var errOrigin = &models.Error{Code: codeOriginForbidden, Message: "Pages of this origin may not use the API."}

// allow reports whether a request is for this server, and the page that it comes from may use
// the API: by default only pages that this server itself has served.
func (o origins) allow(r *http.Request) bool { return o.own.allow(r) && o.allowPage(r) }

func (o origins) allowPage(r *http.Request) bool {
	text := r.Header.Get("Origin")
	if text == "" || slices.Contains(o.allowed, AnyOrigin) {
		return true
	}
	page, err := ParseOrigin(text)
	if err != nil || page == AnyOrigin {
		return false
	}
	return page == o.public || slices.Contains(o.allowed, page) || page.serves(r.Host) || o.local && page.isLocal()
}

// serves reports whether a page is of the host that a request is for. A Host may leave out the
// port that the scheme implies, and a proxy may add it.
func (p Origin) serves(requestHost string) bool {
	asked := splitHost(requestHost)
	return p.host == asked.name && p.port == portOr(asked.port, p.scheme)
}

func (p Origin) isLocal() bool {
	ip, err := netip.ParseAddr(p.host)
	return p.host == "localhost" || err == nil && ip.IsLoopback()
}

// setCORSHeaders lets pages of other origins that are allowed read the answers
// (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol). Without these
// headers browsers keep the answers from other pages. But they send their
// requests all the same, if those look like a form's: hence what writes is
// refused. What is for another host than this is refused altogether.
func (o origins) setCORSHeaders(c *gin.Context) {
	header := c.Writer.Header()
	header.Add("Vary", "Origin")
	if !o.own.allow(c.Request) {
		fail(c, errHost)
		return
	}
	if c.GetHeader("Origin") == "" {
		return
	}
	if !o.allowPage(c.Request) {
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
