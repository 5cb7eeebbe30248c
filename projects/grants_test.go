package projects_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/projects"
)

func TestTokenSaysWhoAndWhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, everywhere := b.token(t, "olga", "")
	_, demoOnly := b.token(t, "olga", "demo")
	_, admins := b.token(t, "admin", "")
	_, err := b.people.CreateProject(t.Context(), projects.By{}, "other", "", "olga")
	must(t, err)
	_, err = b.people.CreateProject(t.Context(), projects.By{}, "foreign", "", "sam")
	must(t, err)

	for _, want := range []struct {
		name, secret, project string
		role                  projects.Role
		code                  problem.Code
	}{
		{"in a project", everywhere, "demo", projects.DataOwner, ""},
		{"in another project", everywhere, "other", projects.DataOwner, ""},
		{"on the site", everywhere, "", projects.SiteUser, ""},
		{"in somebody else's project", everywhere, "foreign", "", problem.NotFound},
		{"in no project", everywhere, "nothing", "", problem.NotFound},
		{"in no possible project", everywhere, "../x", "", problem.NotFound},
		{"limited, in its project", demoOnly, "demo", projects.DataOwner, ""},
		{"limited, in another project", demoOnly, "other", "", problem.NotFound},
		{"limited, on the site", demoOnly, "", projects.SiteToken, ""},
		{"administrator on the site", admins, "", projects.SiteAdmin, ""},
		{"administrator in a project", admins, "demo", projects.Steward, ""},
		{"administrator in no project", admins, "nothing", "", problem.NotFound},
		{"no token", "", "demo", "", problem.Unauthenticated},
		{"wrong token", everywhere[:len(everywhere)-1] + "!", "demo", "", problem.Unauthenticated},
	} {
		t.Run(want.name, func(t *testing.T) {
			t.Parallel()
			g, err := b.people.Authenticate(t.Context(), want.secret, want.project)
			if want.code != "" {
				wantCode(t, err, want.code)
				return
			}
			must(t, err)
			if g.Role != want.role {
				t.Errorf("role = %q, want %q", g.Role, want.role)
			}
		})
	}
}

// TestRevocationEndsGrants changes what a grant rests on, in this process and in another one.
func TestRevocationEndsGrants(t *testing.T) {
	t.Parallel()
	yes := true
	for _, what := range []struct {
		name   string
		revoke func(ctx context.Context, s *projects.Service, tokenID string) error
	}{
		{"token revoked", func(ctx context.Context, s *projects.Service, id string) error {
			return s.RevokeToken(ctx, projects.By{}, "sam", id)
		}},
		{"membership removed", func(ctx context.Context, s *projects.Service, _ string) error {
			return s.RemoveMember(ctx, projects.By{}, "demo", "sam")
		}},
		{"role changed", func(ctx context.Context, s *projects.Service, _ string) error {
			_, err := s.SetMember(ctx, projects.By{}, "demo", "sam", projects.DataOwner)
			return err
		}},
		{"user disabled", func(ctx context.Context, s *projects.Service, _ string) error {
			_, err := s.UpdateUser(ctx, projects.By{}, "sam", projects.UserPatch{Disabled: &yes})
			return err
		}},
		{"user deleted", func(ctx context.Context, s *projects.Service, _ string) error {
			return s.DeleteUser(ctx, projects.By{}, "sam")
		}},
		{"project deleted", func(ctx context.Context, s *projects.Service, _ string) error {
			return s.DeleteProject(ctx, projects.By{}, "demo")
		}},
	} {
		for _, where := range []string{"here", "elsewhere"} {
			t.Run(what.name+" "+where, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				id, secret := b.token(t, "sam", "")
				g := b.grant(t, secret, "demo")
				_, othersSecret := b.token(t, "olga", "")
				site := b.grant(t, othersSecret, "")
				s := b.people
				if where == "elsewhere" {
					s = b.open(t)
				}
				must(t, what.revoke(t.Context(), s, id))
				wantEnd(t, g)
				if cause := context.Cause(g.Valid); !errors.Is(cause, projects.ErrRevoked) {
					t.Errorf("cause = %v, want ErrRevoked", cause)
				}
				wantValid(t, site)
			})
		}
	}
}

func TestChangeOfPasswordEndsBrowserSessionsAndKeepsTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.passwords(t, "sam")
	login, err := b.people.LogIn(t.Context(), "sam", "sam-password", "")
	must(t, err)
	browser := b.grant(t, login.Secret, "demo")
	_, secret := b.token(t, "sam", "")
	token := b.grant(t, secret, "demo")
	must(t, b.open(t).SetPassword(t.Context(), projects.By{}, "sam", "another-password", nil))
	wantEnd(t, browser)
	wantValid(t, token)
	_, err = b.people.Authenticate(t.Context(), login.Secret, "demo")
	wantCode(t, err, problem.Unauthenticated)
}

func TestExpiryEndsGrants(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.clock.stop() // so that the token has not expired before it is used
	_, secret, err := b.people.CreateToken(t.Context(), projects.By{}, projects.NewToken{User: "sam", TTL: 150 * time.Millisecond})
	must(t, err)
	g := b.grant(t, secret, "demo")
	wantEnd(t, g)
	b.clock.run()
	_, err = b.people.Authenticate(t.Context(), secret, "demo")
	wantCode(t, err, problem.Unauthenticated)
}

func TestNewDisplayNameKeepsConnections(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, secret := b.token(t, "sam", "")
	g := b.grant(t, secret, "demo")
	name := "Samuel"
	_, err := b.people.UpdateUser(t.Context(), projects.By{}, "sam", projects.UserPatch{DisplayName: &name})
	must(t, err)
	wantValid(t, g)
	if now := b.grant(t, secret, "demo"); now.Name != name || now.Valid != g.Valid {
		t.Errorf("name = %q, want %q under the same grant", now.Name, name)
	}
}

func TestRevocationHoldsAtOnceUnderLoad(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 20 {
		id, secret := b.token(t, "sam", "")
		revoked := make(chan struct{})
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for {
					// Whoever asks after the revocation was answered must be refused.
					var after bool
					select {
					case <-revoked:
						after = true
					default:
					}
					_, err := b.people.Authenticate(context.Background(), secret, "demo")
					if after {
						if err == nil {
							t.Error("a revoked token was accepted")
						}
						return
					}
				}
			})
		}
		must(t, b.people.RevokeToken(t.Context(), projects.By{}, "sam", id))
		close(revoked)
		readers.Wait()
	}
}

func TestKnownCredentialCostsNoRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, secret := b.token(t, "sam", "")
	b.grant(t, secret, "demo")
	before := b.store.reads.Load()
	for range 10_000 {
		b.grant(t, secret, "demo")
	}
	// The changes that setup made may still be looked at.
	if n := b.store.reads.Load() - before; n > 100 {
		t.Errorf("10,000 requests cost %d reads, want none of their own", n)
	}
}

func TestFailingStorageGrantsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, secret := b.token(t, "sam", "")
	broken := errors.New("disk on fire")
	b.store.fail.Store(&broken)
	if _, err := b.people.Authenticate(t.Context(), secret, "demo"); !errors.Is(err, broken) {
		t.Errorf("error = %v, want the storage's", err)
	}
	b.store.fail.Store(nil)
	b.grant(t, secret, "demo")
}

func TestCloseEndsGrants(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, secret := b.token(t, "sam", "")
	g := b.grant(t, secret, "demo")
	must(t, b.people.Close())
	wantEnd(t, g)
}

func BenchmarkAuthenticate(b *testing.B) {
	store := memory.NewStorage()
	s := projects.Open(store, projects.Options{})
	defer func() { _ = s.Close() }()
	if _, err := s.EnsureAdmin(b.Context()); err != nil {
		b.Fatal(err)
	}
	_, secret, err := s.CreateToken(b.Context(), projects.By{}, projects.NewToken{User: "admin"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Authenticate(b.Context(), secret, ""); err != nil {
			b.Fatal(err)
		}
	}
}
