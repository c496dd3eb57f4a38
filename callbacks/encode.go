package callbacks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
)

// maxDepth bounds nesting. JSON.stringify of common engines overflows its stack at a few thousand levels.
const maxDepth = 1000

var (
	// ErrDepth is returned by [Encode] for JSON nested more than 1,000 levels deep.
	ErrDepth = errors.New("callbacks: JSON is nested too deeply")
	// ErrJSON is returned by [Encode] for a [json.RawMessage] that isn't JSON.
	ErrJSON = errors.New("callbacks: not valid JSON")
)

// Encode returns the JSON of v as ECMAScript writes it, so that
//
//	JSON.stringify(JSON.parse(body)) === body
//
// holds for every body. A receiver that computes the signature from JSON.stringify(req.body), as the article's
// does, then gets the bytes that were signed. In detail, and by ECMA-262 (SerializeJSONProperty, QuoteJSONString,
// Number::toString, OrdinaryOwnPropertyKeys):
//
//   - Strings escape only what they must: no <, no U+2028; lone surrogates as \udxxx. Invalid UTF-8 becomes U+FFFD.
//   - Members named by an array index ("0" to "4294967294") come first, ascending; then the rest in their order.
//     Of members with the same name, the last value stands in the first one's place.
//   - Numbers are IEEE 754 doubles: 1e21, 1e-7, 0 for -0; larger integers lose the digits that a double can't hold.
//     A number too large for a double is null.
//
// v is anything [json.Marshal] takes. Errors are those of json.Marshal, [ErrJSON] and [ErrDepth].
func Encode(v any) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer e.release()
	if err := e.any(v); err != nil {
		return nil, err
	}
	return bytes.Clone(e.out), nil
}

// encoder appends canonical JSON to out.
type encoder struct {
	out     []byte
	scratch []byte
	// members is a stack: the members written so far of every object still open, outermost first.
	members []member
	depth   int
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// release puts e back for reuse, unless one large value has made it a burden to keep.
func (e *encoder) release() {
	if cap(e.out) > 64<<10 || cap(e.members) > 1<<10 {
		return
	}
	*e = encoder{out: e.out[:0], scratch: e.scratch[:0], members: e.members[:0]}
	encoders.Put(e)
}

func (e *encoder) any(v any) error {
	switch v := v.(type) {
	case Update:
		return e.update(&v)
	case *Update:
		if v != nil {
			return e.update(v)
		}
	case json.RawMessage:
		return e.raw(v)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("callbacks: encode: %w", err)
	}
	return e.rewrite(data)
}

// raw writes JSON of unknown origin.
func (e *encoder) raw(data []byte) error {
	if !json.Valid(data) {
		return ErrJSON
	}
	return e.rewrite(data)
}

// rewrite writes valid JSON in canonical form.
func (e *encoder) rewrite(data []byte) error {
	p := parser{src: data}
	return e.value(&p)
}

// parser walks over JSON that is known to be valid.
type parser struct {
	src []byte
	pos int
}

// next skips white space and returns the byte after it.
func (p *parser) next() byte {
	for {
		switch c := p.src[p.pos]; c {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return c
		}
	}
}

// skip reports whether the next byte is c, and if so moves past it.
func (p *parser) skip(c byte) bool {
	if p.next() != c {
		return false
	}
	p.pos++
	return true
}

// stringLiteral returns what is between the quotes of the string that begins here.
func (p *parser) stringLiteral() []byte {
	p.pos++
	start := p.pos
	for p.src[p.pos] != '"' {
		if p.src[p.pos] == '\\' {
			p.pos++
		}
		p.pos++
	}
	p.pos++
	return p.src[start : p.pos-1]
}

// word returns the number, true, false or null that begins here.
func (p *parser) word() []byte {
	start := p.pos
	for p.pos < len(p.src) && strings.IndexByte(",]} \t\n\r", p.src[p.pos]) < 0 {
		p.pos++
	}
	return p.src[start:p.pos]
}

func (e *encoder) value(p *parser) error {
	switch c := p.next(); {
	case c == '{':
		return e.object(p)
	case c == '[':
		return e.array(p)
	case c == '"':
		e.literal(p.stringLiteral())
	case c == '-' || '0' <= c && c <= '9':
		return e.number(p.word())
	default:
		e.out = append(e.out, p.word()...)
	}
	return nil
}

// descend moves past the bracket that opens an array or an object.
func (e *encoder) descend(p *parser) error {
	if e.depth == maxDepth {
		return ErrDepth
	}
	e.depth++
	p.pos++
	return nil
}

func (e *encoder) array(p *parser) error {
	if err := e.descend(p); err != nil {
		return err
	}
	e.out = append(e.out, '[')
	for !p.skip(']') {
		if p.skip(',') {
			e.out = append(e.out, ',')
		}
		if err := e.value(p); err != nil {
			return err
		}
	}
	e.depth--
	e.out = append(e.out, ']')
	return nil
}

func (e *encoder) object(p *parser) error {
	if err := e.descend(p); err != nil {
		return err
	}
	object := e.openObject()
	for !p.skip('}') {
		p.skip(',')
		p.next()
		e.openMember(object)
		e.literal(p.stringLiteral())
		e.closeName()
		p.skip(':')
		if err := e.value(p); err != nil {
			return err
		}
		e.closeMember()
	}
	e.depth--
	e.closeObject(object)
	return nil
}

// number writes a JSON number as Number::toString(JSON.parse(text)) does.
func (e *encoder) number(text []byte) error {
	if isSmallInteger(text) {
		e.out = append(e.out, text...)
		return nil
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if errors.Is(err, strconv.ErrRange) && math.IsInf(f, 0) {
		e.out = append(e.out, "null"...) // JSON.parse makes it Infinity, which JSON.stringify writes as null.
		return nil
	}
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return ErrJSON
	}
	e.float(f)
	return nil
}

// isSmallInteger reports whether text is an integer that every engine writes as it stands.
func isSmallInteger(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) <= 15
}

func (e *encoder) integer(n int64) {
	const maxSafe = 1<<53 - 1
	if -maxSafe <= n && n <= maxSafe {
		e.out = strconv.AppendInt(e.out, n, 10)
		return
	}
	e.float(float64(n))
}

// float writes f by ECMA-262's Number::toString: plain digits from 1e-6 up to 1e21, an exponent beyond.
func (e *encoder) float(f float64) {
	if f == 0 {
		e.out = append(e.out, '0') // -0 has no sign in ECMAScript.
		return
	}
	if abs := math.Abs(f); 1e-6 <= abs && abs < 1e21 {
		e.out = strconv.AppendFloat(e.out, f, 'f', -1, 64)
		return
	}
	e.out = strconv.AppendFloat(e.out, f, 'e', -1, 64)
	// Go writes at least two digits of exponent (1e-07), ECMAScript as few as it can (1e-7).
	if n := len(e.out); e.out[n-3] == '-' && e.out[n-2] == '0' {
		e.out = append(e.out[:n-2], e.out[n-1])
	}
}
