package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopyard/hopyard/internal/sqlite"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/storage"
)

func TestNewFileBelongsToItsOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, filepath.Join(dir, "hopyard.db"))
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 4 {
		t.Fatalf("ReadDir() = %v, %v, want the file, its log, its index and the locks of its holders", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s = %v, %v, want 0600", f.Name(), info.Mode(), err)
		}
	}
}

func TestCloseLeavesTheFileAndAnEmptyOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "hopyard.db"))
	if _, err := db.Storage().Apply(t.Context(), storage.Put("k", nil)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Close(), db.Close()); err != nil {
		t.Errorf("Close() = %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("ReadDir() = %v, %v, want the file and that of its holders", files, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "hopyard.db-holders")); err != nil || info.Size() != 0 {
		t.Errorf("Stat() = %v, %v, want an empty file", info, err)
	}
}

func TestPathMayHoldAnyCharacters(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "100%25.db", "what?.db", "a#b&c=d.db", "é.db"} {
		path := filepath.Join(t.TempDir(), name)
		s := open(t, path).Storage()
		if _, err := s.Apply(t.Context(), storage.Put("k", nil)); err != nil {
			t.Errorf("Apply() to %s = %v", name, err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("Stat(%s) = %v, %v, want a database", name, info, err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	noDatabase := filepath.Join(dir, "text.db")
	if err := os.WriteFile(noDatabase, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	openAndClose(t, newer)
	execute(t, newer, "pragma user_version = 999")
	for path, want := range map[string]string{
		noDatabase:                          "not a database",
		newer:                               "schema version 999",
		filepath.Join(dir, "none", "db.db"): "no such file",
	} {
		db, err := sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler))
		if err == nil {
			t.Errorf("Open(%s) works", path)
			_ = db.Close()
			continue
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%s) = %v, want its path and %q", path, err, want)
		}
	}
}

func TestManyOpenANewFileAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hopyard.db")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			db, err := sqlite.Open(t.Context(), path, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Errorf("Open() = %v", err)
				return
			}
			if _, err := db.Storage().Apply(t.Context(), storage.Put(fmt.Sprint(i), nil)); err != nil {
				t.Errorf("Apply() = %v", err)
			}
			if err := db.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		})
	}
	wg.Wait()
	page, err := open(t, path).Storage().List(t.Context(), storage.Query{})
	if err != nil || len(page.Records) != 8 || page.Rev != 8 {
		t.Errorf("List() = %d records at revision %d, %v, want 8 at 8", len(page.Records), page.Rev, err)
	}
}

func TestClosingOnePartLeavesTheOther(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "hopyard.db"))
	if err := db.Storage().Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Queue().Enqueue(t.Context(), queue.Job{ID: "1", Kind: "build"}); err != nil {
		t.Errorf("Enqueue() after Storage.Close = %v", err)
	}
	if _, err := db.Storage().Get(t.Context(), "k"); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("Get() = %v, want ErrClosed", err)
	}
}

// TestWatcherOfACutTableMisses stands for a process that slept while another wrote more than is kept.
func TestWatcherOfACutTableMisses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hopyard.db")
	s := open(t, path).Storage()
	w, err := s.Watch(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	execute(t, path, `insert into changes (rev, n, key, deleted) values (5000, 0, 'k', 0)`)
	if c, err := w.Next(t.Context()); !errors.Is(err, storage.ErrMissed) {
		t.Errorf("Next() = %+v, %v, want ErrMissed", c, err)
	}
	if c, err := w.Next(t.Context()); err != nil || c.Rev != 5000 {
		t.Errorf("Next() = %+v, %v, want revision 5000", c, err)
	}
	if rev, err := s.Apply(t.Context(), storage.Put("k", nil)); err != nil || rev != 5001 {
		t.Errorf("Apply() = %d, %v, want 5001", rev, err)
	}
}

func TestTableOfChangesStaysBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "hopyard.db")
	s := open(t, path).Storage()
	execute(t, path, `
		with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
		insert into changes (rev, n, key, deleted) select i, 0, 'k', 0 from n`)
	last := storage.Revision(0)
	for range 500 {
		rev, err := s.Apply(t.Context(), storage.Put("k", nil))
		if err != nil || rev <= last {
			t.Fatalf("Apply() = %d, %v after %d", rev, err, last)
		}
		last = rev
	}
	var kept int
	query(t, path, "select count(*) from changes", &kept)
	if kept > 4096+256 {
		t.Errorf("%d changes are kept, want 4352 at most", kept)
	}
}

// execute runs a statement on the file as another program would.
func execute(t *testing.T, path, statement string) {
	t.Helper()
	raw(t, path, func(db *sql.DB) error {
		_, err := db.ExecContext(t.Context(), statement)
		return err
	})
}

func query(t *testing.T, path, statement string, into any) {
	t.Helper()
	raw(t, path, func(db *sql.DB) error { return db.QueryRowContext(t.Context(), statement).Scan(into) })
}

func raw(t *testing.T, path string, do func(db *sql.DB) error) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(do(db), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func openAndClose(t *testing.T, path string) {
	t.Helper()
	db, err := sqlite.Open(context.Background(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWhoOpensAnotherNameOfTheFileTakesNobodysJob(t *testing.T) {
	t.Parallel()
	path, link := filepath.Join(t.TempDir(), "db"), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	q := open(t, path).Queue()
	if err := q.Enqueue(t.Context(), queue.Job{ID: "1", Kind: "build"}); err != nil {
		t.Fatal(err)
	}
	claims, err := q.Claim(t.Context(), []string{"build"}, 1, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	open(t, link) // gives back what those who have gone had
	if _, err := q.Extend(t.Context(), claims[0], time.Hour); err != nil {
		t.Errorf("Extend() = %v", err)
	}
}
