package money

import (
	"fmt"
	"slices"
	"strings"
)

// Stripe's units are those of ISO 4217, but for a few currencies (https://docs.stripe.com/currencies#special-cases).
// ISK and UGX have no decimals, and are charged as if they had two. MGA has none at Stripe, so that only whole
// ariary can be charged. Of three decimals the last is 0.
var (
	asIfTwoDecimals = []string{"ISK", "UGX"}
	wholeOnly       = []string{"MGA"}
	threeDecimals   = []string{"BHD", "JOD", "KWD", "OMR", "TND"}
)

// maxDigits is how many digits an amount may have at Stripe, where that is not eight
// (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).
var maxDigits = map[string]int{"IDR": 12, "COP": 10, "HUF": 10, "INR": 9}

// MaxAmount is the largest amount that can be charged in any currency, in its smallest unit.
const MaxAmount = 999_999_999_999

// MaxCharge is the largest amount that Stripe charges in a currency, in Stripe's unit of it.
func MaxCharge(code string) int64 {
	digits := 8
	if more, ok := maxDigits[strings.ToUpper(code)]; ok {
		digits = more
	}
	most := int64(1)
	for range digits {
		most *= 10
	}
	return most - 1
}

// ChargeStep is what amounts in a currency are multiples of, in Stripe's unit of it.
func ChargeStep(code string) int64 {
	switch code = strings.ToUpper(code); {
	case slices.Contains(asIfTwoDecimals, code):
		return 100
	case slices.Contains(threeDecimals, code):
		return 10
	}
	return 1
}

// ToStripe turns an amount of a currency's smallest unit into Stripe's unit of it.
func ToStripe(amount int64, code string) int64 {
	switch {
	case slices.Contains(asIfTwoDecimals, code):
		return amount * 100
	case slices.Contains(wholeOnly, code):
		return amount / 100
	}
	return amount
}

// CheckCharge returns what keeps an amount of a currency's smallest unit from being charged, nil for nothing. The
// error's text says what the amount must be, and is meant for the client.
func CheckCharge(amount int64, code string) error {
	most := MaxCharge(code) / max(1, ToStripe(1, code))
	if slices.Contains(wholeOnly, code) {
		most = MaxCharge(code) * 100
	}
	if amount < 1 || amount > most {
		return fmt.Errorf("must be between 1 and %d in %s", most, code)
	}
	step := ChargeStep(code)
	switch {
	case slices.Contains(wholeOnly, code):
		step = 100
	case slices.Contains(asIfTwoDecimals, code):
		step = 1
	}
	if amount%step != 0 {
		return fmt.Errorf("must be a multiple of %d in %s", step, code)
	}
	return nil
}
