package handlers

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"petstore/models"
)

// query reads the parameters of a request and collects what is wrong with them.
type query struct {
	values url.Values
	known  []string
	wrong  models.FieldErrors
}

func newQuery(c *gin.Context) *query {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.wrong.Addf("query", "is not properly encoded")
	}
	return q
}

// text reads a parameter of at most limit characters, "" if it isn't there.
func (q *query) text(name string, limit int) string {
	q.known = append(q.known, name)
	values := q.values[name]
	if len(values) == 0 {
		return ""
	}
	value := values[0]
	switch {
	case len(values) > 1:
		q.wrong.Addf(name, "must be given once")
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		q.wrong.Addf(name, "must be UTF-8 without NUL")
	case value == "":
		q.wrong.Addf(name, "must not be empty")
	case utf8.RuneCountInString(value) > limit:
		q.wrong.Addf(name, "must be at most %d characters long", limit)
	default:
		return value
	}
	return ""
}

// ignore lets parameters pass that mean nothing here.
func (q *query) ignore(names ...string) {
	for _, name := range names {
		delete(q.values, name)
	}
}

// oneOf reads a parameter that has few values.
func (q *query) oneOf(name string, values ...string) string {
	value := q.text(name, 50)
	if value != "" && !slices.Contains(values, value) {
		q.wrong.Addf(name, "must be one of %s", strings.Join(values, ", "))
	}
	return value
}

// number reads a whole number from low to high, nil if it isn't there.
func (q *query) number(name string, low, high int64) *int64 {
	value := q.text(name, 20)
	if value == "" {
		return nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < low || n > high {
		q.wrong.Addf(name, "must be a whole number from %d to %d", low, high)
		return nil
	}
	return &n
}

// flag reads true or false, nil if it isn't there.
func (q *query) flag(name string) *bool {
	value := q.oneOf(name, "true", "false")
	if value == "" {
		return nil
	}
	yes := value == "true"
	return &yes
}

// seconds reads a time to wait: 10, 10s or 1m30s, up to limit.
func (q *query) seconds(name string, limit time.Duration) time.Duration {
	value := q.text(name, 20)
	if value == "" {
		return 0
	}
	if _, err := strconv.ParseUint(value, 10, 32); err == nil {
		value += "s"
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > limit {
		q.wrong.Addf(name, "must be a time from 0 to %d seconds", int(limit.Seconds()))
		return 0
	}
	return d
}

// page reads limit and cursor.
func (q *query) page() models.Page { return q.pageOf(models.DefaultLimit, models.MaxLimit) }

// pageOf is page with limits of its own.
func (q *query) pageOf(byDefault int, most int64) models.Page {
	page := models.Page{Limit: byDefault, Cursor: q.text("cursor", 200)}
	if limit := q.number("limit", 1, most); limit != nil {
		page.Limit = int(*limit)
	}
	return page
}

// done reports what was wrong, parameters that nobody asked for included: a
// filter with a typo would otherwise select everything.
func (q *query) done() error {
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		if !slices.Contains(q.known, name) {
			q.wrong.Addf(printable(name), "is not a parameter of this request; it takes %s", strings.Join(q.known, ", "))
		}
	}
	return q.wrong.Err()
}

// noQuery checks that a request has no parameters.
func noQuery(c *gin.Context) error {
	if c.Request.URL.RawQuery == "" {
		return nil
	}
	q := newQuery(c)
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		q.wrong.Addf(printable(name), "is not a parameter: this request takes none")
	}
	q.values = nil
	return q.done()
}

// printable makes a name that a client made up fit for an answer.
func printable(name string) string {
	return cmp.Or(strings.ToValidUTF8(clip(name, 100), "\ufffd"), `""`)
}

// pathID reads an id from the path of a request that has no parameters.
func pathID(c *gin.Context, name string) (string, error) {
	id, err := validID(c, name)
	if err != nil {
		return "", err
	}
	return id, noQuery(c)
}

// validID reads an id from the path. One that cannot be an id names nothing.
func validID(c *gin.Context, name string) (string, error) {
	id := c.Param(name)
	if len(id) > 100 || !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
		return "", &models.Error{Code: models.CodeNotFound, Message: "There is nothing with such an id."}
	}
	return id, nil
}
