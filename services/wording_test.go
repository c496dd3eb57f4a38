package services

import "testing"

func TestMoney(t *testing.T) {
	for _, test := range []struct {
		amount int64
		code   string
		want   string
	}{{2499, "USD", "24.99 USD"}, {5, "EUR", "0.05 EUR"}, {100, "JPY", "100 JPY"}, {1234, "KWD", "1.234 KWD"}, {7, "???", "7 ???"}} {
		if got := money(test.amount, test.code); got != test.want {
			t.Errorf("money(%d, %s) is %q, want %q", test.amount, test.code, got, test.want)
		}
	}
}
