package queuetest

import (
	"testing"
	"time"
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
		q.one("open", lasting)
		q.nothing("build")
		q.duplicate(job("done"))
		q.complete(held)
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
