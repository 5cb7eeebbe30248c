package projects

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// User is a person with an account.
type User struct {
	Name        string    `json:"name"`
	DisplayName string    `json:"display_name"`
	Admin       bool      `json:"admin"` // of the site
	Disabled    bool      `json:"disabled"`
	Created     time.Time `json:"created"`
}

// userRecord is a User as stored.
type userRecord struct {
	User
	// ID is of this account, not of a later one with the same name.
	ID string `json:"id"`
	// Epoch changes with the password. Browser sessions and links of another epoch are void.
	Epoch    string    `json:"epoch"`
	Password *password `json:"password,omitempty"` // nil: only links log in
}

// siteRecord is what there is one of. Whoever changes the number of administrators writes it under a condition, so that
// two cannot take the last two away at once.
type siteRecord struct {
	Admins int `json:"admins"` // administrators that are not disabled
}

// NewUser is what is asked of a new account.
type NewUser struct {
	Name        string
	DisplayName string // empty means the Name
	Password    string // empty means that only one-time links log in
	Admin       bool
}

// UserPatch says what to change of a user; nil leaves it.
type UserPatch struct {
	DisplayName *string
	Admin       *bool
	Disabled    *bool
}

// EnsureAdmin makes the site's first account, the administrator "admin" without a password, unless the site has been set
// up before. It is safe to race.
func (s *Service) EnsureAdmin(ctx context.Context) (created bool, err error) {
	u := s.newUserRecord(NewUser{Name: "admin", DisplayName: "Administrator", Admin: true})
	ops := append(s.audited(By{}.entry("user_made", u.Name, "site administrator")),
		storage.Create(siteKey, encode(siteRecord{Admins: 1})), storage.Create(usersKeys+u.Name, encode(u)))
	_, err = s.store.Apply(ctx, ops...)
	if errors.Is(err, storage.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

func (s *Service) newUserRecord(n NewUser) userRecord {
	return userRecord{
		User: User{Name: n.Name, DisplayName: cmp.Or(n.DisplayName, n.Name), Admin: n.Admin, Created: s.now().UTC()},
		ID:   newID(), Epoch: newID(),
	}
}

// CreateUser makes an account. A name that is taken is a problem.Conflict.
func (s *Service) CreateUser(ctx context.Context, by By, n NewUser) (User, error) {
	if err := errors.Join(CheckUserName(n.Name), checkText("the display name", n.DisplayName)); err != nil {
		return User{}, err
	}
	u := s.newUserRecord(n)
	if n.Password != "" {
		if err := checkPassword(n.Password); err != nil {
			return User{}, err
		}
		var err error
		if u.Password, err = s.hashPassword(ctx, n.Password); err != nil {
			return User{}, err
		}
	}
	err := retry(ctx, func() error {
		if err := s.vacant(ctx, usersKeys+n.Name, "there is a user %q already", n.Name); err != nil {
			return err
		}
		ops := append(s.audited(by.entry("user_made", n.Name, "")), storage.Create(usersKeys+n.Name, encode(u)))
		return s.applyWithAdmins(ctx, ops, active(u.User))
	})
	return u.User, err
}

// vacant returns a problem.Conflict if there is a record at key.
func (s *Service) vacant(ctx context.Context, key, format string, args ...any) error {
	_, err := s.store.Get(ctx, key)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil
	case err == nil:
		return problem.New(problem.Conflict, format, args...)
	default:
		return err
	}
}

// active counts u among the administrators: 0 or 1.
func active(u User) int {
	if u.Admin && !u.Disabled {
		return 1
	}
	return 0
}

// applyWithAdmins does ops, which change the number of administrators by delta. The last one stays.
func (s *Service) applyWithAdmins(ctx context.Context, ops []storage.Op, delta int) error {
	if delta != 0 {
		site, rev, err := load[siteRecord](ctx, s.store, siteKey)
		cond := storage.At(rev)
		if errors.Is(err, storage.ErrNotFound) {
			cond, err = storage.Absent(), nil
		}
		if err != nil {
			return err
		}
		if site.Admins += delta; site.Admins < 1 {
			return problem.New(problem.Conflict, "this is the last administrator; make somebody else one first")
		}
		ops = append(ops, storage.Put(siteKey, encode(site)).When(cond))
	}
	_, err := s.store.Apply(ctx, ops...)
	return err
}

// user reads an account.
func (s *Service) user(ctx context.Context, name string) (userRecord, storage.Revision, error) {
	if CheckUserName(name) != nil {
		return userRecord{}, 0, problem.New(problem.NotFound, "there is no such user")
	}
	u, rev, err := load[userRecord](ctx, s.store, usersKeys+name)
	return u, rev, missing(err, "there is no user %q", name)
}

// User returns an account, or a problem.NotFound.
func (s *Service) User(ctx context.Context, name string) (User, error) {
	u, _, err := s.user(ctx, name)
	return u.User, err
}

// Users lists the accounts by name.
func (s *Service) Users(ctx context.Context, p Page) (users []User, next string, err error) {
	return list[User](ctx, s.store, usersKeys, p, false)
}

// changeUser reads an account, lets change alter it, and writes it with an audit entry. Nothing changed is no error.
func (s *Service) changeUser(ctx context.Context, e Entry, name string, change func(*userRecord) error) (User, error) {
	var u userRecord
	err := retry(ctx, func() error {
		var rev storage.Revision
		var err error
		if u, rev, err = s.user(ctx, name); err != nil {
			return err
		}
		before := active(u.User)
		if err := change(&u); err != nil {
			return err
		}
		ops := append(s.audited(e), storage.Update(usersKeys+name, encode(u), rev))
		return s.applyWithAdmins(ctx, ops, active(u.User)-before)
	})
	if err == nil {
		s.changed(usersKeys + name)
	}
	return u.User, err
}

// UpdateUser changes an account. To disable one ends all its connections; the last administrator stays (problem.Conflict).
func (s *Service) UpdateUser(ctx context.Context, by By, name string, p UserPatch) (User, error) {
	if p.DisplayName != nil {
		if err := checkText("the display name", *p.DisplayName); err != nil {
			return User{}, err
		}
	}
	return s.changeUser(ctx, by.entry("user_changed", name, p.String()), name, func(u *userRecord) error {
		if p.DisplayName != nil {
			u.DisplayName = cmp.Or(*p.DisplayName, u.Name)
		}
		if p.Admin != nil {
			u.Admin = *p.Admin
		}
		if p.Disabled != nil {
			u.Disabled = *p.Disabled
		}
		return nil
	})
}

// String says what p changes, for the audit log.
func (p UserPatch) String() string {
	var text string
	if p.DisplayName != nil {
		text += " display name"
	}
	text += flag(" administrator", p.Admin) + flag(" disabled", p.Disabled)
	if text == "" {
		return "nothing"
	}
	return text[1:]
}

func flag(what string, on *bool) string {
	switch {
	case on == nil:
		return ""
	case *on:
		return what + ": yes"
	default:
		return what + ": no"
	}
}

// DeleteUser removes an account with its memberships and tokens, and ends all its connections. Somebody who is the last
// owner of a project stays (problem.Conflict).
func (s *Service) DeleteUser(ctx context.Context, by By, name string) error {
	if _, _, err := s.user(ctx, name); err != nil {
		return err
	}
	memberships, err := s.ProjectsOf(ctx, name)
	if err != nil {
		return err
	}
	if err := s.mayLeave(ctx, name, memberships); err != nil {
		return err
	}
	for _, m := range memberships {
		if err := s.RemoveMember(ctx, by, m.Project, name); err != nil && !problem.Is(err, problem.NotFound) {
			return err
		}
	}
	// The account goes before its tokens: they are void without it, and no new ones can be made meanwhile.
	err = retry(ctx, func() error {
		u, rev, err := s.user(ctx, name)
		if err != nil {
			return err
		}
		ops := append(s.audited(by.entry("user_removed", name, "")), storage.Delete(usersKeys+name).When(storage.At(rev)))
		return s.applyWithAdmins(ctx, ops, -active(u.User))
	})
	if err != nil {
		return err
	}
	s.changed(usersKeys + name)
	return s.removeTokens(ctx, name)
}

// mayLeave returns a problem.Conflict if one of the projects would be left without an owner.
func (s *Service) mayLeave(ctx context.Context, user string, memberships []Membership) error {
	for _, m := range memberships {
		p, _, err := s.project(ctx, m.Project)
		if err != nil && !problem.Is(err, problem.NotFound) {
			return err
		}
		if err == nil && m.Role == DataOwner && p.Owners == 1 {
			return lastOwner(user, m.Project)
		}
	}
	return nil
}

// SetPassword gives an account a new password and ends all its browser sessions and links. Tokens are credentials of
// their own and stay. Where current is not nil and the account has a password, it must be that one.
func (s *Service) SetPassword(ctx context.Context, by By, name, plain string, current *string) error {
	if err := checkPassword(plain); err != nil {
		return err
	}
	u, _, err := s.user(ctx, name)
	if err != nil {
		return err
	}
	if current != nil && u.Password != nil {
		if err := s.confirm(ctx, by, u, *current); err != nil {
			return err
		}
	}
	hashed, err := s.hashPassword(ctx, plain)
	if err != nil {
		return err
	}
	_, err = s.changeUser(ctx, by.entry("password_changed", name, ""), name, func(u *userRecord) error {
		u.Password, u.Epoch = hashed, newID()
		return nil
	})
	return err
}

// confirm checks the present password of somebody who wants to change it, as slowly as a login.
func (s *Service) confirm(ctx context.Context, by By, u userRecord, current string) error {
	forgive, err := s.throttle.attempt(u.Name, by.Remote)
	if err != nil {
		return err
	}
	ok, err := s.verifyPassword(ctx, u.Password, current)
	if err != nil {
		return err
	}
	if !ok {
		return problem.New(problem.Denied, "the current password is not right")
	}
	forgive()
	return nil
}
