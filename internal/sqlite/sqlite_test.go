package sqlite_test

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/hopyard/hopyard/internal/sqlite"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/queue/queuetest"
	"github.com/hopyard/hopyard/plugins/storage"
	"github.com/hopyard/hopyard/plugins/storage/storagetest"
)

func TestStorage(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, newStorage)
}

func BenchmarkStorage(b *testing.B) { storagetest.Benchmark(b, newStorage) }

func newStorage(tb testing.TB) storagetest.World {
	path := filepath.Join(tb.TempDir(), "hopyard.db")
	return storagetest.World{Reopens: true, Shares: true, Notices: true, Open: func(tb testing.TB) storage.Backend {
		db := open(tb, path)
		s := db.Storage()
		return store{s, s.(storage.Holders), db}
	}}
}

// store is a handle that closes its file too.
type store struct {
	storage.Backend
	storage.Holders
	db *sqlite.DB
}

func (s store) Close() error { return errors.Join(s.Backend.Close(), s.db.Close()) }

func TestQueue(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, func(tb testing.TB) queuetest.World {
		path := filepath.Join(tb.TempDir(), "hopyard.db")
		return queuetest.World{Reopens: true, Shares: true, Notices: true, Open: func(tb testing.TB) queue.Queue {
			db := open(tb, path)
			return jobs{db.Queue(), db}
		}}
	})
}

// jobs is a handle that closes its file too.
type jobs struct {
	queue.Queue
	db *sqlite.DB
}

func (j jobs) Close() error { return errors.Join(j.Queue.Close(), j.db.Close()) }

func open(tb testing.TB, path string) *sqlite.DB {
	tb.Helper()
	db, err := sqlite.Open(tb.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatalf("Open(%s) = %v", path, err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("Close() = %v", err)
		}
	})
	return db
}
