package verdict

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"petstore/callbacks/receiver/verdict/contract"
)

// Options say what requests are judged by. The zero Options judge what needs no secret and no contract.
type Options struct {
	// Secret is what the sender signs with; for Standard Webhooks' v1a, the public key that belongs to it.
	Secret string
	// Scheme is one of [Schemes]; with "", it is told by the headers.
	Scheme string
	// Contract announces what the sender sends; nil is anything.
	Contract *contract.Contract
}

// What [NewRules] refuses, for those who named the option.
var (
	ErrScheme = errors.New("scheme must be one of " + strings.Join(Schemes(), ", "))
	ErrSecret = errors.New("the secret cannot be used with this scheme")
)

// Rules judge requests. They are safe for concurrent use.
type Rules struct {
	secret, scheme string
	contract       *contract.Contract
}

// NewRules returns the rules that o asks for. Its error is [ErrScheme], or [ErrSecret] with what is wrong with it.
func NewRules(o Options) (*Rules, error) {
	if o.Scheme != "" && !slices.Contains(Schemes(), o.Scheme) {
		return nil, ErrScheme
	}
	if err := checkSecret(o.Secret, o.Scheme); err != nil {
		return nil, fmt.Errorf("%w: it %w", ErrSecret, err)
	}
	return &Rules{secret: o.Secret, scheme: o.Scheme, contract: o.Contract}, nil
}

// checkSecret is strict where it is known what the secret is for.
func checkSecret(secret, scheme string) error {
	if strings.HasPrefix(secret, publicPrefix) {
		if scheme != "" && scheme != SchemeStandard {
			return errPublicKey
		}
		_, err := publicKey(secret)
		return err
	}
	if scheme == SchemeStandard && secret != "" {
		_, err := standardKey(secret)
		return err
	}
	return nil
}

// Judge returns the verdicts on r: on its signatures and their timestamps, whether it is a duplicate or out of order
// among what the history has, and whether it fits the contract. The history then has r, too.
//
// Requests that arrive together are judged in the order of the calls.
func (rules *Rules) Judge(r Request, h *History) []Verdict {
	all := rules.signatures(&r)
	genuine := OK(slices.DeleteFunc(slices.Clone(all), func(v Verdict) bool { return v.Check != CheckSignature }))
	all = append(all, h.arrive(&r, genuine)...)
	if rules.contract != nil {
		all = append(all, rules.schema(&r, h)...)
	}
	return all
}

// Cause tells of the API call that gave the sender its callback URL: requests to that URL are then held against the
// callbacks of that operation, and no others.
func (rules *Rules) Cause(e contract.Exchange, h *History) {
	if rules.contract != nil {
		h.expect(rules.contract.Resolve(e))
	}
}
