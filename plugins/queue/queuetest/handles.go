package queuetest

import (
	"errors"
	"testing"
	"time"

	"github.com/hopyard/hopyard/plugins/queue"
)

// sharing makes a case of one that needs two handles on one store.
func sharing(run func(t *testing.T, one, two handle)) func(*testing.T, World) {
	return func(t *testing.T, w World) {
		if !w.Shares {
			t.Skip("the queue has one handle")
		}
		run(t, w.open(t), w.open(t))
	}
}

// noticing makes a case of one that needs a queue which knows who has gone.
func noticing(run func(t *testing.T, w World)) func(*testing.T, World) {
	return func(t *testing.T, w World) {
		if !w.Shares || !w.Notices {
			t.Skip("the queue waits for leases to run out")
		}
		run(t, w)
	}
}

var handleCases = []testCase{
	{"jobs and leases are there after reopening", func(t *testing.T, w World) {
		if !w.Reopens {
			t.Skip("the queue keeps nothing")
		}
		q := w.open(t)
		q.enqueue(job("held"), job("open"), job("done"))
		held := q.one("held", lasting)
		open := q.one("open", lasting)
		q.complete(q.one("done", lasting))
		q.retry(open, 0)
		q.must("Close()", q.Close())

		q = w.open(t)
		if w.Notices {
			again := q.one("held", lasting)
			q.lost(held)
			held = again
		}
		q.one("open", lasting)
		q.nothing("build")
		q.duplicate(job("done"))
		q.complete(held)
	}},
	{"what a closed handle held comes to another", noticing(func(t *testing.T, w World) {
		one, two := w.open(t), w.open(t)
		one.enqueue(job("1"))
		late := one.one("1", lasting)
		got := two.waiting(t.Context())
		one.must("Close()", one.Close())
		two.comes(got, "1")
		two.lost(late)
	})},
	{"last attempt of a closed handle's puts the job aside", noticing(func(t *testing.T, w World) {
		one, two := w.open(t), w.open(t)
		one.enqueue(queue.Job{ID: "1", Kind: "build", UniqueKey: "k", MaxAttempts: 1})
		one.one("1", lasting)
		one.must("Close()", one.Close())
		next := queue.Job{ID: "2", Kind: "build", UniqueKey: "k"}
		for deadline := time.Now().Add(patience); errors.Is(two.Enqueue(t.Context(), next), queue.ErrDuplicate); {
			if time.Now().After(deadline) {
				t.Fatalf("the key is still taken after %s", patience)
			}
		}
		two.one("2", lasting)
	})},
	{"living handle keeps its jobs while others come and go", func(t *testing.T, w World) {
		if !w.Shares {
			t.Skip("the queue has one handle")
		}
		one := w.open(t)
		one.enqueue(job("1"), job("2"))
		first, second := one.one("1", lasting), one.one("2", lasting)
		for range 3 {
			other := w.open(t)
			other.nothing("build")
			other.must("Close()", other.Close())
		}
		other := w.open(t)
		other.nothing("build")
		longer, err := one.Extend(t.Context(), first, 2*lasting)
		one.must("Extend(1)", err)
		one.complete(longer)
		other.complete(second)
	}},
	{"waiting claim wakes up for another handle's job soon", sharing(func(t *testing.T, one, two handle) {
		got := one.waiting(t.Context())
		since := time.Now()
		two.enqueue(job("1"))
		one.comes(got, "1")
		if took := time.Since(since); took > soon {
			t.Errorf("job came after %s", took)
		}
	})},
	{"job is given to one of two handles", sharing(func(t *testing.T, one, two handle) {
		share(t, 40, one, two)
	})},
	{"leases hold across handles", sharing(func(t *testing.T, one, two handle) {
		one.enqueue(job("1"))
		c := one.one("1", lasting)
		two.nothing("build")
		two.duplicate(job("1"))
		two.complete(c)
		one.lost(c)
	})},
}
