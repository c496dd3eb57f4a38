// Package stripesandbox speaks the part of Stripe's API that the Petstore uses,
// so that payments can be tried without an account: PaymentIntents (create,
// confirm, retrieve, cancel) and refunds, with Stripe's test payment methods,
// error bodies and idempotency keys. No money moves.
//
//	sandbox, err := stripesandbox.Open("sandbox.db", stripesandbox.Options{})
//	client := &http.Client{Transport: sandbox}
//
// What it has answered is in a file, as it would be at Stripe: a server that is
// killed and started again finds its payments as they were. Tests hold it
// against stripe-mock, which is made from Stripe's own description of the API.
//
// Sources: https://docs.stripe.com/api/payment_intents, /api/refunds,
// /api/errors, /api/idempotent_requests and https://docs.stripe.com/testing.
package stripesandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"petstore/callbacks/pause"
)

// Sandbox is the http.Handler that stands for https://api.stripe.com. It is
// also an http.RoundTripper, for a client in the same process.
type Sandbox struct {
	db     *bbolt.DB
	mux    *http.ServeMux
	delay  time.Duration
	remove bool // the file, at the end
}

// Options configure a [Sandbox].
type Options struct {
	// Delay is how long each answer takes. Stripe needs about half a second.
	Delay time.Duration
}

// Open opens the sandbox whose state is in the file at path, which is made when
// it is missing. Without a path the state ends with the sandbox.
func Open(path string, o Options) (*Sandbox, error) {
	s := &Sandbox{delay: o.Delay, mux: http.NewServeMux()}
	if path == "" {
		file, err := os.CreateTemp("", "stripe-sandbox-*.db")
		if err != nil {
			return nil, fmt.Errorf("making a file for the payment sandbox: %w", err)
		}
		path, s.remove = file.Name(), true
		if err := file.Close(); err != nil {
			return nil, fmt.Errorf("making a file for the payment sandbox: %w", err)
		}
	}
	var err error
	if s.db, err = openFile(path); err != nil {
		return nil, fmt.Errorf("opening the payment sandbox %s: %w", path, err)
	}
	s.mux.Handle("POST /v1/payment_intents", s.write(createIntent))
	s.mux.Handle("GET /v1/payment_intents/{id}", s.read(retrieveIntent))
	s.mux.Handle("POST /v1/payment_intents/{id}/confirm", s.write(confirmIntent))
	s.mux.Handle("POST /v1/payment_intents/{id}/cancel", s.write(cancelIntent))
	s.mux.Handle("POST /v1/refunds", s.write(createRefund))
	s.mux.Handle("/", http.HandlerFunc(unrecognized))
	return s, nil
}

// Close lets go of the file.
func (s *Sandbox) Close() error {
	path := s.db.Path()
	err := s.db.Close()
	if s.remove {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// Intents lists what has been asked for, for tests that count.
func (s *Sandbox) Intents() ([]Intent, error) { return all[Intent](s.db, bucketIntents) }

// Refunds lists what has been given back, for tests that count.
func (s *Sandbox) Refunds() ([]Refund, error) { return all[Refund](s.db, bucketRefunds) }

// ServeHTTP answers as Stripe does.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if pause.For(r.Context(), s.delay) != nil {
		return
	}
	if key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !ok || !strings.HasPrefix(key, "sk_test_") {
		answerError(w, &Error{status: http.StatusUnauthorized, Type: typeInvalidRequest, Message: "Invalid API Key provided: the sandbox takes any that begins with sk_test_."})
		return
	}
	s.mux.ServeHTTP(w, r)
}

// call is one request that is being answered, in one transaction.
type call struct {
	tx   *bbolt.Tx
	id   string // of the object in the path
	form *form
}

// read makes a handler of a function that changes nothing.
func (s *Sandbox) read(fn func(*call) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var out answer
		err := s.db.View(func(tx *bbolt.Tx) (err error) {
			out, err = run(fn, &call{tx: tx, id: r.PathValue("id"), form: newForm(nil)})
			return err
		})
		out.send(w, err)
	})
}

// write makes a handler of a function that changes something, and runs it once
// for each idempotency key.
func (s *Sandbox) write(fn func(*call) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		if err := r.ParseForm(); err != nil {
			answerError(w, invalid("", "", "The request's body could not be read as a form."))
			return
		}
		request := r.URL.Path + "?" + r.PostForm.Encode()
		var out answer
		err := s.db.Update(func(tx *bbolt.Tx) error {
			return once(tx, r.Header.Get("Idempotency-Key"), request, &out, func() (answer, error) {
				return run(fn, &call{tx: tx, id: r.PathValue("id"), form: newForm(r.PostForm)})
			})
		})
		out.send(w, err)
	})
}

// answer is what goes out, and what is kept for an idempotency key.
type answer struct {
	Request  string          `json:"request"` // path and form
	Status   int             `json:"status"`
	Body     json.RawMessage `json:"body"`
	replayed bool
}

// run calls fn. What Stripe calls an error is an answer too; the error returned
// is the sandbox's own.
func run(fn func(*call) (any, error), c *call) (answer, error) {
	result, err := fn(c)
	status := http.StatusOK
	if refused, ok := errors.AsType[*Error](err); ok {
		status, result, err = refused.status, errorBody{refused}, nil
	}
	if err != nil {
		return answer{}, err
	}
	body, err := json.MarshalIndent(result, "", "  ")
	return answer{Status: status, Body: body}, err
}

// once answers a request that has been answered before with the same words. Like
// Stripe it remembers declines, and forgets requests that it never began on.
func once(tx *bbolt.Tx, key, request string, out *answer, answerNow func() (answer, error)) error {
	if key == "" {
		var err error
		*out, err = answerNow()
		return err
	}
	found, ok, err := get[answer](tx, bucketKeys, key)
	if err != nil {
		return err
	}
	if ok {
		*out, out.replayed = found, true
		if found.Request != request {
			*out, err = run(func(*call) (any, error) { return nil, keyReused(key) }, nil)
		}
		return err
	}
	if *out, err = answerNow(); err != nil || out.Status >= 400 && out.Status != http.StatusPaymentRequired {
		return err
	}
	out.Request = request
	return put(tx, bucketKeys, key, out)
}

func (a answer) send(w http.ResponseWriter, err error) {
	if err != nil {
		slog.Error("The payment sandbox could not use its file.", "err", err)
		answerError(w, &Error{status: http.StatusInternalServerError, Type: "api_error", Message: "Something went wrong in the sandbox."})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", newID("req_"))
	if a.replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // nobody is there to be told
}

func answerError(w http.ResponseWriter, e *Error) {
	out, err := run(func(*call) (any, error) { return nil, e }, nil)
	out.send(w, err)
}

func unrecognized(w http.ResponseWriter, r *http.Request) {
	answerError(w, &Error{status: http.StatusNotFound, Type: typeInvalidRequest, Message: fmt.Sprintf("Unrecognized request URL (%s: %s).", r.Method, r.URL.Path)})
}
