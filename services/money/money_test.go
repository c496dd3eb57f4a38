package money

import "testing"

// TestDecimals is faults 22 and 23: decimals are those of ISO 4217, for currencies that are new, too.
func TestDecimals(t *testing.T) {
	for code, want := range map[string]string{
		"USD": "1234.56 USD", "RSD": "1234.56 RSD", "IDR": "1234.56 IDR", "COP": "1234.56 COP", "PKR": "1234.56 PKR",
		"XCG": "1234.56 XCG", "SLE": "1234.56 SLE", "VED": "1234.56 VED", "MGA": "1234.56 MGA", "HUF": "1234.56 HUF",
		"JPY": "123456 JPY", "ISK": "123456 ISK", "UGX": "123456 UGX", "KWD": "123.456 KWD", "IQD": "123.456 IQD", "CLF": "12.3456 CLF",
	} {
		if got := Format(123456, code); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for amount, want := range map[int64]string{0: "0.00 USD", 5: "0.05 USD", -5: "-0.05 USD", -1234: "-12.34 USD"} {
		if got := Format(amount, "USD"); got != want {
			t.Errorf("%d: got %s, want %s", amount, got, want)
		}
	}
	if Known("XXY") || !Known("EUR") || Known("eur") {
		t.Error("not the currencies of ISO 4217 are known")
	}
}

// TestCharge is faults 24 and 25: Stripe's units and limits are not those of ISO 4217.
func TestCharge(t *testing.T) {
	for _, test := range []struct {
		amount int64
		code   string
		stripe int64
		refuse string
	}{
		{100, "USD", 100, ""},
		{99_999_999, "USD", 99_999_999, ""},
		{100_000_000, "USD", 100_000_000, "must be between 1 and 99999999 in USD"},
		{0, "USD", 0, "must be between 1 and 99999999 in USD"},
		{500, "JPY", 500, ""},
		{500, "ISK", 50_000, ""},
		{5000, "UGX", 500_000, ""},
		{1_000_000, "UGX", 100_000_000, "must be between 1 and 999999 in UGX"},
		{50_000, "MGA", 500, ""},
		{50_050, "MGA", 500, "must be a multiple of 100 in MGA"},
		{5120, "KWD", 5120, ""},
		{5124, "KWD", 5124, "must be a multiple of 10 in KWD"},
		{250_000_000, "IDR", 250_000_000, ""},
		// Another instance of security 17: of gold, for tests, and none.
		{100, "XAU", 100, "must be in a currency that people pay with, which XAU is not"},
		{100, "XTS", 100, "must be in a currency that people pay with, which XTS is not"},
		{100, "XXX", 100, "must be in a currency that people pay with, which XXX is not"},
		{999_999_999_999, "IDR", 999_999_999_999, ""},
		{9_999_999_999, "HUF", 9_999_999_999, ""},
		{999_999_999, "INR", 999_999_999, ""},
	} {
		if got := ToStripe(test.amount, test.code); got != test.stripe {
			t.Errorf("%d %s is %d, want %d", test.amount, test.code, got, test.stripe)
		}
		refused := ""
		if err := CheckCharge(test.amount, test.code); err != nil {
			refused = err.Error()
		}
		if refused != test.refuse {
			t.Errorf("%d %s: %q, want %q", test.amount, test.code, refused, test.refuse)
		}
	}
	if ChargeStep("isk") != 100 || ChargeStep("kwd") != 10 || ChargeStep("usd") != 1 {
		t.Error("Stripe's steps")
	}
}
