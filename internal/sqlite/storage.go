package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopyard/hopyard/internal/watch"
	"github.com/hopyard/hopyard/plugins/storage"
)

// records is the storage.Backend of a DB.
type records struct {
	db      *DB
	changed watch.Bell // rings when there may be new changes
	closed  atomic.Bool

	hub   watch.Hub
	tailM sync.Mutex       // held while changes are read and handed out
	seen  storage.Revision // handed out up to here; guarded by tailM
}

const getRecord = `select value, rev, expires from records where key = ? and (expires is null or expires > ?)`

// Get implements storage.Backend.
func (s *records) Get(ctx context.Context, key string) (storage.Record, error) {
	if err := s.usable(ctx); err != nil {
		return storage.Record{}, err
	}
	r := storage.Record{Key: key}
	var expires sql.NullInt64
	err := s.db.read.row(getRecord, []any{key, time.Now().UnixMilli()}, &r.Value, &r.Rev, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return storage.Record{}, fmt.Errorf("%w: %q", storage.ErrNotFound, key)
	}
	if err != nil {
		return storage.Record{}, fmt.Errorf("get %q: %w", key, s.unread(err))
	}
	r.Expires = fromMillis(expires)
	return r, nil
}

const (
	listForward = `
		select key, value, rev, expires from records
		where key >= ? and key < ? and (expires is null or expires > ?) order by key limit ?`
	listReverse = `
		select key, value, rev, expires from records
		where key >= ? and key < ? and (expires is null or expires > ?) order by key desc limit ?`
	newestRevision = `select coalesce(max(rev), 0) from changes`
)

// List implements storage.Backend.
func (s *records) List(ctx context.Context, q storage.Query) (storage.Page, error) {
	if err := s.usable(ctx); err != nil {
		return storage.Page{}, err
	}
	page, err := s.page(q)
	if err != nil {
		return storage.Page{}, fmt.Errorf("list %q: %w", q.Prefix, s.unread(err))
	}
	return page, nil
}

func (s *records) page(q storage.Query) (page storage.Page, err error) {
	// The revision is read first, so that the page is as new as it says, or newer.
	if err := s.db.read.row(newestRevision, nil, &page.Rev); err != nil {
		return page, err
	}
	if q.Limit <= 0 || q.Limit > storage.MaxPage {
		q.Limit = storage.MaxPage
	}
	query := listForward
	if q.Reverse {
		query = listReverse
	}
	from, to := bounds(q)
	size := 0
	// One record more than asked for tells whether another page follows.
	args := []any{from, to, time.Now().UnixMilli(), q.Limit + 1}
	err = s.db.read.rows(query, args, func(scan func(...any) error) (bool, error) {
		if len(page.Records) == q.Limit || size >= storage.MaxPageBytes {
			page.Next = page.Records[len(page.Records)-1].Key
			return false, nil
		}
		var r storage.Record
		var expires sql.NullInt64
		if err := scan(&r.Key, &r.Value, &r.Rev, &expires); err != nil {
			return false, err
		}
		r.Expires = fromMillis(expires)
		page.Records = append(page.Records, r)
		size += len(r.Value)
		return true, nil
	})
	return page, err
}

// bounds turns a query into a half-open range of keys: key >= from and key < to.
func bounds(q storage.Query) (from string, to any) {
	from, to = q.Prefix, prefixEnd(q.Prefix)
	switch end, bounded := to.(string); {
	case q.After == "":
	case !q.Reverse && q.After >= from:
		from = q.After + "\x00" // the next string in byte order
	case q.Reverse && (!bounded || q.After < end):
		to = q.After
	}
	return from, to
}

// prefixEnd gives the first string that sorts after all that begin with prefix. Where there is none it gives a blob,
// because SQLite sorts every blob after every text.
func prefixEnd(prefix string) any {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return []byte{0}
}

// Apply implements storage.Backend.
func (s *records) Apply(ctx context.Context, ops ...storage.Op) (storage.Revision, error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	if err := storage.Validate(ops); err != nil {
		return 0, err
	}
	var rev storage.Revision
	err := s.db.writer.do(ctx, func(t *tx) (err error) {
		rev, err = s.apply(t, ops)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("apply: %w", translate(err, storage.ErrClosed, storage.ErrFull))
	}
	return rev, nil
}

// Watch implements storage.Backend.
func (s *records) Watch(ctx context.Context, prefix string) (storage.Watcher, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	// No change may be handed out between the look at the revision and the opening.
	s.tailM.Lock()
	defer s.tailM.Unlock()
	var rev storage.Revision
	if err := s.db.read.row(newestRevision, nil, &rev); err != nil {
		return nil, fmt.Errorf("watch %q: %w", prefix, s.unread(err))
	}
	if s.hub.Idle() {
		s.seen = rev
	}
	return s.hub.Open(prefix, rev)
}

// Close implements storage.Backend.
func (s *records) Close() error {
	s.closed.Store(true)
	s.hub.Close()
	return nil
}

// Holder implements storage.Holders.
func (s *records) Holder() string { return s.db.holders.name() }

// Gone implements storage.Holders.
func (s *records) Gone(ctx context.Context, holder string) (bool, error) {
	if err := s.usable(ctx); err != nil {
		return false, err
	}
	gone, err := s.db.holders.gone(holder)
	if err != nil {
		return false, s.unread(err)
	}
	return gone, nil
}

func (s *records) usable(ctx context.Context) error {
	if s.closed.Load() {
		return storage.ErrClosed
	}
	return context.Cause(ctx)
}

// unread explains why a read failed: the file may have been closed under it, for which database/sql has no sentinel.
func (s *records) unread(err error) error {
	if s.closed.Load() {
		return storage.ErrClosed
	}
	return err
}

func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

func fromMillis(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}

var (
	_ storage.Backend = (*records)(nil)
	_ storage.Holders = (*records)(nil)
)
