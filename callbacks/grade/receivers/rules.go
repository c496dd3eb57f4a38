package receivers

// Where the rules come from.
const (
	article         = "the article, "
	standard        = "Standard Webhooks, "
	verification    = standard + "Verifying webhook authenticity"
	signatureScheme = standard + "Signature scheme"
	metadata        = standard + "Webhook metadata"
	verifying       = standard + "Verifying signatures"
	timeouts        = standard + "Request timeouts"
)

// rules are all rules. The first is what the others build on.
var rules = []rule{
	{name: "accepts", says: "takes a signed callback", source: article + "Implementing Callback Handlers", check: checkAccepts},
	{name: "works-once", says: "does the work of a callback, once", source: article + "Implementing Callback Handlers", needsEffects: true, check: checkWork},
	{name: "progress", says: "takes progress", source: article + "Progress callback", check: checkProgress},
	{name: "failed", says: "takes the end of failed work", source: article + "Error callback", check: checkFailed},
	{name: "article-bodies", says: "takes the three bodies that the article prints", source: article + "Common Callback Patterns", check: checkArticleBodies},
	{name: "cancelled", says: "takes the end of cancelled work", source: "callbacks.StatusCancelled", check: checkCancelled},
	{name: "unknown-type", says: "takes types, statuses and members that it doesn't know", source: standard + "Payload structure", check: checkUnknown},
	{name: "encodings", says: "takes names and text in any script", source: "RFC 8259, 7", check: checkEncodings},
	{name: "raw-bytes", says: "verifies the bytes that came, not JSON made anew", source: signatureScheme, check: checkRawBytes},
	{name: "large", says: "takes the largest callback that Petstore sends", source: "the contract, Metadata", check: checkLarge},
	{name: "header-case", says: "takes header names in any case", source: "RFC 9110, 5.1", check: checkHeaderCase},
	{name: "rotation", says: "takes a second signature, while the secret is rotated", source: signatureScheme, check: checkRotation},

	{name: "unsigned", says: "refuses a callback without a signature", source: article + "Security Considerations", check: checkUnsigned},
	{name: "wrong-secret", says: "refuses one that is signed with another secret, or with none", source: article + "Security Considerations", check: checkWrongSecret},
	{name: "malformed", says: "refuses a signature that is cut off, bare or empty", source: verification, check: checkMalformed},
	{name: "tampered", says: "refuses a body that was changed on the way", source: article + "Security Considerations", check: checkTampered},
	{name: "old", says: "refuses one from ten minutes ago, or ahead", source: verifying, check: checkOld},
	{name: "stripped", says: "refuses an old one without its timestamp", source: verifying, check: checkStripped},

	{name: "duplicate", says: "accepts a callback that comes again", source: article + "Implement idempotency", check: checkDuplicate},
	{name: "duplicate-once", says: "does the work of a callback that comes again once", source: article + "Implement idempotency", needsEffects: true, check: checkDuplicateOnce},
	{name: "concurrent", says: "accepts a callback sixteen times at once, or has it come again", source: metadata, check: checkConcurrent},
	{name: "concurrent-once", says: "does the work of sixteen at the same time once", source: metadata, needsEffects: true, check: checkConcurrentOnce},
	{name: "late", says: "accepts news that comes after newer news", source: "callbacks.Update, Sequence", check: checkLate},
	{name: "late-ignored", says: "stays with the newer news", source: "callbacks.Update, Sequence", needsEffects: true, check: checkLateIgnored},

	{name: "not-json", says: "answers what is signed and no update without failing", source: "RFC 9110, 15.5.1", check: checkNotJSON},
	{name: "not-post", says: "accepts POST only", source: "RFC 9110, 15.5.6", check: checkMethods},
	{name: "huge", says: "reads no body of 64 MiB", source: "RFC 9110, 15.5.14", check: checkHuge},
	{name: "slow-uploads", says: "answers while 50 uploads stand still", source: "CWE-400", check: checkSlowUploads},
	{name: "burst", says: "takes 200 callbacks, 32 at a time, each within the time that senders wait", source: timeouts, check: checkBurst},
	{name: "no-leaks", says: "shows no stack trace and no secret in an answer", source: "CWE-209", check: checkLeaks},
}
