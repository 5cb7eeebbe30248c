package envs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/plugins/storage"
)

const day = 24 * time.Hour

// locks are the IDs of the locks in storage.
func (s *site) locks() []string {
	s.t.Helper()
	page, err := s.storage.List(s.t.Context(), storage.Query{Prefix: "environment-locks/"})
	must(s.t, err)
	var ids []string
	for _, r := range page.Records {
		ids = append(ids, strings.TrimPrefix(r.Key, "environment-locks/"))
	}
	return ids
}

// collected is how many locks a collection removes after some time.
func (g *gateway) collected(t *testing.T, s *site, later time.Duration) int {
	t.Helper()
	s.clock.forward(later)
	r, err := g.Collect(t.Context(), ann, "demo")
	must(t, err)
	if (r.Locks > 0) != (r.LockBytes > 0) {
		t.Errorf("Collect() = %+v", r)
	}
	return r.Locks
}

func TestLocksThatWereNeverBuiltGoAfterAMonth(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	g.create(t, "demo", "science", "alpha")
	s.order("fail")
	_, err := g.Edit(t.Context(), ann, "demo", "science", spec.Edit{Add: []spec.Package{{Name: "beta", From: "conda"}}}, "")
	must(t, err)
	b := g.is(t, "demo", "science", 2, envs.Failed)
	must(t, g.DeleteBuild(t.Context(), ann, "demo", "science", 2))
	s.release("fail")
	_, _, err = g.SetSpec(t.Context(), ann, "demo", "science", yml("alpha"), "", 0, false)
	must(t, err)
	if n := g.collected(t, s, 0) + g.collected(t, s, 400*day); n != 0 || len(s.locks()) != 2 {
		t.Fatalf("%d locks collected, %d left: a revision names each", n, len(s.locks()))
	}
	must(t, g.Delete(t.Context(), ann, "demo", "science"))
	if n := g.collected(t, s, 0) + g.collected(t, s, 29*day); n != 0 {
		t.Errorf("%d locks collected before their time", n)
	}
	if n := g.collected(t, s, 2*day); n != 1 {
		t.Errorf("%d locks collected after a month, want the one that was not built", n)
	}
	if _, err := g.LockByID(t.Context(), b.Lock); !problem.Is(err, problem.NotFound) {
		t.Errorf("LockByID() of it = %v", err)
	}
}

func TestLocksOfDeletedEnvironmentsStayForNotebooks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	ran := g.create(t, "demo", "science", "alpha")
	eventually(t, "it is noted that the lock was built", func() bool {
		page, err := s.storage.List(t.Context(), storage.Query{Prefix: "environment-lock-marks/"})
		return err == nil && len(page.Records) == 1
	})
	must(t, g.Delete(t.Context(), ann, "demo", "science"))
	if n := g.collected(t, s, 2*time.Hour) + g.collected(t, s, 360*day); n != 0 {
		t.Fatalf("%d locks collected within a year", n)
	}
	// A notebook that ran on it is made whole again, and the lock has all its time before it.
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "again", LockID: ran.Lock, Text: yml("alpha")})
	must(t, err)
	must(t, g.Delete(t.Context(), ann, "demo", "again"))
	if n := g.collected(t, s, 0) + g.collected(t, s, 360*day); n != 0 {
		t.Errorf("%d locks collected within a year after it was asked for again", n)
	}
	if n := g.collected(t, s, 10*day); n != 1 || len(s.locks()) != 0 {
		t.Errorf("%d locks collected, %d left, want none left", n, len(s.locks()))
	}
	if _, err := s.reopen(g).LockByID(t.Context(), ran.Lock); !problem.Is(err, problem.NotFound) {
		t.Errorf("LockByID() = %v", err)
	}
}

func TestAskingForALockKeepsItFromBeingCollected(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	g := s.open()
	b := g.create(t, "demo", "science", "alpha")
	must(t, g.Delete(t.Context(), ann, "demo", "science"))
	g = s.calm(g)
	if n := g.collected(t, s, 0) + g.collected(t, s, 2*time.Hour); n != 0 {
		t.Fatalf("%d locks collected", n)
	}
	if _, ok := s.store.Manifest(b.ID); ok {
		t.Fatal("the files are there: nothing would have to be built")
	}
	s.clock.forward(400 * day)
	s.order("hold") // the lock is stored and named, and nothing is built
	s.release("half")
	g = s.reopen(g)
	_, err := g.Create(t.Context(), ann, "demo", envs.NewEnvironment{Name: "again", Text: yml("alpha"), Build: true})
	must(t, err)
	s.builderPID()
	if n := g.collected(t, s, 0); n != 0 || len(s.locks()) != 1 {
		t.Errorf("%d locks collected, %d left", n, len(s.locks()))
	}
	s.release("hold")
	g.is(t, "demo", "again", 1, envs.Ready)
}
