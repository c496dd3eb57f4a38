// Package verdict judges captured callbacks and webhooks of any sender: whether the signature fits, the timestamp is
// fresh, the delivery is a duplicate, its task's updates come in order, and the request is one that an OpenAPI
// document announces.
//
// It looks at bytes and answers; it serves nothing, waits for nothing and keeps nothing but a [History] of bounded
// size.
package verdict

// Verdict is one finding about one request.
type Verdict struct {
	// Code is stable: programs compare it. See the constants.
	Code string `json:"code"`
	// Check is what was looked at: signature, timestamp, duplicate, order or schema.
	Check string `json:"check"`
	// OK is false if the sender broke a rule. What could not be checked is not held against it.
	OK bool `json:"ok"`
	// Text says it to people, in a sentence or two.
	Text string `json:"text"`
	// Source is the place in a specification that the verdict rests on: a URL, or for schema a pointer into the
	// contract.
	Source string `json:"source"`
	// Scheme is the signature scheme that a signature or a timestamp was judged by, "" for other checks.
	Scheme string `json:"scheme,omitempty"`
	// Earlier is the ID of the request that this one repeats, or should have preceded.
	Earlier string `json:"earlier,omitempty"`
	// Field is what does not fit the contract: a JSON Pointer (RFC 6901) into the body, or "header X-Name".
	Field string `json:"field,omitempty"`
}

// What [Verdict.Check] can be.
const (
	CheckSignature = "signature"
	CheckTimestamp = "timestamp"
	CheckDuplicate = "duplicate"
	CheckOrder     = "order"
	CheckSchema    = "schema"
)

// What [Verdict.Code] can be.
const (
	SignatureOK        = "signature_ok"
	SignatureMissing   = "signature_missing"
	SignatureMalformed = "signature_malformed"
	SignatureMismatch  = "signature_mismatch"
	// SignatureUnchecked: there is no secret to check it with, or not the whole body.
	SignatureUnchecked = "signature_unchecked"

	TimestampOK        = "timestamp_ok"
	TimestampMalformed = "timestamp_malformed"
	TimestampOld       = "timestamp_old"
	TimestampFuture    = "timestamp_future"

	IDNew = "id_new"
	// IDMissing: it is signed by a scheme whose deliveries have an id, and has none.
	IDMissing = "id_missing"
	// Duplicate has the id and the body of an earlier one. That is allowed: delivery is at least once.
	Duplicate = "duplicate"
	// DuplicateChanged has the id of an earlier one and another body, which a receiver that deduplicates never sees.
	DuplicateChanged = "duplicate_changed"

	OrderOK = "order_ok"
	// OrderLate came after an update of its task that has a higher sequence.
	OrderLate = "order_late"
	// OrderRepeated has the sequence of an earlier update of its task, and another id.
	OrderRepeated = "order_repeated"

	SchemaOK       = "schema_ok"
	SchemaMismatch = "schema_mismatch"
	// SchemaNoMatch: the contract announces nothing with this method and path.
	SchemaNoMatch = "schema_no_match"
	// SchemaUnchecked: the body is too long, or the contract's schema can't be used.
	SchemaUnchecked = "schema_unchecked"
)

// OK reports whether none of verdicts is against the sender.
func OK(verdicts []Verdict) bool {
	for _, v := range verdicts {
		if !v.OK {
			return false
		}
	}
	return true
}

// Genuine reports whether a signature was found to fit, and none that was checked, with its timestamp, is against the sender.
func Genuine(verdicts []Verdict) bool {
	fits := false
	for _, v := range verdicts {
		if !v.OK && (v.Check == CheckSignature || v.Check == CheckTimestamp) {
			return false
		}
		fits = fits || v.Code == SignatureOK
	}
	return fits
}
