package projects

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// Kind says what sort of thing changed.
type Kind string

// The kinds of Change.
const (
	KindUsers    Kind = "users"
	KindProjects Kind = "projects"
	KindMembers  Kind = "members"
	KindTokens   Kind = "tokens"
	// Resync means that changes may have been lost: look at everything again.
	Resync Kind = "resync"
)

// Change is a hint that something was changed, by this process or another.
type Change struct {
	Kind    Kind
	Project string // of projects and members
	User    string // of users, members and tokens
	ID      string // the user, project, member or token
}

// changeOf reads a Change off the key that was written.
func changeOf(key string) (Change, bool) {
	kind, rest, _ := strings.Cut(key, "/")
	first, second, _ := strings.Cut(rest, "/")
	switch kind + "/" {
	case usersKeys:
		return Change{Kind: KindUsers, User: first, ID: first}, true
	case projectsKeys:
		return Change{Kind: KindProjects, Project: first, ID: first}, true
	case membersKeys:
		return Change{Kind: KindMembers, Project: first, User: second, ID: second}, true
	case userTokenKeys:
		return Change{Kind: KindTokens, User: first, ID: second}, true
	default:
		return Change{}, false
	}
}

// hub hands Changes to subscribers.
type hub struct {
	mu   sync.Mutex
	subs []subscriber // guarded by mu
}

// subscriber is one reader. Its last place is kept for a Resync, which covers all that comes until it is read.
type subscriber chan Change

// Changes yields what changes from now on, until ctx ends and the channel is closed. Somebody who reads too slowly gets a
// Resync in place of what was dropped.
func (s *Service) Changes(ctx context.Context) <-chan Change {
	sub := make(subscriber, 256)
	s.hub.mu.Lock()
	s.hub.subs = append(s.hub.subs, sub)
	s.hub.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		s.hub.subs = slices.DeleteFunc(s.hub.subs, func(x subscriber) bool { return x == sub })
		close(sub)
	})
	return sub
}

func (h *hub) publish(c Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, sub := range h.subs {
		sub.send(c)
	}
}

// send is called by one at a time, so that a place which is free stays free.
func (s subscriber) send(c Change) {
	if len(s) == cap(s)-1 {
		c = Change{Kind: Resync}
	}
	select {
	case s <- c:
	default:
	}
}
