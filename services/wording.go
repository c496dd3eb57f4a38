package services

import (
	"fmt"
	"math"

	"golang.org/x/text/currency"
)

// money writes an amount of the smallest unit as people do: 24.99 USD, 100 JPY.
func money(amount int64, code string) string {
	unit, err := currency.ParseISO(code)
	if err != nil {
		return fmt.Sprintf("%d %s", amount, code)
	}
	digits, _ := currency.Standard.Rounding(unit)
	if digits == 0 {
		return fmt.Sprintf("%d %s", amount, code)
	}
	whole := int64(math.Pow10(digits))
	return fmt.Sprintf("%d.%0*d %s", amount/whole, digits, amount%whole, code)
}

// plural writes a number and what it counts: 1 item, 2 items.
func plural(n int64, noun string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
