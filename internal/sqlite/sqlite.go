// Package sqlite keeps records and jobs in one SQLite file: the storage.Backend and queue.Queue of a single host.
//
// One connection writes, a few read (WAL). All writes go through one goroutine that puts those that wait at the same
// time into one transaction, each in a savepoint of its own, so that they share a sync of the disk and not their
// failures. A write is on disk (synchronous=FULL) when its call returns.
//
// Several processes may have the file open at once, such as a command line next to the server: writers take turns, and
// everybody notices within pollEvery what the others wrote. Jobs that were claimed by one that was closed or has died, in
// whatever way, come back when the file is opened next, or within lookEvery where it is open.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/hopyard/hopyard/internal/watch"
	"github.com/hopyard/hopyard/plugins/queue"
	"github.com/hopyard/hopyard/plugins/storage"
)

const (
	maxReaders = 4                      // connections; each may cache up to cacheKB
	cacheKB    = 2000                   // pages kept by one connection
	busyFor    = 10 * time.Second       // how long to wait for a writer of another process
	pollEvery  = 100 * time.Millisecond // how soon the writes of other processes are noticed
	sweepEvery = 2 * time.Second        // how soon what has expired is deleted
	lookEvery  = 500 * time.Millisecond // how soon the claims of those who have gone are given back
)

// DB is an open file. All methods are safe for concurrent use.
type DB struct {
	log     *slog.Logger
	readers *sql.DB
	read    *statements
	writer  *writer
	records *records
	jobs    *jobs
	holders *holders

	stop  context.CancelFunc // ends the background work
	tasks sync.WaitGroup
	close func() error
}

// Open opens the file at path, in a directory that exists, and brings its tables up to this program's version. A new
// file belongs to its owner alone (mode 0600). A file that a newer program has changed is refused.
func Open(ctx context.Context, path string, log *slog.Logger) (*DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := create(abs); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if file, err := filepath.EvalSymlinks(abs); err == nil { // all names of the file have the same holders
		abs = file
	}
	holders, err := openHolders(abs)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db, err := open(ctx, dsn(abs), holders, log)
	if err != nil {
		_ = holders.close() // perhaps for the second time
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return db, nil
}

// create makes the file before SQLite does, for its mode. It never opens one that exists: closing that again would
// drop the locks which this process holds on it.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// dsn names the file with all that is to be set on each connection. busy_timeout comes first, because setting the
// others may already meet a busy file.
func dsn(path string) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyFor.Milliseconds()),
		"synchronous(full)",
		fmt.Sprintf("cache_size(-%d)", cacheKB),
		"mmap_size(0)",
		"journal_size_limit(8388608)",
		"temp_store(memory)",
		"trusted_schema(off)",
	}}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

func open(ctx context.Context, dsn string, holders *holders, log *slog.Logger) (*DB, error) {
	w, err := openWriter(ctx, dsn+"&_pragma=journal_mode(wal)") // the file stays in that mode
	if err != nil {
		return nil, err
	}
	readers, err := sql.Open("sqlite", dsn+"&_pragma=query_only(on)")
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	readers.SetMaxOpenConns(maxReaders)
	readers.SetMaxIdleConns(maxReaders)
	readers.SetConnMaxIdleTime(time.Minute)
	db := &DB{log: log, readers: readers, read: newStatements(readers), writer: w, holders: holders}
	db.close = sync.OnceValue(db.shut)
	db.records = &records{db: db}
	db.jobs = &jobs{db: db}
	if err := db.start(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// start gives back what was claimed by those who have gone, and begins the background work, which Close ends.
func (db *DB) start(ctx context.Context) error {
	db.release(ctx)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	db.stop = stop
	ears, err := db.readers.Conn(ctx)
	if err != nil {
		return err
	}
	db.tasks.Go(func() {
		defer func() { _ = ears.Close() }()
		db.listen(background, ears)
	})
	db.tasks.Go(func() { db.records.tail(background) })
	db.tasks.Go(func() { every(background, sweepEvery, db.sweep) })
	db.tasks.Go(func() { every(background, lookEvery, db.release) })
	return nil
}

// every does something now and then until the context ends.
func every(ctx context.Context, pause time.Duration, do func(context.Context)) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			do(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// Storage gives the records. Closing it ends its Watchers and leaves the file open.
func (db *DB) Storage() storage.Backend { return db.records }

// Queue gives the jobs. Closing it makes waiting Claims return and leaves the file open.
func (db *DB) Queue() queue.Queue { return db.jobs }

// Close ends the Storage and the Queue, waits for what is being written and closes the file. It is idempotent.
func (db *DB) Close() error { return db.close() }

func (db *DB) shut() error {
	err := errors.Join(db.records.Close(), db.jobs.Close())
	if db.stop != nil {
		db.stop()
	}
	db.tasks.Wait()
	return errors.Join(err, db.readers.Close(), db.writer.close(), db.holders.close())
}

// listen rings the bells when the file was written by anybody else. The version is one number in shared memory, so
// that asking costs next to nothing.
func (db *DB) listen(ctx context.Context, ears *sql.Conn) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last, deaf := int64(-1), false
	for {
		var version int64
		err := ears.QueryRowContext(context.WithoutCancel(ctx), "pragma data_version").Scan(&version)
		if err != nil && !deaf {
			db.log.WarnContext(ctx, "changes of other processes go unnoticed", "error", err)
		}
		if deaf = err != nil; !deaf && version != last {
			last = version
			db.records.changed.Ring()
			db.jobs.changed.Ring()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweep deletes what has expired.
func (db *DB) sweep(ctx context.Context) {
	if err := errors.Join(db.records.sweep(ctx), db.jobs.sweep(ctx)); err != nil && ctx.Err() == nil {
		db.log.WarnContext(ctx, "expired rows not swept", "error", err)
	}
}

// release gives back the jobs of holders who have gone. Where that fails their leases run out.
func (db *DB) release(ctx context.Context) {
	if err := db.holders.follow(); err != nil {
		db.log.WarnContext(ctx, "others may not know that this process lives", "error", err)
	}
	if err := db.jobs.release(ctx); err != nil && ctx.Err() == nil {
		db.log.WarnContext(ctx, "jobs of those who have gone are not given back yet", "error", err)
	}
}

// bells are what a transaction rings once it is on disk.
type bells []*watch.Bell

func (b bells) ring() {
	for _, bell := range b {
		bell.Ring()
	}
}
