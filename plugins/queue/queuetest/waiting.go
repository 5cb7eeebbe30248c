package queuetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hopyard/hopyard/plugins/queue"
)

// waiting starts a Claim and gives what it returns.
func (h handle) waiting(ctx context.Context) <-chan outcome {
	got := make(chan outcome, 1)
	go func() {
		claims, err := h.Claim(ctx, []string{"build"}, 1, lasting)
		got <- outcome{claims, err}
	}()
	return got
}

type outcome struct {
	claims []queue.Claim
	err    error
}

func (h handle) comes(got <-chan outcome, id string) {
	h.tb.Helper()
	select {
	case o := <-got:
		if o.err != nil || len(o.claims) != 1 || o.claims[0].Job.ID != id {
			h.tb.Errorf("waiting Claim() = %+v, %v, want job %s", o.claims, o.err, id)
		}
	case <-time.After(patience):
		h.tb.Errorf("Claim() waits still, after %s", patience)
	}
}

var waitCases = []testCase{
	{"waiting claim wakes up for a new job", on(func(t *testing.T, q handle) {
		got := q.waiting(t.Context())
		q.enqueue(queue.Job{ID: "other", Kind: "other"}, job("1"))
		q.comes(got, "1")
	})},
	{"waiting claim wakes up for a job given back", on(func(t *testing.T, q handle) {
		q.enqueue(job("1"))
		c := q.one("1", lasting)
		got := q.waiting(t.Context())
		q.retry(c, 0)
		q.comes(got, "1")
	})},
	{"waiting claim is not kept from an earlier job by a later one", on(func(t *testing.T, q handle) {
		q.enqueue(queue.Job{ID: "tomorrow", Kind: "build", NotBefore: time.Now().Add(24 * time.Hour)})
		got := q.waiting(t.Context())
		q.enqueue(queue.Job{ID: "soon", Kind: "build", NotBefore: time.Now().Add(brief)})
		q.comes(got, "soon")
	})},
	{"cancelled claim gives the cause and takes nothing", on(func(t *testing.T, q handle) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		got := q.waiting(ctx)
		cancel(cause)
		if o := <-got; len(o.claims) != 0 || !errors.Is(o.err, cause) {
			t.Errorf("Claim() = %+v, %v, want none and the cause", o.claims, o.err)
		}
		q.enqueue(job("1"))
		if claims, err := q.Claim(ctx, []string{"build"}, 1, lasting); len(claims) != 0 || !errors.Is(err, cause) {
			t.Errorf("Claim() = %+v, %v, want none and the cause", claims, err)
		}
		q.one("1", lasting)
	})},
	{"cancelled calls give the cause and change nothing", on(func(t *testing.T, q handle) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		q.enqueue(job("1"))
		c := q.one("1", lasting)
		_, extend := q.Extend(ctx, c, brief)
		for _, err := range []error{q.Enqueue(ctx, job("2")), extend, q.Complete(ctx, c), q.Retry(ctx, c, 0, "")} {
			if !errors.Is(err, cause) {
				t.Errorf("error = %v, want the cause", err)
			}
		}
		q.nothing("build")
		q.complete(c)
	})},
	{"close ends waiting claims and all that follow", on(func(t *testing.T, q handle) {
		q.enqueue(job("1"))
		c := q.one("1", lasting)
		got := q.waiting(t.Context())
		for range 2 {
			q.must("Close()", q.Close())
		}
		o := <-got
		_, extend := q.Extend(t.Context(), c, lasting)
		_, claim := q.Claim(t.Context(), []string{"build"}, 1, lasting)
		for _, err := range []error{
			o.err, extend, claim, q.Enqueue(t.Context(), job("2")), q.Complete(t.Context(), c), q.Retry(t.Context(), c, 0, ""),
		} {
			if !errors.Is(err, queue.ErrClosed) {
				t.Errorf("error = %v, want ErrClosed", err)
			}
		}
	})},
}
