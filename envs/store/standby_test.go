package store_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/store"
	"golang.org/x/sys/unix"
)

const (
	standby = "00112233445566aa"
	wanted  = "0123456789abcdef"
)

// kept is a store with a standby that is prepared.
func kept(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir())
	if err == nil {
		err = s.PrepareStandby(standby, store.Order{Alias: "https://channel.example", Options: store.Options{Domain: "inside"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type assignment struct {
	id  string
	err error
}

// await has the standby wait, and returns when it can be found.
func await(t *testing.T, ctx context.Context, s *store.Store, long time.Duration) <-chan assignment {
	t.Helper()
	got := make(chan assignment, 1)
	go func() {
		id, err := s.Await(ctx, standby, long)
		got <- assignment{id, err}
	}()
	for end := time.Now().Add(time.Minute); !s.Waits(standby); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the standby never waits")
		}
	}
	return got
}

func TestStandbyGetsTheFirstIDAlone(t *testing.T) {
	t.Parallel()
	s := kept(t)
	if err := s.Assign(standby, wanted); !errors.Is(err, store.ErrNoStandby) {
		t.Errorf("Assign() before it waits = %v, want ErrNoStandby", err)
	}
	got := await(t, t.Context(), s, time.Hour)
	if err := s.Assign(standby, wanted); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.err != nil || a.id != wanted {
		t.Errorf("Await() = %q, %v, want %s", a.id, a.err, wanted)
	}
	if err := s.Assign(standby, wanted); !errors.Is(err, store.ErrNoStandby) {
		t.Errorf("second Assign() = %v, want ErrNoStandby", err)
	}
	if to, err := os.Readlink(s.StandbyEvents(standby)); err != nil || to != s.Events(wanted) {
		t.Errorf("its events are at %q, %v", to, err)
	}
}

func TestStandbyThatNobodyAssignsEndsItsWait(t *testing.T) {
	t.Parallel()
	s := kept(t)
	if id, err := s.Await(t.Context(), standby, time.Millisecond); id != "" || err != nil {
		t.Errorf("Await() = %q, %v, want none", id, err)
	}
	if err := s.Assign(standby, wanted); !errors.Is(err, store.ErrNoStandby) {
		t.Errorf("Assign() = %v, want ErrNoStandby", err)
	}
}

func TestStandbyStopsWaitingWhenItIsTold(t *testing.T) {
	t.Parallel()
	s := kept(t)
	ctx, cancel := context.WithCancel(t.Context())
	got := await(t, ctx, s, time.Hour)
	cancel()
	if a := <-got; !errors.Is(a.err, context.Canceled) {
		t.Errorf("Await() = %q, %v, want canceled", a.id, a.err)
	}
}

func TestStandbyRefusesWhatIsNoID(t *testing.T) {
	t.Parallel()
	s := kept(t)
	got := await(t, t.Context(), s, time.Hour)
	fifo := filepath.Join(s.Dir(), "work", "standby-"+standby, "waiting")
	if info, err := os.Lstat(fifo); err != nil || info.Mode() != fs.ModeNamedPipe|0o600 {
		t.Errorf("the FIFO: %v, %v, want it for us alone", info.Mode(), err)
	}
	if err := os.WriteFile(fifo, []byte("../../../../etc/"), 0); err != nil {
		t.Fatal(err)
	}
	if a := <-got; !errors.Is(a.err, store.ErrID) {
		t.Errorf("Await() = %q, %v, want ErrID", a.id, a.err)
	}
}

func TestNamesOfStandbysAreNoPaths(t *testing.T) {
	t.Parallel()
	s := kept(t)
	for _, name := range []string{"", "../" + standby[3:], strings.ToUpper(standby), standby + "0", "standby-" + standby} {
		_, waitErr := s.Await(t.Context(), name, 0)
		_, readErr := s.ReadStandby(name)
		for what, err := range map[string]error{
			"PrepareStandby": s.PrepareStandby(name, store.Order{}), "RemoveStandby": s.RemoveStandby(name),
			"Assign": s.Assign(name, wanted), "Await": waitErr, "ReadStandby": readErr,
		} {
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s(%q) = %v, want a refusal", what, name, err)
			}
		}
		if s.Waits(name) {
			t.Errorf("Waits(%q) = true", name)
		}
	}
	if err := s.Assign(standby, "../x"); !errors.Is(err, store.ErrID) {
		t.Errorf("Assign of no id = %v, want ErrID", err)
	}
}

func TestWhatAStandbyIsToldAheadIsForUsAlone(t *testing.T) {
	t.Parallel()
	s := kept(t)
	o, err := s.ReadStandby(standby)
	if err != nil || o.Alias != "https://channel.example" || o.Options.Domain != "inside" {
		t.Errorf("ReadStandby() = %+v, %v", o, err)
	}
	dir := filepath.Join(s.Dir(), "work", "standby-"+standby)
	for path, mode := range map[string]fs.FileMode{dir: 0o700, filepath.Join(dir, "order.json"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want mode %v", path, info.Mode(), err, mode)
		}
	}
}

func TestSweepRemovesStandbysThatWereKilled(t *testing.T) {
	t.Parallel()
	for name, killed := range map[string]bool{"killed while it waited": true, "that waits": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := kept(t)
			got := await(t, t.Context(), s, time.Hour)
			if killed { // its files are those of a process that reads no more
				fifo := filepath.Join(s.Dir(), "work", "standby-"+standby, "waiting")
				if err := s.Assign(standby, wanted); err != nil {
					t.Fatal(err)
				}
				<-got
				if err := unix.Mkfifo(fifo, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, err := s.ReadStandby(standby)
			if gone := errors.Is(err, fs.ErrNotExist); gone != killed {
				t.Errorf("after the sweep: %v, want it gone: %v", err, killed)
			}
		})
	}
}

func TestSweepRemovesStandbysThatNeverCame(t *testing.T) {
	t.Parallel()
	s := kept(t)
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadStandby(standby); err != nil {
		t.Errorf("one that is just being started: %v", err)
	}
	long := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(filepath.Join(s.Dir(), "work", "standby-"+standby), long, long); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadStandby(standby); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that never came: %v, want it gone", err)
	}
}

func TestOrderNamesItsWorker(t *testing.T) {
	t.Parallel()
	s := kept(t)
	if got := s.Worker(wanted); got != "" {
		t.Errorf("Worker() = %q without an order", got)
	}
	if err := s.Order(t.Context(), wanted, store.Order{Worker: "somebody"}); err != nil {
		t.Fatal(err)
	}
	if got := s.Worker(wanted); got != "somebody" {
		t.Errorf("Worker() = %q, want somebody", got)
	}
}
