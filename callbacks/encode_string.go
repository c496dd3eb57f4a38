package callbacks

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// string writes s quoted.
func (e *encoder) string(s string) {
	e.out = append(e.out, '"')
	for i := 0; i < len(s); {
		if run := plainRun(s[i:]); run > 0 {
			e.out = append(e.out, s[i:i+run]...)
			i += run
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		e.rune(r)
		i += size
	}
	e.out = append(e.out, '"')
}

// literal writes a JSON string anew; lit is what was between its quotes.
func (e *encoder) literal(lit []byte) {
	e.out = append(e.out, '"')
	for i := 0; i < len(lit); {
		if run := plainRun(lit[i:]); run > 0 {
			e.out = append(e.out, lit[i:i+run]...)
			i += run
			continue
		}
		if lit[i] == '\\' {
			i += e.escape(lit[i:])
			continue
		}
		r, size := utf8.DecodeRune(lit[i:])
		e.rune(r)
		i += size
	}
	e.out = append(e.out, '"')
}

// plainRun returns how many bytes at the start of s are ASCII that stands for itself in a JSON string.
func plainRun[S string | []byte](s S) int {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return i
		}
	}
	return len(s)
}

// escape writes the character that the escape sequence at the start of lit means, and returns its length.
func (e *encoder) escape(lit []byte) int {
	switch lit[1] {
	case '/':
		e.out = append(e.out, '/')
		return 2
	case 'u':
		return e.unicodeEscape(lit)
	}
	e.out = append(e.out, lit[:2]...) // \" \\ \b \f \n \r \t
	return 2
}

func (e *encoder) unicodeEscape(lit []byte) int {
	r := hex4(lit[2:])
	if !utf16.IsSurrogate(r) {
		e.rune(r)
		return 6
	}
	if len(lit) >= 12 && lit[6] == '\\' && lit[7] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(lit[8:])); pair != utf8.RuneError {
			e.rune(pair)
			return 12
		}
	}
	e.escapeUnit(r) // A lone surrogate has no UTF-8; JSON.stringify escapes it.
	return 6
}

// hex4 reads four hexadecimal digits, which valid JSON has after \u.
func hex4(digits []byte) rune {
	n, _ := strconv.ParseUint(string(digits[:4]), 16, 16)
	return rune(n)
}

// rune writes one character as QuoteJSONString does (ECMA-262, 25.5.2.3).
func (e *encoder) rune(r rune) {
	switch {
	case r == '"' || r == '\\':
		e.out = append(e.out, '\\', byte(r))
	case r == '\b':
		e.out = append(e.out, '\\', 'b')
	case r == '\f':
		e.out = append(e.out, '\\', 'f')
	case r == '\n':
		e.out = append(e.out, '\\', 'n')
	case r == '\r':
		e.out = append(e.out, '\\', 'r')
	case r == '\t':
		e.out = append(e.out, '\\', 't')
	case r < ' ':
		e.escapeUnit(r)
	default:
		e.out = utf8.AppendRune(e.out, r)
	}
}

// escapeUnit writes a UTF-16 code unit as \uxxxx, in lower case.
func (e *encoder) escapeUnit(r rune) {
	e.out = append(e.out, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
