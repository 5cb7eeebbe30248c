// Package storagetest is the conformance suite of storage.Backend. A backend that passes it may serve Hopyard.
package storagetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hopyard/hopyard/plugins/storage"
)

const (
	patience = 2 * time.Minute // for what must happen in the end
	soon     = time.Minute     // for what should take a second, on a machine that is very busy
)

// World is one empty store of the backend under test.
type World struct {
	// Open opens a handle on the store. The suite closes every handle itself, some of them twice.
	Open func(tb testing.TB) storage.Backend
	// Reopens says that a handle which is opened after all others were closed finds what they wrote.
	Reopens bool
	// Shares says that several handles may be open at once, as of several processes.
	Shares bool
	// Notices says that the backend knows who has gone: its handles are storage.Holders.
	Notices bool
}

// Run runs the suite. It calls setup once per case, for a World that no other case touches.
func Run(t *testing.T, setup func(tb testing.TB) World) {
	groups := []struct {
		name  string
		cases []testCase
	}{
		{"records", recordCases},
		{"apply", applyCases},
		{"list", listCases},
		{"watch", watchCases},
		{"handles", handleCases},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(t, setup(t))
				})
			}
		})
	}
}

type testCase struct {
	name string
	run  func(t *testing.T, w World)
}

// on makes a case of one that needs a single handle.
func on(run func(t *testing.T, s store)) func(*testing.T, World) {
	return func(t *testing.T, w World) { run(t, w.open(t)) }
}

func (w World) open(tb testing.TB) store {
	tb.Helper()
	b := w.Open(tb)
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Errorf("Close() = %v", err)
		}
	})
	return store{b, tb}
}

// store is a handle whose calls must succeed.
type store struct {
	storage.Backend
	tb testing.TB
}

func (s store) ctx() context.Context { return s.tb.Context() }

func (s store) apply(ops ...storage.Op) storage.Revision {
	s.tb.Helper()
	rev, err := s.Apply(s.ctx(), ops...)
	if err != nil {
		s.tb.Fatalf("Apply(%s) = %v", ops[0].Key, err)
	}
	return rev
}

func (s store) get(key string) storage.Record {
	s.tb.Helper()
	r, err := s.Get(s.ctx(), key)
	if err != nil {
		s.tb.Fatalf("Get(%q) = %v", key, err)
	}
	return r
}

func (s store) list(q storage.Query) storage.Page {
	s.tb.Helper()
	p, err := s.List(s.ctx(), q)
	if err != nil {
		s.tb.Fatalf("List(%+v) = %v", q, err)
	}
	return p
}

// refuses checks that Apply gives the error and leaves the revision where it was.
func (s store) refuses(want error, ops ...storage.Op) {
	s.tb.Helper()
	before := s.list(storage.Query{Limit: 1}).Rev
	if _, err := s.Apply(s.ctx(), ops...); !errors.Is(err, want) {
		s.tb.Errorf("Apply() = %v, want %v", err, want)
	}
	if after := s.list(storage.Query{Limit: 1}).Rev; after != before {
		s.tb.Errorf("revision after a refused Apply = %d, want %d", after, before)
	}
}

func (s store) absent(key string) {
	s.tb.Helper()
	if r, err := s.Get(s.ctx(), key); !errors.Is(err, storage.ErrNotFound) {
		s.tb.Errorf("Get(%q) = %q, %v, want ErrNotFound", key, r.Value, err)
	}
}

func (s store) holds(key, value string) {
	s.tb.Helper()
	if r := s.get(key); string(r.Value) != value {
		s.tb.Errorf("Get(%q) = %q, want %q", key, r.Value, value)
	}
}

// all walks every page of q.
func (s store) all(q storage.Query) (keys []string) {
	s.tb.Helper()
	for {
		p := s.list(q)
		for _, r := range p.Records {
			keys = append(keys, r.Key)
		}
		if p.Next == "" {
			return keys
		}
		if len(p.Records) == 0 || p.Next == q.After {
			s.tb.Fatalf("List(%+v) gives no records and Next %q", q, p.Next)
		}
		q.After = p.Next
	}
}

// fill writes n records prefix000000, prefix000001, …
func (s store) fill(prefix string, n int, value []byte) {
	s.tb.Helper()
	var ops []storage.Op
	for i := range n {
		ops = append(ops, storage.Put(fmt.Sprintf("%s%06d", prefix, i), value))
		if len(ops) == storage.MaxOps || i == n-1 {
			s.apply(ops...)
			ops = ops[:0]
		}
	}
}

// eventually waits until ok says so.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("%s: still not after %s", what, patience)
		}
	}
}
