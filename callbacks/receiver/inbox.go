package receiver

import (
	"cmp"
	"container/list"
	"regexp"
	"slices"
	"time"
)

// Inboxes that are always there, and the name that stands for all.
const (
	// DefaultInbox has what came to the article's five routes.
	DefaultInbox = "default"
	// UnmatchedInbox has what came to no inbox and no route.
	UnmatchedInbox = "unmatched"

	allInboxes = "*"
)

// inbox is a place that requests come to. Its fields change under the store's lock only.
type inbox struct {
	name      string
	createdAt time.Time
	lastAt    time.Time // zero if nothing came
	setup     *setup    // never changed, but replaced

	requests       *list.List // of *kept, in the order of arrival
	bytes          int64
	total          int64 // requests that ever came
	dropped        int64 // those of them that were let go
	told           told
	droppedVersion int64 // the highest version among these
	ok, notOK      int64 // requests that are kept, by what their verdicts say
	serial         int64 // another one each time the inbox is cleared
	lastUse        int64
	inUses         *list.Element // where it stands among all inboxes, by use
	changed        chan struct{} // closed at the next change, nil while nobody waits
}

// count is where requests are counted of which all verdicts are good, or some are not.
func (in *inbox) count(ok bool) *int64 {
	if ok {
		return &in.ok
	}
	return &in.notOK
}

var inboxName = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,100}$`)

// validInbox reports whether requests can be sent to an inbox of that name.
func validInbox(name string) bool {
	return inboxName.MatchString(name) && name != UnmatchedInbox && name != "." && name != ".."
}

// open returns the inbox of that name, which is made if it is not there.
func (s *store) open(name string) *inbox {
	in := s.inboxes[name]
	if in == nil {
		s.cleared++
		in = &inbox{name: name, createdAt: time.Now(), setup: s.newSetup(name), requests: list.New(), serial: s.cleared}
		s.inboxes[name], in.inUses = in, s.uses.PushBack(in)
		s.evict()
	}
	s.use++
	in.lastUse = s.use
	s.uses.MoveToBack(in.inUses)
	return in
}

// evict removes the inbox that was used least recently, if there are too many.
func (s *store) evict() {
	if len(s.inboxes) <= s.limits.Inboxes {
		return
	}
	oldest := s.uses.Front()
	for isPermanent(oldest.Value.(*inbox).name) { // Two of them at most.
		oldest = oldest.Next()
	}
	in := oldest.Value.(*inbox)
	s.clear(in)
	s.delete(in)
	s.removed++
	s.notices.tellf("inbox %s is removed: there are %d, and it was used least recently", in.name, s.limits.Inboxes)
}

func (s *store) delete(in *inbox) {
	s.uses.Remove(in.inUses)
	delete(s.inboxes, in.name)
}

func isPermanent(name string) bool { return name == DefaultInbox || name == UnmatchedInbox }

// configure makes the inbox if it is not there, which it reports, and gives it another setup.
func (s *store) configure(name string, to *setup) (made bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	made = s.inboxes[name] == nil
	s.open(name).setup = to
	return made
}

// setupOf returns the setup of an inbox, nil if there is none of that name.
func (s *store) setupOf(name string) *setup {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.inboxes[name]; in != nil {
		return in.setup
	}
	return nil
}

// clear lets go of all that came to an inbox. What is still being answered is not listed any more.
func (s *store) clear(in *inbox) {
	for in.requests.Len() > 0 {
		s.forget(in.requests.Front().Value.(*kept))
	}
	s.cleared++
	in.serial = s.cleared
	in.total, in.dropped, in.told, in.lastAt = 0, 0, told{}, time.Time{}
	in.setup = in.setup.restarted()
	s.wake(in)
}

// empty clears an inbox, and reports whether there is one of that name.
func (s *store) empty(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.inboxes[name]
	if in != nil {
		s.clear(in)
	}
	return in != nil
}

// remove removes an inbox with its settings, and reports whether there was one. Those that are permanent are as new then.
func (s *store) remove(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.inboxes[name]
	if in == nil {
		return false
	}
	s.clear(in)
	if isPermanent(name) {
		in.setup = s.newSetup(name)
	} else {
		s.delete(in)
	}
	return true
}

// inboxInfo is an inbox as lists show it.
type inboxInfo struct {
	Name      string     `json:"name"`
	URL       string     `json:"url,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	LastAt    *time.Time `json:"last_at"` // null if nothing came
	Requests  int        `json:"requests"`
	Bytes     int64      `json:"bytes"`
	Total     int64      `json:"total"`
	Dropped   int64      `json:"dropped"`
	Verdicts  struct {
		OK    int64 `json:"ok"`
		NotOK int64 `json:"not_ok"`
	} `json:"verdicts"`
	settingsInfo

	lastUse int64
}

func (in *inbox) info() inboxInfo {
	info := inboxInfo{
		Name: in.name, CreatedAt: in.createdAt.UTC(), Requests: in.requests.Len(), Bytes: in.bytes,
		Total: in.total, Dropped: in.dropped, settingsInfo: in.setup.info(), lastUse: in.lastUse,
	}
	info.Verdicts.OK, info.Verdicts.NotOK = in.ok, in.notOK
	if !in.lastAt.IsZero() {
		info.LastAt = &in.lastAt
	}
	return info
}

// infos returns all inboxes, the one that was used last first, and how many were removed.
func (s *store) infos() (all []inboxInfo, removed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.inboxes {
		all = append(all, in.info())
	}
	slices.SortFunc(all, func(a, b inboxInfo) int { return cmp.Compare(b.lastUse, a.lastUse) })
	return all, s.removed
}

// info returns one inbox.
func (s *store) info(name string) (inboxInfo, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.inboxes[name]
	if in == nil {
		return inboxInfo{}, false
	}
	return in.info(), true
}
