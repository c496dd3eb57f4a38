package money

import (
	"fmt"
	"strings"
)

// unit is how Stripe's unit of a currency differs from that of ISO 4217.
type unit struct {
	up, down int64 // an amount is multiplied by, and divided by
	step     int64 // what amounts at Stripe are multiples of
}

// units are those that differ (https://docs.stripe.com/currencies#special-cases). ISK and UGX have no decimals, and are
// charged as if they had two. MGA has none at Stripe, so that only whole ariary can be charged. Of three decimals the
// last is 0.
var units = map[string]unit{
	"ISK": {100, 1, 100}, "UGX": {100, 1, 100},
	"MGA": {1, 100, 1},
	"BHD": {1, 1, 10}, "JOD": {1, 1, 10}, "KWD": {1, 1, 10}, "OMR": {1, 1, 10}, "TND": {1, 1, 10},
}

func unitOf(code string) unit {
	if u, differs := units[strings.ToUpper(code)]; differs {
		return u
	}
	return unit{1, 1, 1}
}

// maxDigits is how many digits an amount may have at Stripe, where that is not eight
// (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).
var maxDigits = map[string]int{"IDR": 12, "COP": 10, "HUF": 10, "INR": 9}

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
func ChargeStep(code string) int64 { return unitOf(code).step }

// ToStripe turns an amount of a currency's smallest unit into Stripe's unit of it.
func ToStripe(amount int64, code string) int64 {
	u := unitOf(code)
	return amount * u.up / u.down
}

// CheckCharge returns what keeps an amount of a currency's smallest unit from being charged, nil for nothing. The
// error's text says what the amount must be, and is meant for the client.
func CheckCharge(amount int64, code string) error {
	u := unitOf(code)
	most, step := MaxCharge(code)*u.down/u.up, max(1, u.step*u.down/u.up)
	switch {
	case !Known(code):
		return fmt.Errorf("must be in a currency that people pay with, which %s is not", code)
	case amount < 1 || amount > most:
		return fmt.Errorf("must be between 1 and %d in %s", most, code)
	case amount%step != 0:
		return fmt.Errorf("must be a multiple of %d in %s", step, code)
	}
	return nil
}
