package store_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopyard/hopyard/envs/store"
)

func TestCollectKeepsWhatAnySiteWants(t *testing.T) {
	t.Parallel()
	s := open(t)
	for n := 1; n <= 4; n++ {
		build(t, s, id(n), map[string]string{"lib/a": "b"})
		err := os.WriteFile(s.ArchiveDraft(id(n)), []byte("tar"), 0o644)
		if err == nil {
			err = s.CommitArchive(id(n), s.ArchiveDraft(id(n)), strings.Repeat("0", 64))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for site, keep := range map[string][]string{"/data/one": {id(1), id(2)}, "/data/two": {id(2), id(9)}} {
		if err := s.SetRoots(t.Context(), site, keep); err != nil {
			t.Fatal(err)
		}
	}
	held, err := s.TryLock(id(3)) // being archived
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	done, err := s.Collect(t.Context())
	if err != nil || !slices.Equal(done.IDs, []string{id(4)}) || done.Bytes != 100 {
		t.Errorf("Collect = %+v, %v, want %s alone", done, err, id(4))
	}
	for n, want := range map[int]bool{1: true, 2: true, 3: true, 4: false} {
		if _, ok := s.Find(id(n)); ok != want {
			t.Errorf("prefix %d is there: %v", n, ok)
		}
		if _, ok := s.Archive(id(n)); n < 3 && !ok || n == 4 && ok {
			t.Errorf("archive %d is there: %v", n, ok)
		}
	}
}

func TestCollectGuessesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	build(t, s, id(1), map[string]string{"a": "b"})
	if err := os.WriteFile(filepath.Join(s.Dir(), "roots", "x.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Collect(t.Context()); err == nil {
		t.Error("Collect went on though it could not read what to keep")
	}
	if _, ok := s.Find(id(1)); !ok {
		t.Error("Collect removed what may be wanted")
	}
}

func TestUsageCountsEachFileOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	if s.Link() != "hardlink" {
		t.Skipf("this filesystem shares by %s", s.Link())
	}
	shared := filepath.Join(s.Dir(), "pkgs", "shared")
	if err := os.WriteFile(shared, []byte(strings.Repeat("x", 100<<10)), 0o444); err != nil {
		t.Fatal(err)
	}
	own := strings.Repeat("y", 40<<10)
	for n := 1; n <= 3; n++ {
		files := map[string]string{"own": own + fmt.Sprint(n)}
		if n < 3 {
			files["shared"], files["again"] = shared, own
		}
		build(t, s, id(n), files)
	}
	size := func(path string) int64 {
		total := int64(0)
		for p := range strings.FieldsSeq(path) {
			info, err := os.Stat(p)
			if err != nil {
				t.Fatal(err)
			}
			total += (info.Size() + 4095) / 4096 * 4096
		}
		return total
	}
	own1, again := filepath.Join(s.Prefix(id(1)), "own"), filepath.Join(s.Prefix(id(1)), "again")
	got, err := s.Usages([]string{id(1)}, []string{id(1), id(2)}, []string{id(1), id(1)}, []string{id(3)}, []string{id(8)})
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Usage{
		{Exclusive: size(own1 + " " + again), Shared: size(shared)},
		{Exclusive: 2*size(own1+" "+again) + size(shared)},
		{Exclusive: size(own1 + " " + again), Shared: size(shared)},
		{Exclusive: size(own1)},
		{},
	}
	if !slices.Equal(got, want) {
		t.Errorf("usages = %+v, want %+v", got, want)
	}
}

// cached makes a package in the cache.
func cached(t *testing.T, s *store.Store, name, text string) string {
	t.Helper()
	dir := filepath.Join(s.Packages(""), name)
	sum := sha256.Sum256([]byte(text))
	paths := fmt.Sprintf(`{"paths":[{"_path":"lib/a","path_type":"hardlink","sha256":%q,"size_in_bytes":%d}],"paths_version":1}`,
		hex.EncodeToString(sum[:]), len(text))
	for file, content := range map[string]string{"lib/a": text, "info/paths.json": paths} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "lib", "a")
}

func TestCachesKeepWhatIsLinkedOrNew(t *testing.T) {
	t.Parallel()
	s := open(t)
	if s.Link() != "hardlink" {
		t.Skipf("this filesystem shares by %s", s.Link())
	}
	build(t, s, id(1), map[string]string{"a": cached(t, s, "used-1-0", "used")})
	cached(t, s, "free-1-0", "free")
	half := filepath.Join(s.Packages(""), ".archives", "half.conda") // of a builder that was killed
	if err := errors.Join(os.Mkdir(filepath.Dir(half), 0o755), os.WriteFile(half, []byte("half an archive"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if done, err := s.CollectCaches(t.Context(), time.Hour); err != nil || len(done.IDs) > 0 {
		t.Errorf("CollectCaches of what is new = %+v, %v", done, err)
	}
	use, err := s.UseCaches(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if done, err := s.CollectCaches(t.Context(), -time.Hour); err != nil || len(done.IDs) > 0 {
		t.Errorf("CollectCaches while a builder uses them = %+v, %v", done, err)
	}
	use.Close()
	done, err := s.CollectCaches(t.Context(), -time.Hour)
	if err != nil || !slices.Equal(done.IDs, []string{"free-1-0", "half.conda"}) || done.Bytes == 0 {
		t.Errorf("CollectCaches = %+v, %v, want free-1-0 and half.conda", done, err)
	}
	if err := s.Remove(t.Context(), id(1)); err != nil {
		t.Fatal(err)
	}
	if done, _ := s.CollectCaches(t.Context(), -time.Hour); !slices.Equal(done.IDs, []string{"used-1-0"}) {
		t.Errorf("CollectCaches after the last prefix went = %+v", done)
	}
}

func TestScrubFindsWhatWasWritten(t *testing.T) {
	t.Parallel()
	s := open(t)
	cached(t, s, "good-1-0", "good")
	bad := cached(t, s, "bad-1-0", "bad")
	gone := cached(t, s, "gone-1-0", "gone")
	if damage, err := s.Scrub(t.Context()); err != nil || len(damage) > 0 {
		t.Errorf("Scrub of what is whole = %v, %v", damage, err)
	}
	if err := os.WriteFile(bad, []byte("sad"), 0o644); err != nil {
		t.Fatal(err)
	}
	os.Remove(gone)
	damage, err := s.Scrub(t.Context())
	if err != nil || len(damage) != 2 || damage[0].Package != "bad-1-0" || damage[0].Path != "lib/a" || damage[1].Package != "gone-1-0" {
		t.Errorf("Scrub = %+v, %v, want the two", damage, err)
	}
}

func TestDamagedPackagesLeaveTheCache(t *testing.T) {
	t.Parallel()
	s := open(t)
	if s.Link() != "hardlink" {
		t.Skipf("this filesystem shares by %s", s.Link())
	}
	good, bad := cached(t, s, "good-1-0", "good"), cached(t, s, "bad-1-0", "bad")
	build(t, s, id(1), map[string]string{"a": bad, "b": good})
	build(t, s, id(2), map[string]string{"b": good})
	if !s.Scrubbed().IsZero() {
		t.Errorf("scrubbed at %s, want never", s.Scrubbed())
	}
	if err := os.WriteFile(filepath.Join(s.Prefix(id(1)), "a"), []byte("sad"), 0o644); err != nil {
		t.Fatal(err)
	}
	damage, err := s.ScrubGently(t.Context())
	if err != nil || len(damage) != 1 || s.Scrubbed().IsZero() {
		t.Fatalf("ScrubGently = %+v, %v, want bad-1-0", damage, err)
	}
	gone, err := s.Expel(t.Context(), damage)
	if err != nil || len(gone) != 1 || gone[0].Package != "bad-1-0" || !slices.Equal(gone[0].Prefixes, []string{id(1)}) {
		t.Errorf("Expel = %+v, %v, want bad-1-0, which the first prefix has", gone, err)
	}
	if _, err := os.Stat(bad); err == nil {
		t.Error("the damaged package is still in the cache")
	}
	if _, err := os.Stat(good); err != nil {
		t.Error(err)
	}
	if gone, err := s.Expel(t.Context(), damage); err != nil || len(gone) > 0 {
		t.Errorf("Expel again = %+v, %v, want nothing", gone, err)
	}
}

func TestCollectLeavesWhatAProgramHolds(t *testing.T) {
	t.Parallel()
	s := open(t)
	build(t, s, id(1), map[string]string{"a": "b"})
	held, err := store.Hold(s.Prefix(id(1)))
	if err != nil {
		t.Fatal(err)
	}
	if done, err := s.Collect(t.Context()); err != nil || len(done.IDs) > 0 {
		t.Errorf("Collect of what a program holds = %+v, %v", done, err)
	}
	held.Close()
	if done, err := s.Collect(t.Context()); err != nil || len(done.IDs) != 1 {
		t.Errorf("Collect after the program = %+v, %v, want it gone", done, err)
	}
	if _, err := store.Hold(s.Prefix(id(1))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Hold of what has gone = %v", err)
	}
}
