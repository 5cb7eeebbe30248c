package projects

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

// How long tokens may live.
const (
	DefaultTokenTTL = 90 * 24 * time.Hour
	MaxTokenTTL     = 365 * 24 * time.Hour
)

// maxTokens is how many tokens one user may hold.
const maxTokens = 200

// The kinds of secret can be told apart by their first letters, also by a scanner that looks for leaked ones.
const (
	tokenMark = "hyt_"
	loginMark = "hys_"
	linkMark  = "hyl_"
)

// newSecret makes 32 random bytes fit for headers, cookies and paths.
func newSecret(mark string) string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return mark + base64.RawURLEncoding.EncodeToString(b[:])
}

// wellFormed reports whether secret can be one of that kind. It keeps what cannot from costing a read.
func wellFormed(secret, mark string) bool {
	return len(secret) == len(mark)+43 && strings.HasPrefix(secret, mark)
}

// Token is an API token without its secret.
type Token struct {
	ID      string    `json:"id"`
	User    string    `json:"user"`
	Project string    `json:"project,omitempty"` // the one project that it works in; empty means wherever its user may
	Note    string    `json:"note"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	// LastUsed is known since the process started only, so that using a token writes nothing.
	LastUsed time.Time `json:"last_used,omitzero"`
}

// tokenRecord is a Token as stored, twice: by its hash and in the order of users.
type tokenRecord struct {
	Token
	Hash   string `json:"hash"`
	UserID string `json:"user_id"`
}

func (t tokenRecord) remove() []storage.Op {
	return []storage.Op{storage.Delete(tokensKeys + t.Hash), storage.Delete(userTokenKeys + t.User + "/" + t.ID)}
}

// NewToken is what is asked of a new token.
type NewToken struct {
	User    string
	Project string        // empty means wherever the user may
	TTL     time.Duration // 0 means DefaultTokenTTL
	Note    string
}

// CreateToken makes an API token. The secret is returned here and never again.
func (s *Service) CreateToken(ctx context.Context, by By, n NewToken) (t Token, secret string, err error) {
	if n.TTL == 0 {
		n.TTL = DefaultTokenTTL
	}
	if err := errors.Join(checkTTL(n.TTL), checkText("the note", n.Note)); err != nil {
		return Token{}, "", err
	}
	u, _, err := s.user(ctx, n.User)
	if err != nil {
		return Token{}, "", err
	}
	if err := s.mayHoldToken(ctx, n); err != nil {
		return Token{}, "", err
	}
	secret = newSecret(tokenMark)
	hash := digestOf(secret)
	now := s.now().UTC()
	r := tokenRecord{
		Token: Token{ID: hash.id(), User: n.User, Project: n.Project, Note: n.Note, Created: now, Expires: now.Add(n.TTL)},
		Hash:  hash.String(), UserID: u.ID,
	}
	e := by.entry("token_made", n.User+"/"+r.ID, "expires "+r.Expires.Format(time.RFC3339))
	ops := append(s.audited(e.in(n.Project)),
		storage.Create(tokensKeys+r.Hash, encode(r)).Until(r.Expires),
		storage.Create(userTokenKeys+n.User+"/"+r.ID, encode(r)).Until(r.Expires))
	if _, err := s.store.Apply(ctx, ops...); err != nil {
		return Token{}, "", err
	}
	return r.Token, secret, nil
}

func (s *Service) mayHoldToken(ctx context.Context, n NewToken) error {
	if n.Project != "" {
		if _, err := s.currentMember(ctx, n.Project, n.User); err != nil {
			return err
		}
	}
	held, _, err := list[Token](ctx, s.store, userTokenKeys+n.User+"/", Page{Limit: maxTokens}, false)
	if err == nil && len(held) >= maxTokens {
		err = problem.New(problem.TooMany, "%s has %d tokens; revoke some first", n.User, maxTokens)
	}
	return err
}

// Tokens lists a user's tokens that have not expired, by id.
func (s *Service) Tokens(ctx context.Context, user string, p Page) (tokens []Token, next string, err error) {
	if CheckUserName(user) != nil {
		return nil, "", nil
	}
	records, next, err := list[tokenRecord](ctx, s.store, userTokenKeys+user+"/", p, false)
	if err != nil {
		return nil, "", err
	}
	used := s.grants.lastUsed(user)
	tokens = make([]Token, 0, len(records))
	for _, r := range records {
		if s.now().Before(r.Expires) {
			r.LastUsed = used[r.ID]
			tokens = append(tokens, r.Token)
		}
	}
	return tokens, next, nil
}

// RevokeToken takes a user's token back and ends its connections.
func (s *Service) RevokeToken(ctx context.Context, by By, user, id string) error {
	unknown := func(err error) error { return missing(err, "%s has no token %q", user, id) }
	if CheckUserName(user) != nil || strings.ContainsRune(id, '/') || len(id) > 64 {
		return unknown(storage.ErrNotFound)
	}
	r, rev, err := load[tokenRecord](ctx, s.store, userTokenKeys+user+"/"+id)
	if err != nil {
		return unknown(err)
	}
	ops := append(s.audited(by.entry("token_revoked", user+"/"+id, "").in(r.Project)), storage.Delete(tokensKeys+r.Hash),
		storage.Delete(userTokenKeys+user+"/"+id).When(storage.At(rev)))
	_, err = s.store.Apply(ctx, ops...)
	if errors.Is(err, storage.ErrConflict) { // somebody else has just revoked it
		err = unknown(storage.ErrNotFound)
	}
	if err == nil {
		s.changed(tokensKeys + r.Hash)
	}
	return err
}

// removeTokens sweeps the tokens of a user that is no more.
func (s *Service) removeTokens(ctx context.Context, user string) error {
	left, err := all[tokenRecord](ctx, s.store, userTokenKeys+user+"/")
	if err != nil {
		return err
	}
	for _, t := range left {
		if _, err := s.store.Apply(ctx, t.remove()...); err != nil {
			return err
		}
	}
	return nil
}
