package stripeclient

import (
	"github.com/stripe/stripe-go/v85"

	"petstore/callbacks"
)

// Codes of payments and refunds that failed. Where Stripe has a code for it, it
// is Stripe's.
const (
	CodeCardDeclined           = "card_declined"
	CodeInsufficientFunds      = "insufficient_funds"
	CodeExpiredCard            = "expired_card"
	CodeIncorrectCVC           = "incorrect_cvc"
	CodeCardProcessing         = "processing_error"
	CodeAuthenticationRequired = "authentication_required"
	CodeAmountTooSmall         = "amount_too_small"
	CodeAmountTooLarge         = "amount_too_large"
	CodeInvalidPaymentMethod   = "invalid_payment_method"
	CodeAlreadyRefunded        = "already_refunded"
	CodeRefundFailed           = "refund_failed"
	CodeProviderRejected       = "provider_rejected"
	CodeProviderUnavailable    = "provider_unavailable"
)

// failureText says what each code means, to people. Stripe's own words are not
// passed on: they may name things that are nobody's business.
var failureText = map[string]string{
	CodeCardDeclined:           "The card was declined",
	CodeInsufficientFunds:      "The card was declined: it has insufficient funds",
	CodeExpiredCard:            "The card was declined: it has expired",
	CodeIncorrectCVC:           "The card was declined: its security code is wrong",
	CodeCardProcessing:         "The card could not be processed; it was not charged, and may be tried again",
	CodeAuthenticationRequired: "The card was declined: its bank wants the customer to authenticate",
	CodeAmountTooSmall:         "The amount is less than the provider charges",
	CodeAmountTooLarge:         "The amount is more than the provider charges",
	CodeInvalidPaymentMethod:   "The provider knows no such payment method",
	CodeAlreadyRefunded:        "The payment has been refunded already",
	CodeRefundFailed:           "The refund was made, and came back from the customer's bank",
	CodeProviderRejected:       "The provider refused the request",
	CodeProviderUnavailable:    "The provider cannot be reached",
}

// newError says why a payment or a refund failed, in words meant for the customer.
func newError(code string) *callbacks.Error {
	return &callbacks.Error{Code: code, Message: failureText[code]}
}

// declined is the failure for a card error. The decline code is the finer one;
// those that a customer must not be told (lost, stolen, fraudulent) are plain
// declines, as https://docs.stripe.com/declines/codes asks for.
func declined(e *stripe.Error) *callbacks.Error {
	if e == nil {
		return newError(CodeCardDeclined)
	}
	for _, code := range []string{string(e.DeclineCode), string(e.Code)} {
		switch code {
		case CodeInsufficientFunds, CodeExpiredCard, CodeIncorrectCVC, CodeCardProcessing, CodeAuthenticationRequired:
			return newError(code)
		}
	}
	return newError(CodeCardDeclined)
}

// rejected is the failure for a request that Stripe does not accept.
func rejected(e *stripe.Error) *callbacks.Error {
	switch {
	case e.Code == stripe.ErrorCodeAmountTooSmall:
		return newError(CodeAmountTooSmall)
	case e.Code == stripe.ErrorCodeAmountTooLarge:
		return newError(CodeAmountTooLarge)
	case e.Code == stripe.ErrorCodeChargeAlreadyRefunded:
		return newError(CodeAlreadyRefunded)
	case e.Param == "payment_method":
		return newError(CodeInvalidPaymentMethod)
	}
	return newError(CodeProviderRejected)
}
