package dataset

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Types of columns. A column whose values are of several types is Mixed in
// JSON, which has types, and Text in CSV, which has none.
const (
	Integer = "integer"
	Number  = "number"
	Boolean = "boolean"
	Date    = "date" // 2026-01-31, or a time (RFC 3339)
	Text    = "text"
	Object  = "object"
	Array   = "array"
	Mixed   = "mixed"
	Empty   = "empty" // no value at all
)

// Column is what a column of the data holds.
type Column struct {
	Name     string
	Type     string
	Count    int64 // of values
	Missing  int64 // rows without a value
	Distinct int64 // different values
	// The lowest and highest value, as they stand in the data: by size for
	// numbers, by the alphabet for dates and text, "" for other types.
	Min, Max string
	// Mean and Sum are of numbers only.
	Mean, Sum float64
}

// Numeric reports whether the column has a mean.
func (c Column) Numeric() bool { return c.Type == Integer || c.Type == Number }

// Profile describes the columns, in the order in which they first appear. Before
// each batch of rows it calls step with how many rows are done; an error of step
// ends it.
func (d *Dataset) Profile(batch int64, step func(done int64) error) ([]Column, error) {
	p := profiler{format: d.Format, byName: map[string]int{}}
	var done int64
	for r, err := range d.each {
		if err != nil {
			return nil, err
		}
		if done%batch == 0 {
			if err := step(done); err != nil {
				return nil, err
			}
		}
		if err := p.add(r); err != nil {
			return nil, err
		}
		done++
	}
	columns := make([]Column, len(p.columns))
	for i, c := range p.columns {
		columns[i] = c.result(d.Format, d.Rows)
	}
	return columns, nil
}

type profiler struct {
	format  string
	columns []*column
	byName  map[string]int
}

func (p *profiler) add(r row) error {
	for _, cell := range r {
		at, known := p.byName[cell.name]
		if !known {
			if len(p.columns) == MaxColumns {
				return malformed("The data has more than %d columns.", MaxColumns)
			}
			at = len(p.columns)
			p.byName[cell.name] = at
			p.columns = append(p.columns, &column{name: cell.name, kinds: map[string]bool{}, seen: map[string]struct{}{}})
		}
		if cell.kind != "" {
			p.columns[at].add(cell.kind, cell.text)
		}
	}
	return nil
}

// column is a Column in the making. The values of one dataset are at most as
// large as the request that brought them, so they can be kept to count them.
type column struct {
	name            string
	kinds           map[string]bool
	seen            map[string]struct{}
	count           int64
	low, high       string // by the alphabet
	numbers         int64
	least, most     float64
	leastIs, mostIs string  // as they stand in the data
	sum, running    float64 // the running mean is less exact, and never too large for a number
}

func (c *column) add(kind, text string) {
	if c.count == 0 || text < c.low {
		c.low = text
	}
	if c.count == 0 || text > c.high {
		c.high = text
	}
	c.count++
	c.kinds[kind] = true
	c.seen[text] = struct{}{}
	if kind != Integer && kind != Number {
		return
	}
	x, _ := strconv.ParseFloat(text, 64) // numberKind has looked at it
	c.numbers++
	if c.numbers == 1 || x < c.least || x == c.least && larger(c.leastIs, text) {
		c.least, c.leastIs = x, text
	}
	if c.numbers == 1 || x > c.most || x == c.most && larger(text, c.mostIs) {
		c.most, c.mostIs = x, text
	}
	c.sum += x
	n := float64(c.numbers)
	c.running += x/n - c.running/n
}

// larger compares integers that are the same as doubles: beyond 2^53 these don't tell all of them apart.
func larger(a, b string) bool {
	x, isInteger := new(big.Int).SetString(a, 10)
	y, areIntegers := new(big.Int).SetString(b, 10)
	return isInteger && areIntegers && x.Cmp(y) > 0
}

func (c *column) result(format string, rows int64) Column {
	r := Column{Name: c.name, Type: c.kind(format), Count: c.count, Missing: rows - c.count, Distinct: int64(len(c.seen))}
	switch r.Type {
	case Integer, Number:
		r.Min, r.Max, r.Sum, r.Mean = c.leastIs, c.mostIs, c.sum, c.sum/float64(c.numbers)
		if math.IsInf(c.sum, 0) || math.IsNaN(c.sum) {
			r.Mean = c.running
		}
	case Text, Date:
		r.Min, r.Max = c.low, c.high
	}
	return r
}

func (c *column) kind(format string) string {
	switch {
	case len(c.kinds) == 0:
		return Empty
	case len(c.kinds) == 1:
		for kind := range c.kinds {
			return kind
		}
	case len(c.kinds) == 2 && c.kinds[Integer] && c.kinds[Number]:
		return Number
	case format == JSON:
		return Mixed
	}
	return Text
}

// A number does not begin with a zero and another digit: what does is a postcode,
// or a number of an article.
var (
	integerPattern = regexp.MustCompile(`^[+-]?(0|[1-9]\d*)$`)
	numberPattern  = regexp.MustCompile(`^[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?$`)
)

// classify tells of what type the text of a CSV field is, "" for an empty one.
func classify(field string) string {
	field = strings.TrimSpace(field)
	switch {
	case field == "":
		return ""
	case strings.EqualFold(field, "true"), strings.EqualFold(field, "false"):
		return Boolean
	case numberPattern.MatchString(field):
		return numberKind(field)
	case isDate(field):
		return Date
	}
	return Text
}

// numberKind tells whole numbers from others, and takes for text what is too
// large to count with.
func numberKind(text string) string {
	x, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsInf(x, 0):
		return Text
	case integerPattern.MatchString(text):
		return Integer
	}
	return Number
}

func isDate(text string) bool {
	if len(text) < len(time.DateOnly) || len(text) > len(time.RFC3339Nano) {
		return false
	}
	_, err := time.Parse(time.DateOnly, text)
	if err != nil {
		_, err = time.Parse(time.RFC3339, text)
	}
	return err == nil
}
