package memory

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hopyard/hopyard/internal/watch"
	"github.com/hopyard/hopyard/plugins/queue"
)

// Queue is a queue.Queue in memory. It remembers the IDs of ended jobs for as long as it lives.
type Queue struct {
	bell watch.Bell // rings when a job may have become due

	mu     sync.Mutex
	known  map[string]struct{} // IDs ever seen; guarded by mu
	open   []*entry            // unfinished jobs in the order they came; guarded by mu
	closed bool                // guarded by mu
}

// entry is an unfinished job.
type entry struct {
	job      queue.Job
	due      time.Time // when it may be claimed: not before, after a retry, or when the lease ends
	attempts int
	token    string // of the lease, empty if none was given since it came or was given back
}

// NewQueue returns an empty Queue.
func NewQueue() *Queue { return &Queue{known: make(map[string]struct{})} }

// Enqueue implements queue.Queue.
func (q *Queue) Enqueue(ctx context.Context, job queue.Job) error {
	if err := job.Validate(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.usable(ctx); err != nil {
		return err
	}
	q.putAside(time.Now())
	if _, known := q.known[job.ID]; known || q.taken(job) {
		return fmt.Errorf("%w: job %s", queue.ErrDuplicate, job.ID)
	}
	q.known[job.ID] = struct{}{}
	job.Payload = bytes.Clone(job.Payload)
	q.open = append(q.open, &entry{job: job, due: job.NotBefore})
	q.bell.Ring()
	return nil
}

func (q *Queue) taken(job queue.Job) bool {
	return job.UniqueKey != "" && slices.ContainsFunc(q.open, func(e *entry) bool {
		return e.job.Kind == job.Kind && e.job.UniqueKey == job.UniqueKey
	})
}

// Claim implements queue.Queue.
func (q *Queue) Claim(ctx context.Context, kinds []string, max int, lease time.Duration) ([]queue.Claim, error) {
	if err := queue.ValidateClaim(kinds, max, lease); err != nil {
		return nil, err
	}
	for {
		rung := q.bell.Heard()
		claims, next, err := q.take(ctx, kinds, max, lease)
		if err != nil || len(claims) > 0 {
			return claims, err
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-rung:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// take claims what is due now, and says when to look again if nothing is.
func (q *Queue) take(ctx context.Context, kinds []string, max int, lease time.Duration) ([]queue.Claim, time.Time, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	next := now.Add(time.Hour)
	if err := q.usable(ctx); err != nil {
		return nil, next, err
	}
	q.putAside(now)
	var due []*entry
	for _, e := range q.open {
		switch {
		case !slices.Contains(kinds, e.job.Kind):
		case e.due.After(now):
			next = earlier(next, e.due)
		default:
			due = append(due, e)
		}
	}
	slices.SortStableFunc(due, func(a, b *entry) int { return cmp.Compare(b.job.Priority, a.job.Priority) })
	var claims []queue.Claim
	for _, e := range due[:min(max, len(due))] {
		e.attempts++
		e.token, e.due = rand.Text(), now.Add(lease)
		claims = append(claims, e.claim())
	}
	return claims, next, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (e *entry) claim() queue.Claim {
	job := e.job
	job.Payload = bytes.Clone(job.Payload)
	return queue.Claim{Job: job, Attempt: e.attempts, Until: e.due, Token: e.token}
}

// putAside drops the jobs whose last lease has run out.
func (q *Queue) putAside(now time.Time) {
	q.open = slices.DeleteFunc(q.open, func(e *entry) bool {
		return e.token != "" && e.exhausted() && !e.due.After(now)
	})
}

func (e *entry) exhausted() bool { return e.job.MaxAttempts > 0 && e.attempts >= e.job.MaxAttempts }

// Extend implements queue.Queue.
func (q *Queue) Extend(ctx context.Context, c queue.Claim, lease time.Duration) (queue.Claim, error) {
	var extended queue.Claim
	err := q.held(ctx, c, func(i int) {
		q.open[i].due = time.Now().Add(lease)
		extended = q.open[i].claim()
	})
	return extended, err
}

// Complete implements queue.Queue.
func (q *Queue) Complete(ctx context.Context, c queue.Claim) error {
	return q.held(ctx, c, func(i int) { q.open = slices.Delete(q.open, i, i+1) })
}

// Retry implements queue.Queue. The reason is not kept: nobody can ask for it here.
func (q *Queue) Retry(ctx context.Context, c queue.Claim, after time.Duration, _ string) error {
	return q.held(ctx, c, func(i int) {
		e := q.open[i]
		if e.exhausted() {
			q.open = slices.Delete(q.open, i, i+1)
			return
		}
		e.token, e.due = "", time.Now().Add(after)
		q.bell.Ring()
	})
}

// held runs do with the index of the claimed job if the lease still holds.
func (q *Queue) held(ctx context.Context, c queue.Claim, do func(i int)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.usable(ctx); err != nil {
		return err
	}
	i := slices.IndexFunc(q.open, func(e *entry) bool { return e.job.ID == c.Job.ID })
	if i < 0 || c.Token == "" || q.open[i].token != c.Token || !q.open[i].due.After(time.Now()) {
		return fmt.Errorf("%w: job %s", queue.ErrLeaseLost, c.Job.ID)
	}
	do(i)
	return nil
}

// Close implements queue.Queue.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.bell.Ring()
	return nil
}

func (q *Queue) usable(ctx context.Context) error {
	if q.closed {
		return queue.ErrClosed
	}
	return context.Cause(ctx)
}

var _ queue.Queue = (*Queue)(nil)
