package report

import (
	"math"
	"strconv"
	"strings"

	"petstore/services/money"
)

// Count writes a whole number as people read it: 1,234,567.
func Count(n int64) string { return group(strconv.FormatInt(n, 10)) }

// Plural writes a number and what it counts: 1 order, 2,000 orders.
func Plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Amount writes an amount of a currency's smallest unit as people read it:
// 1,234.50 USD.
func Amount(smallest, code string) string {
	return group(money.Major(smallest, code)) + " " + code
}

// Share is part of whole as a cell of kind Percent, "" of nothing.
func Share(part, whole int64) string {
	if whole == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(part)/float64(whole), 'f', 6, 64)
}

// Percentage writes part of whole as people read it: 12.5%. What is not quite
// all is never rounded up to 100.0%, nor what is something down to 0.0%.
func Percentage(part, whole int64) string {
	if whole == 0 {
		return "–"
	}
	return percent(float64(part) / float64(whole))
}

func percent(share float64) string {
	shown := math.Round(share*1000) / 10
	switch {
	case shown >= 100 && share < 1:
		shown = 99.9
	case shown <= 0 && share > 0:
		shown = 0.1
	}
	return strconv.FormatFloat(shown, 'f', 1, 64) + "%"
}

// Number writes a decimal as a cell: the shortest text that says the same.
func Number(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return ""
	}
	if math.Abs(x) >= 1e15 {
		return strconv.FormatFloat(x, 'g', -1, 64) // rather than hundreds of digits
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// group puts commas between the thousands of a plain decimal number.
func group(number string) string {
	whole, fraction, hasFraction := strings.Cut(number, ".")
	digits, negative := strings.CutPrefix(whole, "-")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if negative {
		digits = "-" + digits
	}
	if hasFraction {
		return digits + "." + fraction
	}
	return digits
}
