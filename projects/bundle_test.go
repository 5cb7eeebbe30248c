package projects_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/projects"
)

// patience is how long a test waits for what should come at once: machines are busy.
const patience = 2 * time.Minute

// bundle is a site of its own with an administrator "admin", users "olga" and "sam", and a project "demo" that olga owns
// and sam works in.
type bundle struct {
	store  *countingStore
	people *projects.Service
	clock  *clock
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{store: &countingStore{Backend: memory.NewStorage()}, clock: &clock{}}
	b.people = b.open(t)
	t.Cleanup(func() { _ = b.store.Close() })
	ctx := t.Context()
	_, err := b.people.EnsureAdmin(ctx)
	must(t, err)
	for _, name := range []string{"olga", "sam"} {
		_, err := b.people.CreateUser(ctx, projects.By{}, projects.NewUser{Name: name})
		must(t, err)
	}
	_, err = b.people.CreateProject(ctx, projects.By{}, "demo", "", "olga")
	must(t, err)
	_, err = b.people.SetMember(ctx, projects.By{User: "olga"}, "demo", "sam", projects.DataScientist)
	must(t, err)
	return b
}

// open starts one more service on the same storage, as another process would.
func (b *bundle) open(t *testing.T) *projects.Service {
	t.Helper()
	s := projects.Open(b.store, projects.Options{Now: b.clock.now})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// passwords gives users the password "NAME-password". Hashing is slow on purpose, so that only those who need it pay.
func (b *bundle) passwords(t *testing.T, users ...string) {
	t.Helper()
	for _, name := range users {
		must(t, b.people.SetPassword(t.Context(), projects.By{}, name, name+"-password", nil))
	}
}

func (b *bundle) token(t *testing.T, user, project string) (id, secret string) {
	t.Helper()
	token, secret, err := b.people.CreateToken(t.Context(), projects.By{User: user}, projects.NewToken{User: user, Project: project})
	must(t, err)
	return token.ID, secret
}

func (b *bundle) grant(t *testing.T, secret, project string) *projects.Grant {
	t.Helper()
	g, err := b.people.Authenticate(t.Context(), secret, project)
	must(t, err)
	return g
}

// clock is the real one, put forward or stopped by hand.
type clock struct {
	ahead   atomic.Int64
	stopped atomic.Pointer[time.Time]
}

func (c *clock) now() time.Time {
	now := time.Now()
	if at := c.stopped.Load(); at != nil {
		now = *at
	}
	return now.Add(time.Duration(c.ahead.Load()))
}

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// stop lets only forward move it until run is called.
func (c *clock) stop() {
	now := time.Now()
	c.stopped.Store(&now)
}

func (c *clock) run() { c.stopped.Store(nil) }

// countingStore counts reads, and fails when told to.
type countingStore struct {
	storage.Backend
	reads atomic.Int64
	fail  atomic.Pointer[error]
}

func (s *countingStore) Get(ctx context.Context, key string) (storage.Record, error) {
	s.reads.Add(1)
	if err := s.fail.Load(); err != nil {
		return storage.Record{}, *err
	}
	return s.Backend.Get(ctx, key)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code problem.Code) {
	t.Helper()
	if !problem.Is(err, code) {
		t.Fatalf("error = %v, want a problem %q", err, code)
	}
}

// wantEnd waits until a grant ends.
func wantEnd(t *testing.T, g *projects.Grant) {
	t.Helper()
	select {
	case <-g.Valid.Done():
	case <-time.After(patience):
		t.Fatalf("the grant of %s is still valid after %s", g.User, patience)
	}
}

func wantValid(t *testing.T, g *projects.Grant) {
	t.Helper()
	if err := g.Valid.Err(); err != nil {
		t.Fatalf("the grant of %s has ended: %v", g.User, context.Cause(g.Valid))
	}
}
