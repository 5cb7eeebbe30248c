// Package queuetest is the conformance suite of queue.Queue. A queue that passes it may serve Hopyard.
package queuetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hopyard/hopyard/plugins/queue"
)

const (
	patience = 2 * time.Minute        // for what must happen in the end
	lasting  = time.Hour              // a lease that outlives its case
	soon     = time.Minute            // what should take a second, on a machine that is very busy
	brief    = 100 * time.Millisecond // a lease or delay that is waited for
)

// World is one empty store of jobs of the queue under test.
type World struct {
	// Open opens a handle on the store. The suite closes every handle itself, some of them twice.
	Open func(tb testing.TB) queue.Queue
	// Reopens says that a handle which is opened after all others were closed finds the jobs.
	Reopens bool
	// Shares says that several handles may be open at once, as of several processes.
	Shares bool
	// Notices says that what a handle held comes back when it has been closed, before its leases run out. What a process
	// held that was killed must then come back too, which the suite cannot try: do that beside it.
	Notices bool
}

// Run runs the suite. It calls setup once per case, for a World that no other case touches.
func Run(t *testing.T, setup func(tb testing.TB) World) {
	for _, c := range slices.Concat(jobCases, leaseCases, waitCases, handleCases) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, setup(t))
		})
	}
}

type testCase struct {
	name string
	run  func(t *testing.T, w World)
}

// on makes a case of one that needs a single handle.
func on(run func(t *testing.T, q handle)) func(*testing.T, World) {
	return func(t *testing.T, w World) { run(t, w.open(t)) }
}

func (w World) open(tb testing.TB) handle {
	tb.Helper()
	q := w.Open(tb)
	tb.Cleanup(func() {
		if err := q.Close(); err != nil {
			tb.Errorf("Close() = %v", err)
		}
	})
	return handle{q, tb}
}

// handle is a Queue whose calls must succeed.
type handle struct {
	queue.Queue
	tb testing.TB
}

func job(id string) queue.Job { return queue.Job{ID: id, Kind: "build"} }

func (h handle) enqueue(jobs ...queue.Job) {
	h.tb.Helper()
	for _, j := range jobs {
		if err := h.Enqueue(h.tb.Context(), j); err != nil {
			h.tb.Fatalf("Enqueue(%s) = %v", j.ID, err)
		}
	}
}

func (h handle) duplicate(j queue.Job) {
	h.tb.Helper()
	if err := h.Enqueue(h.tb.Context(), j); !errors.Is(err, queue.ErrDuplicate) {
		h.tb.Errorf("Enqueue(%s) = %v, want ErrDuplicate", j.ID, err)
	}
}

// claim waits for up to max jobs of kind "build".
func (h handle) claim(max int, lease time.Duration) []queue.Claim {
	h.tb.Helper()
	ctx, cancel := context.WithTimeout(h.tb.Context(), patience)
	defer cancel()
	claims, err := h.Claim(ctx, []string{"build"}, max, lease)
	if err != nil || len(claims) == 0 || len(claims) > max {
		h.tb.Fatalf("Claim(max %d) = %d claims, %v", max, len(claims), err)
	}
	return claims
}

// one claims the job with that ID.
func (h handle) one(id string, lease time.Duration) queue.Claim {
	h.tb.Helper()
	c := h.claim(1, lease)[0]
	if c.Job.ID != id {
		h.tb.Fatalf("Claim() = job %s, want %s", c.Job.ID, id)
	}
	return c
}

// nothing checks that no job of the kinds is due.
func (h handle) nothing(kinds ...string) {
	h.tb.Helper()
	cause := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(h.tb.Context(), 20*time.Millisecond, cause)
	defer cancel()
	if claims, err := h.Claim(ctx, kinds, 1, lasting); len(claims) > 0 || !errors.Is(err, cause) {
		h.tb.Errorf("Claim(%q) = %d claims, %v, want none and the cause", kinds, len(claims), err)
	}
}

func (h handle) must(what string, err error) {
	h.tb.Helper()
	if err != nil {
		h.tb.Fatalf("%s = %v", what, err)
	}
}

func (h handle) complete(c queue.Claim) {
	h.tb.Helper()
	h.must("Complete("+c.Job.ID+")", h.Complete(h.tb.Context(), c))
}

func (h handle) retry(c queue.Claim, after time.Duration) {
	h.tb.Helper()
	h.must("Retry("+c.Job.ID+")", h.Retry(h.tb.Context(), c, after, "the kitchen is on fire"))
}

// lost checks that the claim's lease is refused everywhere.
func (h handle) lost(c queue.Claim) {
	h.tb.Helper()
	ctx := h.tb.Context()
	_, extend := h.Extend(ctx, c, lasting)
	for _, err := range []error{extend, h.Complete(ctx, c), h.Retry(ctx, c, 0, "")} {
		if !errors.Is(err, queue.ErrLeaseLost) {
			h.tb.Errorf("error for a lost lease = %v, want ErrLeaseLost", err)
		}
	}
}
