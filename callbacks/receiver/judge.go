package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"petstore/callbacks/receiver/verdict"
	"petstore/callbacks/receiver/verdict/contract"
)

// How many deliveries and tasks are remembered to judge later ones.
const (
	historyOfDefault = 10_000
	historyOfInbox   = 1000
)

func newHistory(inbox string) *verdict.History {
	if inbox == DefaultInbox {
		return verdict.NewHistory(historyOfDefault)
	}
	return verdict.NewHistory(historyOfInbox)
}

// judged is the request as package verdict knows it.
func (r *Request) judged() verdict.Request {
	return verdict.Request{
		Method: r.Method, URI: r.Target, Headers: r.Headers,
		Body: r.Body, Truncated: r.BodyError != "", At: r.ReceivedAt,
	}
}

// judge returns the verdicts on a request, an empty list if there is nothing to judge.
func (s *setup) judge(r verdict.Request) []verdict.Verdict {
	verdicts := s.rules.Judge(r, s.history)
	if verdicts == nil {
		return []verdict.Verdict{}
	}
	return verdicts
}

// newRules makes the rules that settings ask for. What is wrong with them is named by field.
func newRules(s Settings, announced *contract.Contract) (*verdict.Rules, []FieldError) {
	rules, err := verdict.NewRules(verdict.Options{Secret: s.Secret, Scheme: s.Scheme, Contract: announced})
	switch {
	case errors.Is(err, verdict.ErrScheme):
		return nil, []FieldError{{"scheme", "must be one of " + strings.Join(verdict.Schemes(), ", ")}}
	case err != nil:
		return nil, []FieldError{{"secret", err.Error()}}
	}
	return rules, nil
}

// readContract reads the contract of settings, which may have to be fetched; nil if there is none.
func (rc *Receiver) readContract(ctx context.Context, given json.RawMessage) (*contract.Contract, error) {
	document := []byte(given)
	var text string
	switch {
	case len(given) == 0 || string(given) == "null":
		return nil, nil
	case json.Unmarshal(given, &text) != nil: // an object
	case strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://"):
		var err error
		if document, err = rc.fetch(ctx, text); err != nil {
			return nil, err
		}
	default:
		document = []byte(text)
	}
	return contract.Read(document)
}

// fetch gets a document from where requests may be passed on to. The error is for the client.
func (rc *Receiver) fetch(ctx context.Context, raw string) ([]byte, error) {
	to, err := rc.targets.parse(raw)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	transport := &http.Transport{DialContext: rc.targets.dial, DisableKeepAlives: true, ResponseHeaderTimeout: exchangeTimeout}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return nil, errors.New("must be a valid URL")
	}
	response, err := transport.RoundTrip(request) // A client would follow redirects.
	if errors.Is(err, errTarget) {
		return nil, errors.New("must be on this machine, or where FORWARD_ALLOW lets it go")
	}
	if err != nil {
		return nil, errors.New("could not be fetched from its URL")
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("could not be fetched: its URL answers %d", response.StatusCode)
	}
	document, err := io.ReadAll(io.LimitReader(response.Body, maxDocument))
	if err != nil {
		return nil, errors.New("could not be fetched to its end")
	}
	return document, nil
}
