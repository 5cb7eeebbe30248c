package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/sqlite"
	"github.com/hopyard/hopyard/plugins/storage"
)

func holders(db *sqlite.DB) storage.Holders { return db.Storage().(storage.Holders) }

// mustBeGone checks what a handle says of the one of that name.
func mustBeGone(t *testing.T, db *sqlite.DB, name string, want bool) {
	t.Helper()
	if gone, err := holders(db).Gone(t.Context(), name); err != nil || gone != want {
		t.Errorf("Gone(%q) = %v, %v, want %v", name, gone, err, want)
	}
}

// moved waits until a handle has another name than that.
func moved(t *testing.T, db *sqlite.DB, from string) string {
	t.Helper()
	name := holders(db).Holder()
	for deadline := time.Now().Add(2 * time.Minute); name == from; name = holders(db).Holder() {
		if time.Now().After(deadline) {
			t.Fatal("the handle does not notice that its file has gone")
		}
		time.Sleep(5 * time.Millisecond)
	}
	return name
}

// meddling is what people do to the file of locks.
var meddling = map[string]func(file string) error{
	"removed":  os.Remove,
	"replaced": func(file string) error { return errors.Join(os.Remove(file), os.WriteFile(file, nil, 0o600)) },
	"put aside": func(file string) error {
		return errors.Join(os.Rename(file, file+".old"), os.WriteFile(file, nil, 0o600))
	},
}

func TestWhoComesAfterTheFileOfLocksWasTakenAwaySparesTheLiving(t *testing.T) {
	t.Parallel()
	for name, meddle := range meddling {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "hopyard.db")
			one := open(t, path)
			enqueue(t, one.Queue(), "1")
			job, old := claim(t, one.Queue(), "1"), holders(one).Holder()
			if err := meddle(path + "-holders"); err != nil {
				t.Fatal(err)
			}
			two := open(t, path) // gives back what those who have gone had
			if _, err := one.Queue().Extend(t.Context(), job, time.Hour); err != nil {
				t.Errorf("Extend() = %v, want that the job stays with its holder", err)
			}
			mustBeGone(t, two, old, false)
			mustBeGone(t, one, holders(two).Holder(), false)
		})
	}
}

func TestHandlesFindEachOtherAgainAfterTheFileOfLocksWasTakenAway(t *testing.T) {
	t.Parallel()
	for name, meddle := range meddling {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "hopyard.db")
			one, witness := open(t, path), open(t, path)
			old, hers := holders(one).Holder(), holders(witness).Holder()
			if err := meddle(path + "-holders"); err != nil {
				t.Fatal(err)
			}
			late, name := open(t, path), moved(t, one, old)
			moved(t, witness, hers)
			for _, db := range []*sqlite.DB{one, witness, late} {
				mustBeGone(t, db, old, false)
				mustBeGone(t, db, name, false)
			}
			if err := one.Close(); err != nil {
				t.Fatal(err)
			}
			mustBeGone(t, witness, old, true) // it was there when the file was
			mustBeGone(t, late, old, false)   // it cannot know
			mustBeGone(t, witness, name, true)
			mustBeGone(t, late, name, true)
		})
	}
}

func TestFolderThatHasGoneStopsNobody(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	one := open(t, filepath.Join(dir, "hopyard.db"))
	two := open(t, filepath.Join(dir, "hopyard.db"))
	if err := os.Remove(filepath.Join(dir, "hopyard.db-holders")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".moved"); err != nil {
		t.Fatal(err)
	}
	name := holders(one).Holder()
	mustBeGone(t, two, name, false)
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	mustBeGone(t, two, name, true)
}
