package projects

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// Grant is what a credential may do in one place: who it speaks for, and in which role. It is shared and never changed.
type Grant struct {
	User  string
	Name  string // display name
	Role  Role   // in Project, or on the site
	Admin bool   // speaks for an administrator of the site without limits
	// Project is the place; empty means the site.
	Project string
	// Limit is the one project that the credential works in; empty means wherever its user may.
	Limit string
	// Credential is the id of the token or browser session, safe to log.
	Credential string
	// Token says that it is an API token, not a browser session.
	Token bool
	// Valid is done as soon as the credential expires or is revoked, its user is disabled or removed, or the role in
	// Project changes. What lasts longer than a request ends with it.
	Valid context.Context

	expires time.Time
	cancel  context.CancelCauseFunc
	used    *atomic.Int64 // when last, in Unix seconds
}

// ErrRevoked is the cause of a Grant's end, unless its Service was closed.
var ErrRevoked = errors.New("projects: revoked")

// grantKey is a credential at a place.
type grantKey struct {
	hash    digest
	project string
}

// grantCache holds the Grants in use, so that a request costs no read.
type grantCache struct {
	mu sync.RWMutex
	// gen counts the changes that were looked at: who reads records and then finds it moved on must look again.
	gen   uint64              // guarded by mu
	byKey map[grantKey]*Grant // guarded by mu
}

var errUnknown = problem.New(problem.Unauthenticated, "log in, or send a valid token")

// Authenticate says what the secret of a token or of a browser session may do in a project, or on the site where project
// is empty. A secret that is not valid is a problem.Unauthenticated; a project that does not exist or is none of the
// user's business is a problem.NotFound.
func (s *Service) Authenticate(ctx context.Context, secret, project string) (*Grant, error) {
	if !wellFormed(secret, tokenMark) && !wellFormed(secret, loginMark) {
		return nil, errUnknown
	}
	key := grantKey{digestOf(secret), project}
	g, gen := s.grants.get(key)
	if g == nil {
		var err error
		if g, err = s.grant(ctx, key, strings.HasPrefix(secret, tokenMark), gen); err != nil {
			return nil, err
		}
	}
	now := s.now()
	if !now.Before(g.expires) {
		return nil, errUnknown
	}
	g.used.Store(now.Unix())
	return g, nil
}

// get returns the Grant of key if it still holds, and where the cache is.
func (c *grantCache) get(key grantKey) (*Grant, uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if g := c.byKey[key]; g != nil && g.Valid.Err() == nil {
		return g, c.gen
	}
	return nil, c.gen
}

// grant reads what key may do and keeps it. Should anything have changed since gen, the reading may be old: it is done
// again, with the new Grant already in sight of all later changes.
func (s *Service) grant(ctx context.Context, key grantKey, token bool, gen uint64) (*Grant, error) {
	g, err := s.read(ctx, key, token)
	if err != nil {
		return nil, err
	}
	g.used = new(atomic.Int64)
	g, moved := s.keep(key, g, gen)
	if moved {
		s.recheck(s.life, key, g, true)
		if g.Valid.Err() != nil {
			return nil, errUnknown
		}
	}
	return g, nil
}

// keep puts g into the cache, until it ends, unless another request was faster.
func (s *Service) keep(key grantKey, g *Grant, gen uint64) (kept *Grant, moved bool) {
	c := &s.grants
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.byKey[key]; old != nil && old.Valid.Err() == nil {
		return old, c.gen != gen
	}
	timed, free := context.WithTimeoutCause(s.life, g.expires.Sub(s.now()), ErrRevoked)
	g.Valid, g.cancel = context.WithCancelCause(timed)
	context.AfterFunc(g.Valid, func() {
		free()
		c.drop(key, g)
	})
	c.byKey[key] = g
	return g, c.gen != gen
}

func (c *grantCache) drop(key grantKey, g *Grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.byKey[key]; old != nil && old.Valid == g.Valid {
		delete(c.byKey, key)
	}
}

// read finds out from the records what key may do now.
func (s *Service) read(ctx context.Context, key grantKey, token bool) (*Grant, error) {
	g := &Grant{Project: key.project, Credential: key.hash.id(), Token: token}
	u, err := s.owner(ctx, key.hash, g)
	switch {
	case errors.Is(err, storage.ErrNotFound), problem.Is(err, problem.NotFound):
		return nil, errUnknown
	case err != nil:
		return nil, err
	case u.Disabled || !s.now().Before(g.expires):
		return nil, errUnknown
	}
	g.User, g.Name, g.Admin = u.Name, u.DisplayName, u.Admin && g.Limit == ""
	g.Role, err = s.roleOf(ctx, g)
	return g, err
}

// owner reads the account that a credential speaks for, and fills in what the credential says itself.
func (s *Service) owner(ctx context.Context, hash digest, g *Grant) (userRecord, error) {
	if g.Token {
		t, _, err := load[tokenRecord](ctx, s.store, tokensKeys+hash.String())
		if err != nil {
			return userRecord{}, err
		}
		g.Limit, g.expires = t.Project, t.Expires
		u, _, err := s.user(ctx, t.User)
		if err == nil && u.ID != t.UserID {
			err = storage.ErrNotFound
		}
		return u, err
	}
	l, _, err := load[loginRecord](ctx, s.store, loginsKeys+hash.String())
	if err != nil {
		return userRecord{}, err
	}
	g.expires = l.Expires
	u, _, err := s.user(ctx, l.User)
	if err == nil && !l.valid(u, s.now()) {
		err = storage.ErrNotFound
	}
	return u, err
}

// roleOf says what role g's user has in g's place.
func (s *Service) roleOf(ctx context.Context, g *Grant) (Role, error) {
	if g.Project == "" {
		switch {
		case g.Limit != "":
			return SiteToken, nil
		case g.Admin:
			return SiteAdmin, nil
		default:
			return SiteUser, nil
		}
	}
	none := problem.New(problem.NotFound, "there is no project %q, or you are not a member of it", g.Project)
	if g.Limit != "" && g.Limit != g.Project {
		return "", none
	}
	m, err := s.membership(ctx, g.Project, g.User)
	switch {
	case problem.Is(err, problem.NotFound):
		return "", none
	case err != nil:
		return "", err
	case m.member != nil:
		return m.member.Role, nil
	case g.Admin:
		return Steward, nil
	default:
		return "", none
	}
}

// concerns reports whether a change of the record at key may have changed what g says.
func (g *Grant) concerns(gk grantKey, key string) bool {
	kind, rest, _ := strings.Cut(key, "/")
	switch kind + "/" {
	case tokensKeys, loginsKeys:
		return rest == gk.hash.String()
	case usersKeys:
		return rest == g.User
	case projectsKeys:
		return rest == g.Project
	case membersKeys:
		return rest == g.Project+"/"+g.User
	default:
		return false
	}
}

// changed looks again at the Grants that the record at key bears on. Whoever writes a record calls it, so that a change
// holds as soon as its caller is answered; changes by other processes come through follow.
func (s *Service) changed(key string) {
	concerned := s.grants.moveOn(func(k grantKey, g *Grant) bool { return g.concerns(k, key) })
	for k, g := range concerned {
		s.recheck(s.life, k, g, true)
	}
}

// recheckAll looks again at every Grant. Those whose records cannot be read now stay as they are.
func (s *Service) recheckAll() {
	for k, g := range s.grants.moveOn(func(grantKey, *Grant) bool { return true }) {
		s.recheck(s.life, k, g, false)
	}
}

// moveOn counts a change and returns the Grants that are to be looked at for it.
func (c *grantCache) moveOn(pick func(grantKey, *Grant) bool) map[grantKey]*Grant {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	picked := map[grantKey]*Grant{}
	for k, g := range c.byKey {
		if pick(k, g) {
			picked[k] = g
		}
	}
	return picked
}

// recheck reads g's records again and revokes it if it does not hold any more. Where they cannot be read, strict decides:
// if something is known to have changed, it is revoked, as the next request will find out.
func (s *Service) recheck(ctx context.Context, key grantKey, g *Grant, strict bool) {
	now, err := s.read(ctx, key, g.Token)
	_, refused := errors.AsType[*problem.Problem](err)
	switch {
	case err == nil && now.same(g):
		s.grants.replace(key, g, now)
	case err == nil, refused, strict:
		g.cancel(ErrRevoked)
	}
}

// same reports whether g and old allow the same to the same person.
func (g *Grant) same(old *Grant) bool {
	return g.User == old.User && g.Role == old.Role && g.Admin == old.Admin && g.expires.Equal(old.expires)
}

// replace gives old's place to its newer reading, which may have another display name.
func (c *grantCache) replace(key grantKey, old, now *Grant) {
	if old.Name == now.Name {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[key] == old {
		now.Valid, now.cancel, now.used = old.Valid, old.cancel, old.used
		c.byKey[key] = now
	}
}

// lastUsed says when each credential of a user was last used, as far as this process knows.
func (c *grantCache) lastUsed(user string) map[string]time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	used := map[string]time.Time{}
	for _, g := range c.byKey {
		at := g.used.Load()
		if when := time.Unix(at, 0).UTC(); g.User == user && at > 0 && when.After(used[g.Credential]) {
			used[g.Credential] = when
		}
	}
	return used
}
