package projects

import (
	"context"
	"errors"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// LinkTTL is how long a one-time login link works.
const LinkTTL = 10 * time.Minute

// maxAttempted is how much of a name that somebody tried to log in with is looked at and logged, in bytes.
const maxAttempted = 64

// Login is a browser session that has just begun.
type Login struct {
	Secret  string // for the cookie; stored nowhere
	User    string
	Expires time.Time
}

// loginRecord is a browser session, or the right to one by a link, as stored by its hash.
type loginRecord struct {
	User    string    `json:"user"`
	UserID  string    `json:"user_id"`
	Epoch   string    `json:"epoch"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// valid reports whether the record speaks for the present account u.
func (l loginRecord) valid(u userRecord, now time.Time) bool {
	return l.UserID == u.ID && l.Epoch == u.Epoch && !u.Disabled && now.Before(l.Expires)
}

func (s *Service) newLoginRecord(u userRecord, ttl time.Duration) loginRecord {
	now := s.now().UTC()
	return loginRecord{User: u.Name, UserID: u.ID, Epoch: u.Epoch, Created: now, Expires: now.Add(ttl)}
}

// LogIn begins a browser session by password. Whatever is wrong is the same problem.Unauthenticated; too many failures
// of an account or an address are a problem.TooMany for a while.
func (s *Service) LogIn(ctx context.Context, user, plain, remote string) (Login, error) {
	user = user[:min(len(user), maxAttempted)]
	forgive, err := s.throttle.attempt(user, remote)
	if err != nil {
		return Login{}, err
	}
	u, _, err := s.user(ctx, user)
	if err != nil && !problem.Is(err, problem.NotFound) {
		return Login{}, err
	}
	ok, err := s.verifyPassword(ctx, u.Password, plain)
	if err != nil {
		return Login{}, err
	}
	if !ok || u.Disabled {
		return Login{}, s.refuse(ctx, user, remote)
	}
	forgive()
	return s.begin(ctx, u, By{User: u.Name, Remote: remote}, "password")
}

// refuse writes down a failed login, and says nothing about why.
func (s *Service) refuse(ctx context.Context, user, remote string) error {
	if CheckUserName(user) != nil {
		user = "" // people type passwords into the wrong field
	}
	if err := s.Record(ctx, By{User: user, Remote: remote}.entry("login_failed", user, "password")); err != nil {
		return err
	}
	return problem.New(problem.Unauthenticated, "the name or the password is not right")
}

// begin starts a browser session, together with ops.
func (s *Service) begin(ctx context.Context, u userRecord, by By, how string, ops ...storage.Op) (Login, error) {
	secret := newSecret(loginMark)
	r := s.newLoginRecord(u, s.loginTTL)
	ops = append(ops, storage.Create(loginsKeys+digestOf(secret).String(), encode(r)).Until(r.Expires))
	if _, err := s.store.Apply(ctx, append(ops, s.audited(by.entry("login", u.Name, how))...)...); err != nil {
		return Login{}, err
	}
	return Login{Secret: secret, User: u.Name, Expires: r.Expires}, nil
}

// Renew begins a new browser session for somebody whose own was ended by their change of password.
func (s *Service) Renew(ctx context.Context, by By) (Login, error) {
	u, _, err := s.user(ctx, by.User)
	if err != nil {
		return Login{}, err
	}
	return s.begin(ctx, u, by, "password changed")
}

// LogOut ends a browser session. To end what has ended is no error.
func (s *Service) LogOut(ctx context.Context, secret, remote string) error {
	if !wellFormed(secret, loginMark) {
		return nil
	}
	key := loginsKeys + digestOf(secret).String()
	r, _, err := load[loginRecord](ctx, s.store, key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	ops := append(s.audited(By{User: r.User, Remote: remote}.entry("logout", r.User, "")), storage.Delete(key))
	if _, err := s.store.Apply(ctx, ops...); err != nil {
		return err
	}
	s.changed(key)
	return nil
}

// CreateLink makes a code that logs a user in once, within ten minutes.
func (s *Service) CreateLink(ctx context.Context, by By, user string) (code string, expires time.Time, err error) {
	u, _, err := s.user(ctx, user)
	if err != nil {
		return "", time.Time{}, err
	}
	if u.Disabled {
		return "", time.Time{}, problem.New(problem.Conflict, "user %q is disabled", user)
	}
	code = newSecret(linkMark)
	r := s.newLoginRecord(u, LinkTTL)
	ops := append(s.audited(by.entry("login_link_made", user, "")),
		storage.Create(linksKeys+digestOf(code).String(), encode(r)).Until(r.Expires))
	if _, err := s.store.Apply(ctx, ops...); err != nil {
		return "", time.Time{}, err
	}
	return code, r.Expires, nil
}

// UseLink begins a browser session by a one-time code. A code that was used, has expired or never was is a problem.Gone.
func (s *Service) UseLink(ctx context.Context, code, remote string) (Login, error) {
	gone := problem.New(problem.Gone, "this login link has been used or has expired; ask for a new one")
	if !wellFormed(code, linkMark) {
		return Login{}, gone
	}
	key := linksKeys + digestOf(code).String()
	r, rev, err := load[loginRecord](ctx, s.store, key)
	if errors.Is(err, storage.ErrNotFound) {
		return Login{}, gone
	}
	if err != nil {
		return Login{}, err
	}
	u, _, err := s.user(ctx, r.User)
	if err != nil && !problem.Is(err, problem.NotFound) {
		return Login{}, err
	}
	if err != nil || !r.valid(u, s.now()) {
		return Login{}, gone
	}
	l, err := s.begin(ctx, u, By{User: u.Name, Remote: remote}, "link", storage.Delete(key).When(storage.At(rev)))
	if errors.Is(err, storage.ErrConflict) { // used at the same moment
		return Login{}, gone
	}
	return l, err
}
