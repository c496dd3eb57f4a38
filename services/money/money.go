// Package money knows how amounts of currencies are written, and what a card can be charged in them.
package money

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-playground/validator/v10"
)

// decimals are those of the currencies that have another number of them than two (ISO 4217, table A.1, "minor unit").
// CLDR's, which golang.org/x/text has, are how prices are shown, and not the same.
var decimals = of(map[int]string{
	0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
	3: "BHD IQD JOD KWD LYD OMR TND",
	4: "CLF UYW",
})

func of(codes map[int]string) map[string]int {
	byCode := map[string]int{}
	for n, list := range codes {
		for code := range strings.FieldsSeq(list) {
			byCode[code] = n
		}
	}
	return byCode
}

// Decimals is how many decimals a currency has: 2 for USD, none for JPY; 2 for one that is not known.
func Decimals(code string) int {
	if n, other := decimals[code]; other {
		return n
	}
	return 2
}

var validate = validator.New()

const noTender = "XXX XTS XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XUA"

// Known reports whether code is a currency of ISO 4217 that people pay with, such as USD: the list that requests are
// held to, without the codes for none, for tests, and for metals and funds.
func Known(code string) bool {
	return validate.Var(code, "iso4217") == nil && !slices.Contains(strings.Fields(noTender), code)
}

// Format writes an amount of a currency's smallest unit as people do: 24.99 USD, 100 JPY.
func Format(amount int64, code string) string {
	return Major(strconv.FormatInt(amount, 10), code) + " " + code
}

// Major turns an amount of a currency's smallest unit into its main unit: 1234 in USD is 12.34, in JPY it is 1234.
// It works on the digits, so that no cent is lost whatever the size; "" stays "".
func Major(smallest, code string) string {
	n := Decimals(code)
	if n == 0 || smallest == "" {
		return smallest
	}
	digits, negative := strings.CutPrefix(smallest, "-")
	if missing := n + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - n
	digits = digits[:point] + "." + digits[point:]
	if negative {
		return "-" + digits
	}
	return digits
}
