package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/storage"
)

func openTest(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "hopyard.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// grouped holds the writer, lets the calls pile up behind it and then lets them all go, so that they share one
// transaction.
func grouped(t *testing.T, db *DB, calls ...func() error) []error {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	go func() {
		_ = db.writer.do(context.Background(), func(*tx) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	errs := make([]error, len(calls))
	var started, ended sync.WaitGroup
	for i, call := range calls {
		started.Add(1)
		ended.Go(func() {
			started.Done()
			errs[i] = call()
		})
	}
	started.Wait()
	close(release)
	ended.Wait()
	return errs
}

func TestRefusedWriteLeavesItsGroupAlone(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	s := db.Storage()
	if _, err := s.Apply(t.Context(), storage.Put("taken", nil)); err != nil {
		t.Fatal(err)
	}
	var calls []func() error
	for i := range 30 {
		calls = append(calls, func() error {
			ops := []storage.Op{storage.Put(fmt.Sprintf("k/%d", i), nil)}
			if i%3 == 0 {
				ops = append(ops, storage.Create("taken", nil))
			}
			_, err := s.Apply(t.Context(), ops...)
			return err
		}, func() error {
			return db.Queue().Enqueue(t.Context(), queue.Job{ID: fmt.Sprint(i), Kind: "build", UniqueKey: fmt.Sprint(i / 2)})
		})
	}
	errs := grouped(t, db, calls...)
	duplicates := 0
	for i := range 30 {
		if apply := errs[2*i]; errors.Is(apply, storage.ErrConflict) != (i%3 == 0) || i%3 != 0 && apply != nil {
			t.Errorf("Apply(%d) = %v", i, apply)
		}
		_, err := s.Get(t.Context(), fmt.Sprintf("k/%d", i))
		if errors.Is(err, storage.ErrNotFound) != (i%3 == 0) {
			t.Errorf("Get(k/%d) = %v", i, err)
		}
		if errors.Is(errs[2*i+1], queue.ErrDuplicate) {
			duplicates++
		} else if errs[2*i+1] != nil {
			t.Errorf("Enqueue(%d) = %v", i, errs[2*i+1])
		}
	}
	if duplicates != 15 {
		t.Errorf("%d duplicates, want one of each pair", duplicates)
	}
}

func TestBrokenWriteLeavesItsGroupAlone(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	var calls []func() error
	for i := range 10 {
		calls = append(calls, func() error {
			if i == 5 {
				return db.writer.do(t.Context(), func(t *tx) error {
					_, err := t.exec("no such statement")
					return err
				})
			}
			_, err := db.Storage().Apply(t.Context(), storage.Create(fmt.Sprint(i), nil))
			return err
		})
	}
	for i, err := range grouped(t, db, calls...) {
		if (err != nil) != (i == 5) {
			t.Errorf("call %d = %v", i, err)
		}
	}
	page, err := db.Storage().List(t.Context(), storage.Query{})
	if err != nil || len(page.Records) != 9 || page.Rev != 9 {
		t.Errorf("List() = %d records at revision %d, %v, want 9 at 9", len(page.Records), page.Rev, err)
	}
}

func TestCancelledWaiterTurnsAway(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	held, release := make(chan struct{}), make(chan struct{})
	go func() {
		_ = db.writer.do(context.Background(), func(*tx) error { close(held); <-release; return nil })
	}()
	<-held
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	got := make(chan error)
	go func() { _, err := db.Storage().Apply(ctx, storage.Put("k", nil)); got <- err }()
	cancel(cause)
	if err := <-got; !errors.Is(err, cause) {
		t.Errorf("Apply() = %v, want the cause", err)
	}
	close(release)
	if _, err := db.Storage().Get(t.Context(), "k"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get() = %v, want ErrNotFound", err)
	}
}

func TestFullDiskChangesNothing(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	s := db.Storage()
	if _, err := s.Apply(t.Context(), storage.Put("k", []byte("before"))); err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) {
		err := db.writer.do(t.Context(), func(t *tx) error {
			_, err := t.exec(fmt.Sprintf("pragma max_page_count = %d", pages))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // SQLite takes the present size instead
	big := make([]byte, storage.MaxValue)
	if _, err := s.Apply(t.Context(), storage.Put("k", []byte("after")), storage.Put("big", big)); !errors.Is(err, storage.ErrFull) {
		t.Errorf("Apply() = %v, want ErrFull", err)
	}
	err := db.Queue().Enqueue(t.Context(), queue.Job{ID: "1", Kind: "build", Payload: big})
	if !errors.Is(err, queue.ErrFull) {
		t.Errorf("Enqueue() = %v, want ErrFull", err)
	}
	errs := grouped(t, db,
		func() error { _, err := s.Apply(t.Context(), storage.Put("big", big)); return err },
		func() error { _, err := s.Apply(t.Context(), storage.Put("small", nil)); return err },
	)
	if !errors.Is(errs[0], storage.ErrFull) || errs[1] != nil {
		t.Errorf("grouped Apply() = %v, want ErrFull for the big one alone", errs)
	}
	if r, err := s.Get(t.Context(), "k"); err != nil || string(r.Value) != "before" {
		t.Errorf("Get(k) = %q, %v, want before", r.Value, err)
	}
	limit(1 << 30)
	if _, err := s.Apply(t.Context(), storage.Put("big", big)); err != nil {
		t.Errorf("Apply() with room again = %v", err)
	}
}

func TestMigrationGoesForwardOverOldRows(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	if _, err := db.Storage().Apply(t.Context(), storage.Put("k", []byte("v"))); err != nil {
		t.Fatal(err)
	}
	scripts, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	conn := db.writer.conn
	good := append(scripts, "alter table records add column note text; update records set note = 'old'")
	bad := append(good, "create table half (x); no such statement")
	if err := migrate(t.Context(), conn, bad); err == nil {
		t.Error("migrate(bad script) works")
	}
	if _, err := conn.ExecContext(t.Context(), "select note from records"); err == nil {
		t.Error("a failed migration left its first step")
	}
	for range 2 {
		if err := migrate(t.Context(), conn, good); err != nil {
			t.Errorf("migrate() = %v", err)
		}
	}
	if r, err := db.Storage().Get(t.Context(), "k"); err != nil || string(r.Value) != "v" {
		t.Errorf("Get(k) = %q, %v, want v", r.Value, err)
	}
	if err := migrate(t.Context(), conn, scripts); err == nil {
		t.Error("an older program opens a newer file")
	}
}

func TestEndedJobsAreForgottenInTheEnd(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	q := db.Queue()
	for _, id := range []string{"old", "young", "open"} {
		if err := q.Enqueue(t.Context(), queue.Job{ID: id, Kind: "build"}); err != nil {
			t.Fatal(err)
		}
	}
	err := db.writer.do(t.Context(), func(t *tx) error {
		t.written = true
		_, err := t.exec(`update jobs set finished = case id
			when 'old' then 1 when 'young' then unixepoch() * 1000 end`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.jobs.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]error{"old": nil, "young": queue.ErrDuplicate, "open": queue.ErrDuplicate} {
		if err := q.Enqueue(t.Context(), queue.Job{ID: id, Kind: "build"}); !errors.Is(err, want) {
			t.Errorf("Enqueue(%s) = %v, want %v", id, err, want)
		}
	}
}
