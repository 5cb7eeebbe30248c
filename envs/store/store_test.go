package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/filelock"
	"github.com/hopyard/hopyard/internal/problem"
	"golang.org/x/sys/unix"
)

func open(t testing.TB) *store.Store {
	t.Helper()
	dir, err := os.MkdirTemp("", "hs") // short: see store.MaxRoot
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s, err := store.Open(filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// id makes ids.
func id(n int) string { return fmt.Sprintf("%016x", n) }

// build makes a prefix of files, by name; a text that is the path of a file becomes a link to it.
func build(t testing.TB, s *store.Store, id string, files map[string]string) *store.Manifest {
	t.Helper()
	var list store.Inodes
	for name, text := range files {
		path := filepath.Join(s.Prefix(id), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if filepath.IsAbs(text) {
			err = store.LinkFile(text, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o444)
		}
		var st unix.Stat_t
		if err == nil {
			err = unix.Lstat(path, &st)
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, store.Inode{Number: st.Ino, Bytes: st.Blocks * 512})
	}
	m := &store.Manifest{ID: id, Prefix: s.Prefix(id), Kind: lock.Conda, OwnBytes: 100}
	if err := s.Commit(m, list); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.Prefix(id), 0o555); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStoreWithAPathThatIsTooLongIsRefused(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"relative", "/" + strings.Repeat("x", store.MaxRoot)} {
		if _, err := store.Open(dir); !problem.Is(err, problem.Invalid) {
			t.Errorf("Open(%s) = %v, want a problem", dir, err)
		}
	}
}

func TestEqualContentHasEqualIDs(t *testing.T) {
	t.Parallel()
	l := &lock.Lock{Version: lock.FormatVersion, Kind: lock.Conda, Platform: "linux-64"}
	base := store.ID(l, store.Options{})
	later := *l
	later.Created, later.Solver = time.Now(), "another"
	if got := store.ID(&later, store.Options{Variables: map[string]string{}}); got != base {
		t.Errorf("ID = %s, want %s: when it was solved does not matter", got, base)
	}
	seen := map[string]bool{base: true}
	for _, o := range []store.Options{{Domain: "private"}, {Scripts: true}, {Variables: map[string]string{"A": "1"}}, {Variables: map[string]string{"A": "2"}}} {
		if got := store.ID(l, o); seen[got] || len(got) != 16 {
			t.Errorf("ID(%+v) = %s, which another has", o, got)
		} else {
			seen[got] = true
		}
	}
}

func TestPrefixWithoutManifestIsNotFound(t *testing.T) {
	t.Parallel()
	s := open(t)
	if err := os.MkdirAll(s.Prefix(id(1)), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Find(id(1)); ok {
		t.Error("half a prefix was found")
	}
	build(t, s, id(1), map[string]string{"a": "b"})
	if m, ok := s.Find(id(1)); !ok || m.ID != id(1) {
		t.Errorf("Find = %+v, %v", m, ok)
	}
	for _, bad := range []string{"", "../../etc", "0123456789ABCDEF", id(1) + "/"} {
		if _, ok := s.Find(bad); ok {
			t.Errorf("Find(%q) found something", bad)
		}
		if err := s.Remove(t.Context(), bad); !errors.Is(err, store.ErrID) {
			t.Errorf("Remove(%q) = %v, want that it is no id", bad, err)
		}
	}
}

func TestPrefixWhoseInterpreterHasGoneIsNotFound(t *testing.T) {
	t.Parallel()
	s := open(t)
	base := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(base, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(s.Prefix(id(1)), "bin", "python")
	if err := os.MkdirAll(filepath.Dir(python), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(base, python); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(&store.Manifest{ID: id(1), Prefix: s.Prefix(id(1)), Python: python}, nil); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Find(id(1)); !ok {
		t.Fatal("not found while all is there")
	}
	os.Remove(base)
	if _, ok := s.Find(id(1)); ok {
		t.Error("found though its interpreter has gone")
	}
	if _, ok := s.Manifest(id(1)); !ok {
		t.Error("its manifest has gone too")
	}
}

func TestSweepRemovesWhatBuildersLeftAndNothingElse(t *testing.T) {
	t.Parallel()
	s := open(t)
	for n := 1; n <= 3; n++ {
		if err := os.MkdirAll(filepath.Join(s.Prefix(id(n)), "lib"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	build(t, s, id(1), map[string]string{"a": "b"})
	held, err := s.TryLock(id(2)) // somebody is at work
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(s.Prefix(id(3)), "lib"), 0o555); err != nil {
		t.Fatal(err)
	}
	swept, err := s.Sweep(t.Context())
	if err != nil || !slices.Equal(swept, []string{id(3)}) {
		t.Errorf("Sweep = %v, %v, want %s alone", swept, err, id(3))
	}
	for n, want := range map[int]bool{1: true, 2: true, 3: false} {
		if _, err := os.Stat(s.Prefix(id(n))); (err == nil) != want {
			t.Errorf("prefix %d: %v", n, err)
		}
	}
	held.Close()
	if swept, _ := s.Sweep(t.Context()); !slices.Equal(swept, []string{id(2)}) {
		t.Errorf("Sweep after the builder died = %v", swept)
	}
	if left, _ := os.ReadDir(filepath.Join(s.Dir(), "trash")); len(left) > 0 {
		t.Errorf("left in the trash: %v", left)
	}
}

func TestOrderIsForItsIDAlone(t *testing.T) {
	t.Parallel()
	s := open(t)
	l := &lock.Lock{Version: lock.FormatVersion, Kind: lock.Conda, Platform: "linux-64"}
	right := store.ID(l, store.Options{})
	for at, ok := range map[string]bool{right: true, id(1): false} {
		if err := s.Order(t.Context(), at, store.Order{Lock: l}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReadOrder(at); (err == nil) != ok {
			t.Errorf("ReadOrder(%s) = %v", at, err)
		}
	}
	info, err := os.Stat(filepath.Join(s.Dir(), "work", right, "order.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the order's mode is %v, %v", info.Mode(), err)
	}
	if err := s.Order(t.Context(), id(2), store.Order{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadOrder(id(2)); err == nil {
		t.Error("an order without a lock was taken")
	}
}

func TestOrderBeginsTheEventsAnewUnlessABuilderIsAtWork(t *testing.T) {
	t.Parallel()
	s := open(t)
	l := &lock.Lock{Version: lock.FormatVersion, Kind: lock.Conda, Platform: "linux-64"}
	at := store.ID(l, store.Options{})
	order := func() {
		if err := s.Order(t.Context(), at, store.Order{Lock: l}); err != nil {
			t.Fatal(err)
		}
	}
	order()
	if err := os.WriteFile(s.Events(at), []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := s.TryLock(at)
	if err != nil {
		t.Fatal(err)
	}
	order()
	if b, _ := os.ReadFile(s.Events(at)); string(b) != "old\n" {
		t.Errorf("events while a builder is at work = %q", b)
	}
	held.Close()
	order()
	if _, err := os.Stat(s.Events(at)); err == nil {
		t.Error("the old events are there")
	}
}

func TestOrderTakesNobodyWhoOnlyLooksForABuilder(t *testing.T) {
	t.Parallel()
	s := open(t)
	l := &lock.Lock{Version: lock.FormatVersion, Kind: lock.Conda, Platform: "linux-64"}
	at := store.ID(l, store.Options{})
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	defer others.Wait()
	defer stop()
	for range 4 {
		others.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	for range 100 {
		if err := s.Order(t.Context(), at, store.Order{Lock: l}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(s.Events(at)); err == nil {
			t.Fatal("the events of a builder that has gone are taken for those of the one to come")
		}
		if err := os.WriteFile(s.Events(at), []byte("old\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLockOfAFolderThatWentAwayIsTakenAnew(t *testing.T) {
	t.Parallel()
	s := open(t)
	held, err := s.TryLock(id(1))
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *filelock.Lock, 1)
	go func() {
		l, err := s.Lock(context.WithoutCancel(t.Context()), id(1))
		if err != nil {
			t.Error(err)
		}
		got <- l
	}()
	os.RemoveAll(filepath.Dir(s.Events(id(1))))
	held.Close()
	l := <-got
	if l == nil {
		return
	}
	defer l.Close()
	if _, err := s.TryLock(id(1)); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("TryLock while somebody has it = %v", err)
	}
}

func TestManifestsAreReadOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	build(t, s, id(1), map[string]string{"a": "b"})
	first, _ := s.Manifest(id(1))
	if second, _ := s.Manifest(id(1)); first != second {
		t.Error("the manifest was read twice")
	}
	if err := s.Remove(t.Context(), id(1)); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Manifest(id(1)); ok {
		t.Error("the manifest of a removed prefix is there")
	}
}

func BenchmarkFind(b *testing.B) {
	s := open(b)
	build(b, s, id(1), map[string]string{"a": "b"})
	for b.Loop() {
		if _, ok := s.Find(id(1)); !ok {
			b.Fatal("not found")
		}
	}
}
