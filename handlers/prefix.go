package handlers

import (
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/gin-gonic/gin"

	"petstore/callbacks/origin"
)

// A reverse proxy can serve the API below a path, such as https://example.com/petstore/, which it takes
// away from requests. Answers then name paths as their client has to ask for them, by withPrefix. Updates
// do not: they are the same bytes for everybody, and their paths begin at the API.

// prefixHeader is how a proxy says below which path it serves the API. Any client can send it, which changes
// the answer to that client alone: hence Vary, lest a cache give it to others.
const prefixHeader = "X-Forwarded-Prefix"

const maxPrefix = 200 // bytes

// prefixPattern has no percent-encoding, so that a prefix can stand in headers, JSON and YAML as it is.
var prefixPattern = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9_~.-]*)*$`)

// ParsePrefix reads the path below which a server is reached, "" for none: of ASCII letters, digits and "-._~",
// in segments that do not begin with a dot. A slash at the end does not count.
func ParsePrefix(path string) (string, error) {
	prefix := strings.TrimSuffix(path, "/")
	if len(path) > maxPrefix || !prefixPattern.MatchString(prefix) {
		return "", errors.New("want a path such as /petstore")
	}
	return prefix, nil
}

// splitPublic takes apart PUBLIC_URL, which whoever configures the server has checked. The zero origin is nobody's.
func splitPublic(publicURL string) (public origin.Origin, prefix string) {
	u, err := url.Parse(publicURL)
	if err != nil || u.Host == "" {
		return public, ""
	}
	prefix, _ = ParsePrefix(u.EscapedPath())
	public, _ = origin.Parse(u.Scheme + "://" + u.Host)
	return public, prefix
}

// setPrefix replaces the header of a request by the prefix that holds for it: the one that it was sent with, if
// that is fit to be repeated, or else that of PUBLIC_URL.
func setPrefix(public string) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Writer.Header().Add("Vary", prefixHeader)
		prefix := public
		if given := c.Request.Header.Values(prefixHeader); len(given) == 1 {
			if parsed, err := ParsePrefix(given[0]); err == nil {
				prefix = parsed
			}
		}
		c.Request.Header.Set(prefixHeader, prefix)
	}
}

// prefixOf is the path below which the client of a request reaches the API.
func prefixOf(c *gin.Context) string { return c.GetHeader(prefixHeader) }

// withPrefix is a path of this server as the client of a request has to ask for it.
func withPrefix(c *gin.Context, path string) string { return prefixOf(c) + path }

// located is what the API shows, if it names paths of this server.
type located interface{ addPrefix(prefix string) }

// locate has what is shown name paths as the client has to ask for them, and reports whether it may have changed.
func locate(c *gin.Context, shown any) bool {
	prefix := prefixOf(c)
	l, ok := shown.(located)
	if !ok || prefix == "" {
		return false
	}
	l.addPrefix(prefix)
	return true
}

// resultPath finds strings in a result, which is compact JSON, that are paths of the API.
var resultPath = regexp.MustCompile(`([:,[]")/api/`)

func (t *taskTail) addPrefix(prefix string) {
	t.Result = resultPath.ReplaceAll(t.Result, []byte("${1}"+prefix+"/api/"))
}

func (i *image) addPrefix(prefix string) {
	i.taskTail.addPrefix(prefix)
	for n := range i.Variants {
		i.Variants[n].URL = prefix + i.Variants[n].URL
	}
}

func (p *product) addPrefix(prefix string) {
	if strings.HasPrefix(p.ImageURL, "/") { // and not on another server
		p.ImageURL = prefix + p.ImageURL
	}
}

// withoutPrefix is a path that a client of this request has read, as the server knows it.
func withoutPrefix(c *gin.Context, path string) string {
	if rest, found := strings.CutPrefix(path, prefixOf(c)); found && strings.HasPrefix(rest, "/") {
		return rest
	}
	return path
}
