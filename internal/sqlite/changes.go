package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hopyard/hopyard/plugins/storage"
)

const (
	// keepRevisions is how many of the newest revisions stay in the table of changes. A watcher that is further behind
	// has missed some.
	keepRevisions = 4096
	// trimEvery is how many revisions pass from one cut of that table to the next.
	trimEvery = 256
	// sweepAtOnce is how many expired records one transaction deletes, so that writers need not wait long.
	sweepAtOnce = 256
)

const (
	liveRevision = `select rev from records where key = ? and (expires is null or expires > ?)`
	putRecord    = `
		insert into records (key, value, rev, expires) values (?, ?, ?, ?)
		on conflict (key) do update set value = excluded.value, rev = excluded.rev, expires = excluded.expires`
	deleteRecord = `delete from records where key = ?`
	addChange    = `insert into changes (rev, n, key, deleted) values (?, ?, ?, ?)`
	trimChanges  = `delete from changes where rev <= ?`
)

// apply does the operations, or nothing if a condition does not hold.
func (s *records) apply(t *tx, ops []storage.Op) (storage.Revision, error) {
	now := time.Now().UnixMilli()
	for _, op := range ops {
		if err := t.check(op, now); err != nil {
			return 0, err
		}
	}
	return s.write(t, ops)
}

func (t *tx) check(op storage.Op, now int64) error {
	if op.If == (storage.Condition{}) {
		return nil
	}
	var rev storage.Revision
	err := t.row(liveRevision, []any{op.Key, now}, &rev)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if !op.If.Holds(rev, err == nil) {
		return fmt.Errorf("%w: %q", storage.ErrConflict, op.Key)
	}
	return nil
}

// write does the operations as the next revision, which is used up only if one of them changes something.
func (s *records) write(t *tx, ops []storage.Op) (storage.Revision, error) {
	next, n := t.rev+1, 0
	for _, op := range ops {
		did, err := t.change(op, next)
		if err != nil {
			return 0, err
		}
		if !did {
			continue
		}
		if _, err := t.exec(addChange, int64(next), n, op.Key, op.Kind == storage.OpDelete); err != nil {
			return 0, err
		}
		n++
	}
	if n == 0 {
		return t.rev, nil
	}
	t.rev, t.written, t.ring = next, true, append(t.ring, &s.changed)
	if next%trimEvery == 0 && next > keepRevisions {
		if _, err := t.exec(trimChanges, int64(next-keepRevisions)); err != nil {
			return 0, err
		}
	}
	return next, nil
}

// change does one operation and reports whether it made a difference.
func (t *tx) change(op storage.Op, rev storage.Revision) (bool, error) {
	switch op.Kind {
	case storage.OpPut:
		value := op.Value
		if value == nil {
			value = []byte{} // nil would be null
		}
		_, err := t.exec(putRecord, op.Key, value, int64(rev), millis(op.Expires))
		return true, err
	case storage.OpDelete:
		n, err := t.exec(deleteRecord, op.Key)
		return n > 0, err
	default:
		return false, nil
	}
}

// tail hands out changes whenever the bell rings, until the context ends.
func (s *records) tail(ctx context.Context) {
	for {
		rung := s.changed.Heard()
		if err := s.handOut(); err != nil {
			// What was not read now will be with the next ring, or is missed then.
			s.db.log.WarnContext(ctx, "changes not read", "error", err)
		}
		select {
		case <-rung:
		case <-ctx.Done():
			return
		}
	}
}

const changesSince = `select rev, key, deleted from changes where rev > ? order by rev, n`

// handOut gives all changes since the last time to the watchers. Revisions have no gaps, so one that is not the next
// shows that the table was cut in between.
func (s *records) handOut() error {
	s.tailM.Lock()
	defer s.tailM.Unlock()
	if s.hub.Idle() {
		return nil
	}
	return s.db.read.rows(changesSince, []any{int64(s.seen)}, func(scan func(...any) error) (bool, error) {
		var c storage.Change
		if err := scan(&c.Rev, &c.Key, &c.Deleted); err != nil {
			return false, err
		}
		if c.Rev > s.seen+1 {
			s.hub.Miss()
		}
		s.seen = c.Rev
		s.hub.Send(c)
		return true, nil
	})
}

const (
	anyExpired  = `select exists (select 1 from records where expires <= ?)`
	someExpired = `select key from records where expires <= ? limit ?`
)

// sweep deletes the records that have expired, and tells watchers of it as of any other deletion. Looking is left to a
// reader, so that with nothing to do nothing is locked.
func (s *records) sweep(ctx context.Context) error {
	for {
		now := time.Now().UnixMilli()
		var some bool
		if err := s.db.read.row(anyExpired, []any{now}, &some); err != nil || !some {
			return err
		}
		err := s.db.writer.do(ctx, func(t *tx) error {
			var ops []storage.Op
			err := t.rows(someExpired, []any{now, sweepAtOnce}, func(scan func(...any) error) (bool, error) {
				var key string
				err := scan(&key)
				ops = append(ops, storage.Delete(key))
				return true, err
			})
			if err != nil {
				return err
			}
			_, err = s.write(t, ops)
			return err
		})
		if err != nil {
			return err
		}
	}
}
