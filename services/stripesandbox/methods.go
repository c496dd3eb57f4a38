package stripesandbox

import (
	"maps"
	"slices"
	"strings"
)

// method is how a test payment method behaves; the zero value is charged.
type method struct {
	decline *decline
	// authenticate says that its bank wants to see the customer (3-D Secure).
	authenticate bool
	// refund is the status that its refunds get, "" for succeeded.
	refund string
}

// decline is why a card is not charged.
type decline struct{ code, declineCode, message string }

var (
	generic      = decline{"card_declined", "generic_decline", "Your card was declined."}
	insufficient = decline{"card_declined", "insufficient_funds", "Your card has insufficient funds."}
	fraudulent   = decline{"card_declined", "fraudulent", "Your card was declined."}
	notHandled   = decline{"authentication_required", "authentication_not_handled",
		"This payment required an authentication action to complete, but `error_on_requires_action` was set."}
)

// methods are Stripe's test payment methods (https://docs.stripe.com/testing, "PaymentMethods"). Those whose charge
// succeeds and is disputed or warned of afterwards succeed: what comes days later is not simulated. Nor are Radar's
// rules, but for what it blocks always.
var methods = func() map[string]method {
	all := map[string]method{}
	for name := range strings.FieldsSeq(charged) {
		all["pm_card_"+name] = method{}
	}
	for name := range strings.FieldsSeq(authenticated) {
		all["pm_card_"+name] = method{authenticate: true}
	}
	for name, why := range declined {
		all["pm_card_"+name] = method{decline: &why}
	}
	all["pm_card_pendingRefund"] = method{refund: "pending"}
	all["pm_card_refundFail"] = method{refund: "failed"}
	return all
}()

const (
	charged = `visa visa_debit mastercard mastercard_debit mastercard_prepaid amex discover diners jcb unionpay
		visa_cartesBancaires mastercard_cartesBancaires visa_debit_eftposAuCoBranded mastercard_debit_eftposAuCoBranded
		us ar br ca cl co cr ec mx pa pe py uy ae at be bg by ch cy cz de dk ee es fi fr gb gb_debit gi gr hr hu ie it li lt
		lu lv mt nl no pl pt ro sa se si sk au cn hk in jp my nz sg th_credit th_debit tw
		bypassPending bypassPendingInternational riskLevelElevated cvcCheckFail avsZipFail avsLine1Fail avsFail avsUnchecked
		createDispute createDisputeProductNotReceived createDisputeInquiry createIssuerFraudRecord createMultipleDisputes
		createCe3EligibleDispute threeDSecureOptional amex_threeDSecureNotSupported`
	authenticated = `authenticationRequired authenticationRequiredOnSetup authenticationRequiredSetupForOffSession
		authenticationRequiredChargeDeclinedInsufficientFunds threeDSecureRequired threeDSecure2Required
		threeDSecureRequiredChargeDeclined threeDSecureRequiredProcessingError`
)

var declined = map[string]decline{
	"chargeDeclined":                           generic,
	"visa_chargeDeclined":                      generic,
	"chargeCustomerFail":                       generic,
	"chargeDeclinedInsufficientFunds":          insufficient,
	"visa_chargeDeclinedInsufficientFunds":     insufficient,
	"visa_chargeDeclinedLostCard":              {"card_declined", "lost_card", "Your card was declined."},
	"visa_chargeDeclinedStolenCard":            {"card_declined", "stolen_card", "Your card was declined."},
	"visa_chargeDeclinedVelocityLimitExceeded": {"card_declined", "card_velocity_exceeded", "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."},
	"chargeDeclinedFraudulent":                 fraudulent,
	"radarBlock":                               fraudulent,
	"riskLevelHighest":                         fraudulent,
	"chargeDeclinedExpiredCard":                {"expired_card", "", "Your card has expired."},
	"chargeDeclinedIncorrectCvc":               {"incorrect_cvc", "", "Your card's security code is incorrect."},
	"chargeDeclinedProcessingError":            {"processing_error", "", "An error occurred while processing your card. Try again in a little bit."},
}

// Methods lists the test payment methods that the sandbox knows, sorted.
func Methods() []string { return slices.Sorted(maps.Keys(methods)) }
