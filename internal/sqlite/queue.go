package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hopyard/hopyard/internal/watch"
	"github.com/hopyard/hopyard/plugins/queue"
)

// jobs is the queue.Queue of a DB.
type jobs struct {
	db      *DB
	changed watch.Bell // rings when a job may have become due
	closed  atomic.Bool
}

const addJob = `
	insert into jobs (id, kind, unique_key, payload, priority, max_attempts, due)
	values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing`

// Enqueue implements queue.Queue.
func (q *jobs) Enqueue(ctx context.Context, job queue.Job) error {
	if err := job.Validate(); err != nil {
		return err
	}
	unique := sql.NullString{String: job.UniqueKey, Valid: job.UniqueKey != ""}
	payload := append([]byte{}, job.Payload...) // never nil, which would be null
	due := int64(0)
	if !job.NotBefore.IsZero() {
		due = job.NotBefore.Add(time.Millisecond - 1).UnixMilli() // rounded up: never too early
	}
	return q.write(ctx, "enqueue", func(t *tx) error {
		if err := putAside(t, time.Now()); err != nil {
			return err
		}
		n, err := t.exec(addJob, job.ID, job.Kind, unique, payload, job.Priority, job.MaxAttempts, due)
		if err == nil && n == 0 {
			return fmt.Errorf("%w: job %s", queue.ErrDuplicate, job.ID)
		}
		t.ring = append(t.ring, &q.changed)
		return err
	})
}

const exhaust = `
	update jobs set finished = ?1, failed = 1, token = null, reason = coalesce(reason, 'the last lease ran out')
	where finished is null and due <= ?1 and token is not null and max_attempts > 0 and attempts >= max_attempts`

// putAside ends the jobs whose last lease has run out.
func putAside(t *tx, now time.Time) error {
	_, err := t.exec(exhaust, now.UnixMilli())
	return err
}

// Claim implements queue.Queue.
func (q *jobs) Claim(ctx context.Context, kinds []string, max int, lease time.Duration) ([]queue.Claim, error) {
	if err := queue.ValidateClaim(kinds, max, lease); err != nil {
		return nil, err
	}
	list, err := json.Marshal(kinds)
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	for {
		rung := q.changed.Heard()
		wait, err := q.nextDue(ctx, string(list))
		if err != nil {
			return nil, err
		}
		if wait <= 0 {
			claims, err := q.take(ctx, string(list), max, lease)
			if err != nil || len(claims) > 0 {
				return claims, err
			}
			continue // another was faster
		}
		timer := time.NewTimer(wait)
		select {
		case <-rung:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

const earliestDue = `
	select due from jobs where finished is null and kind in (select value from json_each(?)) order by due limit 1`

// nextDue tells how long it is until the next job may be claimed. It only reads: whoever waits locks nothing.
func (q *jobs) nextDue(ctx context.Context, kinds string) (time.Duration, error) {
	if err := q.usable(ctx); err != nil {
		return 0, err
	}
	var due int64
	switch err := q.db.read.row(earliestDue, []any{kinds}, &due); {
	case errors.Is(err, sql.ErrNoRows):
		return time.Hour, nil
	case err != nil && q.closed.Load():
		return 0, queue.ErrClosed // the file was closed under the read
	case err != nil:
		return 0, fmt.Errorf("claim: %w", err)
	}
	return time.Until(time.UnixMilli(due)), nil
}

const (
	dueJobs = `
		select seq, id, kind, coalesce(unique_key, ''), payload, priority, max_attempts, attempts from jobs
		where finished is null and due <= ? and kind in (select value from json_each(?))
		order by priority desc, seq limit ?`
	leaseJob = `update jobs set attempts = attempts + 1, token = ?, due = ? where seq = ?`
)

// take claims what is due now.
func (q *jobs) take(ctx context.Context, kinds string, max int, lease time.Duration) ([]queue.Claim, error) {
	var claims []queue.Claim
	err := q.write(ctx, "claim", func(t *tx) error {
		now := time.Now()
		if err := putAside(t, now); err != nil {
			return err
		}
		var seqs []int64
		var err error
		if claims, seqs, err = t.due(now, kinds, max); err != nil {
			return err
		}
		for i := range claims {
			c := &claims[i]
			c.Attempt, c.Token, c.Until = c.Attempt+1, q.db.holders.token(), endOfLease(now, lease)
			if _, err := t.exec(leaseJob, c.Token, c.Until.UnixMilli(), seqs[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claims, nil
}

func (t *tx) due(now time.Time, kinds string, max int) (claims []queue.Claim, seqs []int64, err error) {
	args := []any{now.UnixMilli(), kinds, max}
	err = t.rows(dueJobs, args, func(scan func(...any) error) (bool, error) {
		var seq int64
		var c queue.Claim
		err := scan(&seq, &c.Job.ID, &c.Job.Kind, &c.Job.UniqueKey, &c.Job.Payload, &c.Job.Priority,
			&c.Job.MaxAttempts, &c.Attempt)
		claims, seqs = append(claims, c), append(seqs, seq)
		return true, err
	})
	return claims, seqs, err
}

// endOfLease is in whole milliseconds, as the file keeps it, so that both agree on who is late.
func endOfLease(now time.Time, lease time.Duration) time.Time {
	return time.UnixMilli(now.Add(lease).UnixMilli()).UTC()
}

const extendLease = `update jobs set due = ? where id = ? and token = ? and due > ? and finished is null`

// Extend implements queue.Queue.
func (q *jobs) Extend(ctx context.Context, c queue.Claim, lease time.Duration) (queue.Claim, error) {
	err := q.write(ctx, "extend", func(t *tx) error {
		now := time.Now()
		c.Until = endOfLease(now, lease)
		return held(c)(t.exec(extendLease, c.Until.UnixMilli(), c.Job.ID, c.Token, now.UnixMilli()))
	})
	if err != nil {
		return queue.Claim{}, err
	}
	return c, nil
}

const completeJob = `
	update jobs set finished = ?1, token = null, payload = x'' where id = ?2 and token = ?3 and due > ?1 and finished is null`

// Complete implements queue.Queue.
func (q *jobs) Complete(ctx context.Context, c queue.Claim) error {
	return q.write(ctx, "complete", func(t *tx) error {
		return held(c)(t.exec(completeJob, time.Now().UnixMilli(), c.Job.ID, c.Token))
	})
}

const retryJob = `
	update jobs set token = null, due = ?4, reason = ?5,
		finished = case when max_attempts > 0 and attempts >= max_attempts then ?1 end,
		failed = max_attempts > 0 and attempts >= max_attempts
	where id = ?2 and token = ?3 and due > ?1 and finished is null`

// Retry implements queue.Queue.
func (q *jobs) Retry(ctx context.Context, c queue.Claim, after time.Duration, reason string) error {
	return q.write(ctx, "retry", func(t *tx) error {
		now := time.Now()
		t.ring = append(t.ring, &q.changed)
		return held(c)(t.exec(retryJob, now.UnixMilli(), c.Job.ID, c.Token, now.Add(after).UnixMilli(), reason))
	})
}

const (
	heldTokens = `select token from jobs where finished is null and due > ? and token is not null`
	endLease   = `update jobs set due = ?1 where finished is null and due > ?1 and token = ?2`
)

// release ends the leases of holders who have gone, as if they had run out.
func (q *jobs) release(ctx context.Context) error {
	var orphans []string
	err := q.db.read.rows(heldTokens, []any{time.Now().UnixMilli()}, func(scan func(...any) error) (bool, error) {
		var token string
		if err := scan(&token); err != nil {
			return false, err
		}
		gone, err := q.db.holders.claimantGone(token)
		if gone {
			orphans = append(orphans, token)
		}
		return true, err
	})
	if err != nil || len(orphans) == 0 {
		return err
	}
	return q.write(ctx, "release", func(t *tx) error {
		now := time.Now().UnixMilli()
		t.ring = append(t.ring, &q.changed)
		for _, token := range orphans {
			if _, err := t.exec(endLease, now, token); err != nil {
				return err
			}
		}
		return nil
	})
}

// held turns an update that met no row into ErrLeaseLost.
func held(c queue.Claim) func(rows int64, err error) error {
	return func(rows int64, err error) error {
		if err == nil && rows == 0 {
			return fmt.Errorf("%w: job %s", queue.ErrLeaseLost, c.Job.ID)
		}
		return err
	}
}

// write runs a write of the queue's, which always changes something or is refused.
func (q *jobs) write(ctx context.Context, what string, do func(*tx) error) error {
	if err := q.usable(ctx); err != nil {
		return err
	}
	err := q.db.writer.do(ctx, func(t *tx) error {
		t.written = true
		return do(t)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, translate(err, queue.ErrClosed, queue.ErrFull))
	}
	return nil
}

const (
	anyForgettable = `select exists (select 1 from jobs where finished <= ?)`
	forgetJobs     = `delete from jobs where seq in (select seq from jobs where finished <= ? limit ?)`
)

// sweep forgets the jobs that ended long enough ago.
func (q *jobs) sweep(ctx context.Context) error {
	for {
		before := time.Now().Add(-queue.Remembered).UnixMilli()
		var some bool
		if err := q.db.read.row(anyForgettable, []any{before}, &some); err != nil || !some {
			return err
		}
		err := q.write(ctx, "forget", func(t *tx) error {
			_, err := t.exec(forgetJobs, before, sweepAtOnce)
			return err
		})
		if err != nil {
			return err
		}
	}
}

// Close implements queue.Queue.
func (q *jobs) Close() error {
	q.closed.Store(true)
	q.changed.Ring()
	return nil
}

func (q *jobs) usable(ctx context.Context) error {
	if q.closed.Load() {
		return queue.ErrClosed
	}
	return context.Cause(ctx)
}

var _ queue.Queue = (*jobs)(nil)
