package receiver

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"petstore/callbacks"
	"petstore/callbacks/receiver/verdict"
	"petstore/callbacks/receiver/verdict/contract"
)

// Settings are what can be set of an inbox. The zero Settings are those of one that was made by a request.
type Settings struct {
	// Secret is what its requests are signed with. It is never shown.
	Secret string `json:"secret,omitempty"`
	// RefuseUnverified answers 401 "Invalid signature" to what the secret does not verify, before the query and the script have
	// a say. The article's routes do without being told.
	RefuseUnverified bool `json:"refuse_unverified,omitempty"`
	// Scheme is how, one of [verdict.Schemes]; "" is told by the headers.
	Scheme string `json:"scheme,omitempty"`
	// Contract announces what its requests are: the URL of an OpenAPI document, or one itself as a string or an object.
	Contract json.RawMessage `json:"contract,omitempty"`
	// Cause is the API call by which the sender was given the inbox's URL: its requests are then held against the callbacks
	// of that operation.
	Cause *contract.Exchange `json:"cause,omitempty"`
	// Script is what its requests meet: see [Step].
	Script []Step `json:"script,omitempty"`
	// ForwardTo is a URL that its requests are passed on to, with the path that follows /in/{inbox} and the query. What is
	// answered there is the answer.
	ForwardTo string `json:"forward_to,omitempty"`
}

// settingsInfo is settings as they are shown.
type settingsInfo struct {
	HasSecret   bool               `json:"has_secret"`
	Scheme      string             `json:"scheme"`
	HasContract bool               `json:"has_contract"`
	Cause       *contract.Exchange `json:"cause"`
	Script      []Step             `json:"script"`
	ForwardTo   string             `json:"forward_to"`
	Refuse      bool               `json:"refuse_unverified"`
}

// setup is settings, ready for use.
type setup struct {
	Settings
	inbox     string
	script    *script
	forwardTo *url.URL // nil for nowhere
	contract  *contract.Contract
	rules     *verdict.Rules
	history   *verdict.History
}

// firstSetup is that of an inbox of which nothing was set.
func (rc *Receiver) firstSetup(inbox string) *setup {
	var settings Settings
	if inbox == DefaultInbox {
		settings.Secret = rc.options.Secret
	}
	rules, _ := newRules(settings, nil) // A secret that was accepted at the start is good for detected schemes.
	return &setup{Settings: settings, inbox: inbox, script: newScript(nil), rules: rules, history: newHistory(inbox)}
}

// newSetup checks settings and makes them ready. What the old setup remembers is kept.
func (rc *Receiver) newSetup(ctx context.Context, old *setup, s Settings) (*setup, error) {
	made := &setup{Settings: s, inbox: old.inbox, script: newScript(slices.Clone(s.Script)), history: old.history, contract: old.contract}
	wrong := checkScript(s.Script)
	if s.ForwardTo != "" {
		var err error
		if made.forwardTo, err = rc.targets.parse(s.ForwardTo); err != nil {
			wrong = append(wrong, FieldError{"forward_to", err.Error()})
		}
	}
	if made.inbox == DefaultInbox {
		if s.Secret != "" && s.Secret != rc.options.Secret {
			wrong = append(wrong, FieldError{"secret", "is that with which the receiver was started; give another inbox one of its own"})
		}
		made.Secret = rc.options.Secret
	}
	if !bytes.Equal(s.Contract, old.Contract) {
		var err error
		if made.contract, err = rc.readContract(ctx, s.Contract); err != nil {
			wrong = append(wrong, FieldError{"contract", err.Error()})
		}
	}
	if s.RefuseUnverified && made.Secret == "" {
		wrong = append(wrong, FieldError{"refuse_unverified", "needs a secret: without, all would be refused"})
	}
	rules, unfit := newRules(made.Settings, made.contract)
	made.rules = rules
	if wrong = append(wrong, unfit...); wrong != nil {
		return nil, invalid(wrong...)
	}
	made.tellCause()
	return made, nil
}

func (s *setup) tellCause() {
	if s.Cause != nil {
		s.rules.Cause(*s.Cause, s.history)
	}
}

// restarted is the setup as it was before anything came.
func (s *setup) restarted() *setup {
	fresh := *s
	fresh.script, fresh.history = newScript(s.script.steps), newHistory(s.inbox)
	fresh.tellCause()
	return &fresh
}

func (s *setup) info() settingsInfo {
	return settingsInfo{
		HasSecret: s.Secret != "", Refuse: s.RefuseUnverified || s.inbox == DefaultInbox, Scheme: s.Scheme, HasContract: s.contract != nil, Cause: s.Cause,
		Script: append([]Step{}, s.Script...), ForwardTo: s.ForwardTo,
	}
}

// Configure sets an inbox, which is made if it is not there, and keeps what has come to it. The errors are meant for
// whoever made the settings.
func (rc *Receiver) Configure(name string, s Settings) error {
	rc.configuring.Lock()
	defer rc.configuring.Unlock()
	_, err := rc.configure(rc.ctx, name, s)
	return err
}

func (rc *Receiver) configure(ctx context.Context, name string, s Settings) (made bool, err error) {
	if !validInbox(name) {
		return false, errInboxName
	}
	old := rc.store.setupOf(name)
	if old == nil {
		old = rc.firstSetup(name)
	}
	setup, err := rc.newSetup(ctx, old, s)
	if err != nil {
		return false, err
	}
	return rc.store.configure(name, setup), nil
}

var errInboxName = invalid(FieldError{"inbox", "must be 1 to 100 letters, digits or any of . _ ~ -, and neither unmatched nor dots"})

// put answers PUT and PATCH: the latter starts from the settings that are there.
func (rc *Receiver) put(w http.ResponseWriter, r *http.Request) error {
	rc.configuring.Lock()
	defer rc.configuring.Unlock()
	name := r.PathValue("inbox")
	var settings Settings
	if r.Method == http.MethodPatch {
		old := rc.store.setupOf(name)
		if old == nil {
			return errNoInbox
		}
		settings = old.Settings
	}
	if err := decode(w, r, &settings); err != nil {
		return err
	}
	made, err := rc.configure(r.Context(), name, settings)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	info, _ := rc.store.info(name)
	return respond(w, status, rc.located(info, r))
}

// located is an inbox with its URL, as who asks reaches the receiver.
func (rc *Receiver) located(info inboxInfo, r *http.Request) inboxInfo {
	base := "http://" + r.Host
	switch info.Name {
	case UnmatchedInbox:
	case DefaultInbox:
		info.URL = base + callbacks.KindOrder.Path
	default:
		info.URL = base + "/in/" + info.Name
	}
	return info
}
