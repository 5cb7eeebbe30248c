package workloads_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/sqlite"
	"github.com/hopyard/hopyard/plugins/scheduling"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/workloads"
)

// newSharedSite makes a site whose storage knows its holders, with two handles on it. The site begins with the second.
func newSharedSite(t *testing.T) (s *site, one, two *sqlite.DB) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hopyard.db")
	open := func() *sqlite.DB {
		db, err := sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	one, two = open(), open()
	s = newSite(t)
	s.use(two)
	return s, one, two
}

// use has the next Managers work through a handle.
func (s *site) use(db *sqlite.DB) { s.storage, s.queue = db.Storage(), db.Queue() }

// heldDriver has launched a program and keeps its receipt back.
type heldDriver struct {
	scheduling.Driver
	launched chan struct{} // closed once the program has been started
	goOn     chan struct{} // closed to give the receipt
}

func (d heldDriver) Launch(ctx context.Context, w scheduling.Workload) (scheduling.Handle, error) {
	h, err := d.Driver.Launch(ctx, w)
	close(d.launched)
	<-d.goOn
	return h, err
}

func TestLaunchGoesOnWhileAnotherGatewayStarts(t *testing.T) {
	t.Parallel()
	s, one, two := newSharedSite(t)
	s.use(one)
	held := heldDriver{s.driver, make(chan struct{}), make(chan struct{})}
	c := s.config()
	c.Driver = held
	a := workloads.New(c)
	a.Start()
	t.Cleanup(func() { _ = a.Close() })
	r := request(t.TempDir(), forever)
	done := make(chan error, 1)
	go func() {
		_, err := a.Launch(t.Context(), r)
		done <- err
	}()
	<-held.launched
	s.use(two)
	b := s.open()
	if all, err := b.List(t.Context(), ""); err != nil || len(all) > 0 {
		t.Errorf("List() = %+v, %v, want that nobody touches what is being launched", all, err)
	}
	close(held.goOn)
	if err := <-done; err != nil {
		t.Fatalf("Launch() = %v", err)
	}
	is(t, b, r.Workload.ID, workloads.Running)
	if !running(pid(t, r)) {
		t.Error("the program has been stopped")
	}
}

// launching makes what is there of a launch that has started its program and has not come to its end.
func (s *site) launching(r workloads.Request, launcher string, since time.Time) {
	s.t.Helper()
	_, err := s.driver.Launch(s.t.Context(), r.Workload)
	var value []byte
	if err == nil {
		value, err = json.Marshal(map[string]any{"kind": "plain", "owner": "ann", "started": since, "launcher": launcher})
	}
	if err == nil {
		_, err = s.storage.Apply(s.t.Context(), storage.Put("workloads/demo/"+r.Workload.ID, value))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// swept waits until nothing is left of a launch.
func (s *site) swept(r workloads.Request, pid int) {
	s.t.Helper()
	eventually(s.t, "the launch is swept", func() bool {
		_, err := s.storage.Get(s.t.Context(), "workloads/demo/"+r.Workload.ID)
		return err != nil && !running(pid)
	})
	s.mustBeEmpty()
}

func TestLaunchOfAGatewayThatHasGoneIsSweptByTheNext(t *testing.T) {
	t.Parallel()
	s, one, _ := newSharedSite(t)
	r := request(t.TempDir(), forever)
	s.launching(r, one.Storage().(storage.Holders).Holder(), time.Now())
	n := pid(t, r)
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	s.open()
	s.swept(r, n)
}

// TestLaunchOfAGatewayThatGoesIsSweptByOneThatStays has the launcher go while another gateway serves.
func TestLaunchOfAGatewayThatGoesIsSweptByOneThatStays(t *testing.T) {
	t.Parallel()
	s, one, _ := newSharedSite(t)
	b := s.open()
	r := request(t.TempDir(), forever)
	s.launching(r, one.Storage().(storage.Holders).Holder(), time.Now())
	n := pid(t, r)
	s.looked(b)
	if _, err := b.Get(t.Context(), "demo", r.Workload.ID); !problem.Is(err, problem.NotFound) || !running(n) {
		t.Errorf("Get() = %v, want that it is left alone", err)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	for _, hint := range []storage.Op{storage.Put("workloads/demo/hint", []byte(`{"stopping":true}`)), storage.Delete("workloads/demo/hint")} {
		if _, err := s.storage.Apply(t.Context(), hint); err != nil {
			t.Fatal(err)
		}
	}
	s.swept(r, n)
}

// looked waits until a Manager has looked at storage: a program that another one launches is there.
func (s *site) looked(m *workloads.Manager) {
	s.t.Helper()
	other := workloads.New(s.config())
	other.Start()
	defer other.Close()
	id := launch(s.t, other, request(s.t.TempDir(), forever))
	is(s.t, m, id, workloads.Running)
	if err := other.Stop(s.t.Context(), "demo", id, "ann"); err != nil {
		s.t.Error(err)
	}
}

// TestStorageThatDoesNotKnowItsHoldersGoesByTheAgeOfALaunch is for gateways that run and for one that starts.
func TestStorageThatDoesNotKnowItsHoldersGoesByTheAgeOfALaunch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.open()
	r := request(t.TempDir(), forever)
	s.launching(r, "", time.Now())
	n := pid(t, r)
	s.looked(a)
	for _, m := range []*workloads.Manager{a, s.open()} {
		if _, err := m.Get(t.Context(), "demo", r.Workload.ID); !problem.Is(err, problem.NotFound) || !running(n) {
			t.Errorf("Get() of a young launch = %v, want that it is left alone", err)
		}
	}
	if _, err := s.storage.Get(t.Context(), "workloads/demo/"+r.Workload.ID); err != nil {
		t.Errorf("Get() from storage = %v, want that it is there", err)
	}
	s.launching(r, "", time.Now().Add(-time.Hour))
	s.swept(r, n)
}
