package handlers

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"petstore/models"
)

// versioned is a resource that has a version, which its ETag is then.
type versioned interface{ version() int64 }

// etag is the ETag of a resource as the API shows it (RFC 9110, section 8.8.3): its version, or what its JSON
// amounts to.
func etag(v any, body []byte) string {
	if v, ok := v.(versioned); ok {
		return strconv.Quote(strconv.FormatInt(v.version(), 10))
	}
	hash := sha256.Sum256(body)
	return fmt.Sprintf(`"%x"`, hash[:8])
}

// tagger finds the ETag that a resource has now.
type tagger func(ctx context.Context, id string) (string, error)

// tagOf makes a tagger of what finds a resource and what shows it.
func tagOf[M, V any](get func(context.Context, string) (M, error), show func(M) V) tagger {
	return func(ctx context.Context, id string) (string, error) {
		found, err := get(ctx, id)
		if err != nil {
			return "", err
		}
		shown := show(found)
		body, err := encode(shown)
		return etag(&shown, body), err
	}
}

// guard has a handler called only if the request's preconditions hold for the resource that the path names. Between
// this look and the handler's work the resource may change; a product's version is looked at again by who changes it.
func guard(param string, tag tagger, h handler) handler {
	return func(c *gin.Context) error {
		if !conditional(c) {
			return h(c)
		}
		id, err := validID(c, param)
		if err != nil {
			return err
		}
		current, err := tag(c.Request.Context(), id)
		if err != nil {
			return err
		}
		if _, err := precondition(c, current); err != nil {
			return err
		}
		c.Set(matchedTag, current)
		return h(c)
	}
}

const matchedTag = "tag"

// matchedVersion is the version that a request's preconditions held for, 0 if it has none.
func matchedVersion(c *gin.Context) int64 {
	version, _ := strconv.ParseInt(strings.Trim(c.GetString(matchedTag), `"`), 10, 64)
	return version
}

func conditional(c *gin.Context) bool {
	return c.GetHeader("If-Match") != "" || c.GetHeader("If-None-Match") != ""
}

// precondition holds a request against the current ETag, in the order of RFC 9110, section 13.2.2. A client that reads
// and has just that already is told so; anything else that does not hold is an error.
func precondition(c *gin.Context, current string) (notModified bool, err error) {
	if wanted := tags(c, "If-Match"); wanted != nil && !slices.Contains(wanted, "*") && !slices.Contains(wanted, current) {
		return false, failedPrecondition("If-Match", "is not the ETag that the resource has now")
	}
	for _, known := range tags(c, "If-None-Match") {
		if known != "*" && strings.TrimPrefix(known, "W/") != current {
			continue
		}
		if c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead {
			return true, nil
		}
		return false, failedPrecondition("If-None-Match", "is the ETag that the resource has now")
	}
	return false, nil
}

func failedPrecondition(header, message string) error {
	return &models.Error{Code: models.CodePrecondition, Message: header + " does not hold: send the ETag that a GET answered.",
		Fields: []models.FieldError{{Field: header, Message: message}}}
}

// An ETag may have commas in it (RFC 9110, section 8.8.3). What is no ETag matches nothing.
var entityTag = regexp.MustCompile(`(?:W/)?"[^"]*"|[^\s,]+`)

// tags lists the ETags in a header, which may be a list, and come more than once (section 5.3); nil if it isn't there.
func tags(c *gin.Context, header string) []string {
	return entityTag.FindAllString(strings.Join(c.Request.Header.Values(header), ","), -1)
}
