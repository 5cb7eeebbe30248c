package queuetest

import (
	"testing"
	"time"

	"github.com/hopyard/hopyard/plugins/queue"
)

var leaseCases = []testCase{
	{"claimed job is nobody else's", on(func(_ *testing.T, q handle) {
		q.enqueue(job("1"))
		q.one("1", lasting)
		q.nothing("build")
	})},
	{"completed job is gone and its lease with it", on(func(_ *testing.T, q handle) {
		q.enqueue(job("1"))
		c := q.one("1", lasting)
		q.complete(c)
		q.lost(c)
		q.nothing("build")
	})},
	{"lease that ran out gives the job to the next", on(func(t *testing.T, q handle) {
		q.enqueue(job("1"))
		late := q.one("1", brief)
		next := q.one("1", lasting)
		if now := time.Now(); now.Before(late.Until) {
			t.Errorf("claimed again %s before the end of the lease", late.Until.Sub(now))
		}
		if next.Attempt != 2 || next.Token == late.Token {
			t.Errorf("attempt, token = %d, %q, want 2 and another than %q", next.Attempt, next.Token, late.Token)
		}
		q.lost(late)
		q.complete(next)
	})},
	{"lease that ran out is lost even if nobody took the job", on(func(_ *testing.T, q handle) {
		q.enqueue(job("1"))
		late := q.one("1", brief)
		<-time.After(time.Until(late.Until))
		q.lost(late)
		q.complete(q.one("1", lasting))
	})},
	{"extended lease holds for longer", on(func(t *testing.T, q handle) {
		q.enqueue(job("1"))
		c := q.one("1", time.Minute)
		longer, err := q.Extend(t.Context(), c, lasting)
		q.must("Extend(1)", err)
		if longer.Until.Sub(c.Until) < lasting/2 || longer.Token == "" || longer.Job.ID != "1" || longer.Attempt != 1 {
			t.Errorf("Extend() = %+v, want the same claim, an hour longer", longer)
		}
		q.complete(longer)
	})},
	{"extension counts from now, also when it is shorter", on(func(t *testing.T, q handle) {
		q.enqueue(job("1"))
		c, err := q.Extend(t.Context(), q.one("1", lasting), brief)
		q.must("Extend(1)", err)
		if again := q.one("1", lasting); again.Attempt != 2 {
			t.Errorf("attempt = %d, want 2", again.Attempt)
		}
		q.lost(c)
	})},
	{"job given back comes again after the delay", on(func(t *testing.T, q handle) {
		q.enqueue(job("1"))
		c := q.one("1", lasting)
		from := time.Now()
		q.retry(c, brief)
		q.lost(c)
		if next := q.one("1", lasting); next.Attempt != 2 {
			t.Errorf("attempt = %d, want 2", next.Attempt)
		}
		if took := time.Since(from); took < brief-time.Millisecond {
			t.Errorf("came again after %s, want %s at least", took, brief)
		}
	})},
	{"job given back too often is put aside", on(func(_ *testing.T, q handle) {
		limited := queue.Job{ID: "1", Kind: "build", MaxAttempts: 2}
		q.enqueue(limited)
		q.retry(q.one("1", lasting), 0)
		c := q.one("1", lasting)
		q.retry(c, 0)
		q.nothing("build")
		q.lost(c)
		q.duplicate(limited)
	})},
	{"job whose last lease ran out is put aside and frees its key", on(func(_ *testing.T, q handle) {
		q.enqueue(queue.Job{ID: "1", Kind: "build", UniqueKey: "k", MaxAttempts: 1})
		c := q.one("1", brief)
		<-time.After(time.Until(c.Until))
		q.enqueue(queue.Job{ID: "2", Kind: "build", UniqueKey: "k"})
		q.one("2", lasting)
		q.nothing("build")
		q.lost(c)
	})},
	{"unlimited job is tried on and on", on(func(t *testing.T, q handle) {
		q.enqueue(job("1"))
		for i := 1; i <= 10; i++ {
			c := q.one("1", lasting)
			if c.Attempt != i {
				t.Errorf("attempt = %d, want %d", c.Attempt, i)
			}
			q.retry(c, 0)
		}
	})},
	{"forged token is refused", on(func(_ *testing.T, q handle) {
		q.enqueue(job("1"), job("2"))
		one, two := q.one("1", lasting), q.one("2", lasting)
		swapped, empty := one, one
		swapped.Token, empty.Token = two.Token, ""
		q.lost(swapped)
		q.lost(empty)
		q.lost(queue.Claim{Job: job("unknown"), Token: one.Token})
		q.complete(one)
		q.complete(two)
	})},
}
