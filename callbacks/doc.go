// Package callbacks is the callback protocol of the Pet Store API: what a callback says, how it is signed
// and verified, how it is received once, and how it is sent safely and again.
//
// The two halves meet here. A client that gives a callback_url imports this package to receive:
//
//	http.Handle("POST /callbacks/order-status", callbacks.Receive(secret,
//		func(ctx context.Context, u callbacks.Update) error {
//			log.Println(u.OrderID, u.Status, u.Progress)
//			return nil
//		}))
//
// [Receive] and [Middleware] bound the body, check its signature, and hand each callback_id on once. Anything that
// isn't HTTP middleware calls [Verify] itself. The server uses the same package to send: [Encode] writes an
// [Update], [Sender] signs and POSTs it, [Schedule] says when to try again, and [Guard] and [CheckURL] keep it from
// being turned against the network it stands in.
//
// # The promise to receivers
//
// Delivery is at least once. callback_id names the update, is the same at every attempt, and is what to
// deduplicate by. Any 2xx answer accepts a callback; 410 Gone ends the delivery, and disables a
// webhook; every other answer, a redirect included, is a failure and is tried again, after Retry-After where 429 or 503
// carries it.
//
// # Signatures
//
// Each delivery carries two signatures, and either proves the body. [Receive] wants the second, for its time; to take
// the first alone, see [VerifyEither]:
//
//   - X-Callback-Signature: sha256=<hex>, the HMAC-SHA256 of the body keyed with the secret's bytes. It is what the
//     article "What is a Callback in API Design?" verifies, and what GitHub made common.
//   - webhook-id, webhook-timestamp and webhook-signature: Standard Webhooks v1
//     (https://www.standardwebhooks.com), which also signs the id and the time and so bounds replay.
//
// Neither signs the URL: what binds a callback to its receiver is the secret, so give receivers that must not be
// taken for each other secrets of their own. A registered webhook has one.
//
// The article's handler signs JSON.stringify(req.body), not the bytes it was sent. So [Encode] writes JSON that
// ECMAScript would write again byte for byte.
package callbacks
