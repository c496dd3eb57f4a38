package receiver

import (
	"net/http"
	"net/url"
	"slices"

	"petstore/callbacks"
)

// Settings are what can be set of an inbox. The zero Settings are those of one that was made by a request.
type Settings struct {
	// Secret is what its requests are signed with. It is never shown.
	Secret string `json:"secret,omitempty"`
	// Script is what its requests meet: see [Step].
	Script []Step `json:"script,omitempty"`
	// ForwardTo is a URL that its requests are passed on to, with the path that follows /in/{inbox} and the query. What is
	// answered there is the answer.
	ForwardTo string `json:"forward_to,omitempty"`
}

// settingsInfo is settings as they are shown.
type settingsInfo struct {
	HasSecret bool   `json:"has_secret"`
	Script    []Step `json:"script"`
	ForwardTo string `json:"forward_to"`
}

// setup is settings, ready for use.
type setup struct {
	Settings
	script    *script
	forwardTo *url.URL // nil for nowhere
}

// newSetup checks settings of an inbox and makes them ready.
func (rc *Receiver) newSetup(name string, s Settings) (*setup, error) {
	wrong := checkScript(s.Script)
	if name == DefaultInbox && s.Secret != "" && s.Secret != rc.options.Secret {
		wrong = append(wrong, FieldError{"secret", "is that with which the receiver was started; give another inbox one of its own"})
	}
	if err := callbacks.CheckSecret(s.Secret); s.Secret != "" && err != nil {
		wrong = append(wrong, FieldError{"secret", "must be base64 after whsec_"})
	}
	made := &setup{Settings: s, script: newScript(slices.Clone(s.Script))}
	if s.ForwardTo != "" {
		var err error
		if made.forwardTo, err = rc.targets.parse(s.ForwardTo); err != nil {
			wrong = append(wrong, FieldError{"forward_to", err.Error()})
		}
	}
	if wrong != nil {
		return nil, invalid(wrong...)
	}
	return made, nil
}

// restarted is the setup as it was before anything came.
func (s *setup) restarted() *setup {
	fresh := *s
	fresh.script = newScript(s.script.steps)
	return &fresh
}

func (s *setup) info() settingsInfo {
	return settingsInfo{HasSecret: s.Secret != "", Script: append([]Step{}, s.Script...), ForwardTo: s.ForwardTo}
}

// Configure sets an inbox, which is made if it is not there, and keeps what has come to it. The errors are meant for
// whoever made the settings.
func (rc *Receiver) Configure(name string, s Settings) error {
	rc.configuring.Lock()
	defer rc.configuring.Unlock()
	_, err := rc.configure(name, s)
	return err
}

func (rc *Receiver) configure(name string, s Settings) (made bool, err error) {
	if !validInbox(name) {
		return false, errInboxName
	}
	setup, err := rc.newSetup(name, s)
	if err != nil {
		return false, err
	}
	return rc.store.configure(name, setup), nil
}

var errInboxName = &problem{
	Status: http.StatusUnprocessableEntity, Code: codeInvalid, Detail: "This cannot be the name of an inbox.",
	Errors: []FieldError{{"inbox", "must be 1 to 100 letters, digits or any of . _ ~ -, and neither unmatched nor dots"}},
}

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
	made, err := rc.configure(name, settings)
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
