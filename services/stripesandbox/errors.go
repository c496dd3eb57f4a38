package stripesandbox

import (
	"fmt"
	"net/http"
	"strings"
)

// Error is what Stripe answers when it refuses something
// (https://docs.stripe.com/api/errors). The same object is in the
// last_payment_error of a PaymentIntent.
type Error struct {
	Charge        string  `json:"charge,omitempty"`
	Code          string  `json:"code,omitempty"`
	DeclineCode   string  `json:"decline_code,omitempty"`
	DocURL        string  `json:"doc_url,omitempty"`
	Message       string  `json:"message,omitempty"`
	Param         string  `json:"param,omitempty"`
	PaymentIntent *Intent `json:"payment_intent,omitempty"`
	Type          string  `json:"type"`

	status int
}

func (e *Error) Error() string { return e.Type + " " + e.Code + ": " + e.Message }

type errorBody struct {
	Error *Error `json:"error"`
}

// Types of errors.
const (
	typeCard           = "card_error"
	typeInvalidRequest = "invalid_request_error"
	typeIdempotency    = "idempotency_error"
)

func invalid(code, param, format string, args ...any) *Error {
	return &Error{status: http.StatusBadRequest, Type: typeInvalidRequest, Code: code, DocURL: docURL(code), Param: param, Message: fmt.Sprintf(format, args...)}
}

func missing(noun, param, id string) *Error {
	e := invalid("resource_missing", param, "No such %s: '%s'", noun, id)
	if param == "intent" { // it was named in the path
		e.status = http.StatusNotFound
	}
	return e
}

func unexpectedState(i *Intent, format string, args ...any) *Error {
	e := invalid("payment_intent_unexpected_state", "", format, args...)
	e.PaymentIntent = i
	return e
}

func keyReused(key string) *Error {
	return &Error{status: http.StatusBadRequest, Type: typeIdempotency, Message: "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '" + key + "' if you meant to execute a different request."}
}

func docURL(code string) string {
	if code == "" {
		return ""
	}
	return "https://docs.stripe.com/error-codes#" + strings.ReplaceAll(code, "_", "-")
}

// decline is why a card is not charged.
type decline struct{ code, declineCode, message string }

// methods are Stripe's test payment methods: nil for one that can be charged
// (https://docs.stripe.com/testing, "PaymentMethods").
var methods = map[string]*decline{
	"pm_card_visa":            nil,
	"pm_card_visa_debit":      nil,
	"pm_card_mastercard":      nil,
	"pm_card_amex":            nil,
	"pm_card_discover":        nil,
	"pm_card_diners":          nil,
	"pm_card_jcb":             nil,
	"pm_card_unionpay":        nil,
	methodNeedsAuthentication: nil,

	"pm_card_visa_chargeDeclined":                      {"card_declined", "generic_decline", "Your card was declined."},
	"pm_card_visa_chargeDeclinedInsufficientFunds":     {"card_declined", "insufficient_funds", "Your card has insufficient funds."},
	"pm_card_visa_chargeDeclinedLostCard":              {"card_declined", "lost_card", "Your card was declined."},
	"pm_card_visa_chargeDeclinedStolenCard":            {"card_declined", "stolen_card", "Your card was declined."},
	"pm_card_visa_chargeDeclinedVelocityLimitExceeded": {"card_declined", "card_velocity_exceeded", "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."},
	"pm_card_chargeDeclinedFraudulent":                 {"card_declined", "fraudulent", "Your card was declined."},
	"pm_card_chargeDeclinedExpiredCard":                {"expired_card", "", "Your card has expired."},
	"pm_card_chargeDeclinedIncorrectCvc":               {"incorrect_cvc", "", "Your card's security code is incorrect."},
	"pm_card_chargeDeclinedProcessingError":            {"processing_error", "", "An error occurred while processing your card. Try again in a little bit."},
}

// methodNeedsAuthentication is a card whose bank wants to see the customer
// (3-D Secure) at each payment.
const methodNeedsAuthentication = "pm_card_authenticationRequired"

var notHandled = decline{"authentication_required", "authentication_not_handled",
	"This payment required an authentication action to complete, but `error_on_requires_action` was set."}
