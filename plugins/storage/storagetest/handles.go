package storagetest

import (
	"errors"
	"testing"
	"time"

	"github.com/hopyard/hopyard/plugins/storage"
)

// reopening makes a case of one that needs a store which outlives its handles.
func reopening(run func(t *testing.T, w World)) func(*testing.T, World) {
	return func(t *testing.T, w World) {
		if !w.Reopens {
			t.Skip("the backend keeps nothing")
		}
		run(t, w)
	}
}

// sharing makes a case of one that needs two handles on one store.
func sharing(run func(t *testing.T, one, two store)) func(*testing.T, World) {
	return func(t *testing.T, w World) {
		if !w.Shares {
			t.Skip("the backend has one handle")
		}
		run(t, w.open(t), w.open(t))
	}
}

// noticing makes a case of one that needs handles which know of each other whether they have gone.
func noticing(run func(t *testing.T, w World)) func(*testing.T, World) {
	return func(t *testing.T, w World) {
		if !w.Shares || !w.Notices {
			t.Skip("the backend does not know its handles")
		}
		run(t, w)
	}
}

// holders gives the handle's further power.
func (s store) holders() storage.Holders {
	s.tb.Helper()
	h, ok := s.Backend.(storage.Holders)
	if !ok {
		s.tb.Fatalf("%T is no storage.Holders", s.Backend)
	}
	return h
}

// knows checks what a handle says of the one of that name.
func (s store) knows(holder string, want bool) {
	s.tb.Helper()
	if gone, err := s.holders().Gone(s.ctx(), holder); err != nil || gone != want {
		s.tb.Errorf("Gone(%q) = %v, %v, want %v", holder, gone, err, want)
	}
}

func (s store) shut() {
	s.tb.Helper()
	if err := s.Close(); err != nil {
		s.tb.Fatalf("Close() = %v", err)
	}
}

var handleCases = []testCase{
	{"what was written is there after reopening", reopening(func(t *testing.T, w World) {
		s := w.open(t)
		expires := time.Now().Add(time.Hour).Truncate(time.Millisecond)
		rev := s.apply(storage.Put("k", []byte("v")).Until(expires), storage.Put("gone", nil))
		gone := s.apply(storage.Delete("gone"))
		s.shut()
		s = w.open(t)
		r := s.get("k")
		if string(r.Value) != "v" || r.Rev != rev || !r.Expires.Equal(expires) {
			t.Errorf("Get() = %+v, want v at %d until %v", r, rev, expires)
		}
		s.absent("gone")
		if next := s.apply(storage.Update("k", nil, rev)); next <= gone {
			t.Errorf("revision after reopening = %d, want more than %d", next, gone)
		}
	})},
	{"revisions go on after everything was deleted", reopening(func(t *testing.T, w World) {
		s := w.open(t)
		s.apply(storage.Put("k", nil))
		last := s.apply(storage.Delete("k"))
		s.shut()
		s = w.open(t)
		if rev := s.list(storage.Query{}).Rev; rev != last {
			t.Errorf("revision after reopening = %d, want %d", rev, last)
		}
	})},
	{"other handle reads what was acknowledged", sharing(func(t *testing.T, one, two store) {
		for range 100 {
			rev := one.apply(storage.Put("k", nil))
			if got := two.get("k").Rev; got != rev {
				t.Fatalf("revision seen by the other handle = %d, want %d", got, rev)
			}
			if got := two.list(storage.Query{}).Rev; got != rev {
				t.Fatalf("revision of the other handle's page = %d, want %d", got, rev)
			}
		}
	})},
	{"conditions hold across handles", sharing(func(t *testing.T, one, two store) {
		rev := one.apply(storage.Create("k", []byte("one")))
		two.refuses(storage.ErrConflict, storage.Create("k", []byte("two")))
		two.apply(storage.Update("k", []byte("two"), rev))
		one.refuses(storage.ErrConflict, storage.Update("k", []byte("three"), rev))
		one.holds("k", "two")
	})},
	{"counters of two handles lose no update", sharing(func(t *testing.T, one, two store) {
		count(t, 8, 15, one, two)
	})},
	{"watcher sees the other handle's changes soon", sharing(func(t *testing.T, one, two store) {
		w := one.watch("k/")
		for range 3 {
			a := two.apply(storage.Put("k/a", nil), storage.Put("x", nil))
			b := two.apply(storage.Delete("k/a"))
			since := time.Now()
			w.expect(change("k/a", a))
			w.expect(deletion("k/a", b))
			if took := time.Since(since); took > soon {
				t.Errorf("changes came after %s", took)
			}
		}
	})},
	{"changes of two handles come in one order", sharing(func(t *testing.T, one, two store) {
		w := one.watch("")
		const each = 100
		done := make(chan error, 2)
		for _, s := range []store{one, two} {
			go func() {
				var err error
				for i := 0; i < each && err == nil; i++ {
					_, err = s.Apply(t.Context(), storage.Put("k", nil))
				}
				done <- err
			}()
		}
		last := storage.Revision(0)
		for range 2 * each {
			c, err := w.next()
			if err != nil || c.Rev <= last {
				t.Fatalf("Next() = %+v, %v after revision %d", c, err, last)
			}
			last = c.Rev
		}
		if err := errors.Join(<-done, <-done); err != nil {
			t.Errorf("Apply() = %v", err)
		}
	})},
	{"handle is gone once it is closed and not before", noticing(func(t *testing.T, w World) {
		one, two := w.open(t), w.open(t)
		name, other := one.holders().Holder(), two.holders().Holder()
		if name == "" || name == other || name != one.holders().Holder() {
			t.Errorf("names = %q, %q, want one for each handle that stays", name, other)
		}
		for _, s := range []store{one, two, w.open(t)} {
			s.knows(name, false)
			s.knows(other, false)
		}
		one.shut()
		for _, s := range []store{two, w.open(t)} {
			s.knows(name, true)
			s.knows(other, false)
		}
		if again := w.open(t).holders().Holder(); again == name {
			t.Errorf("Holder() = %q, the name of one that is closed", again)
		}
	})},
	{"what names no handle is not known to be gone", noticing(func(t *testing.T, w World) {
		s := w.open(t)
		for _, name := range []string{"", "-", "0", "some body", "\x00", "99999999999999999999999"} {
			s.knows(name, false)
		}
	})},
	{"closed handle tells nothing of others", noticing(func(t *testing.T, w World) {
		one, two := w.open(t), w.open(t)
		one.shut()
		if gone, err := one.holders().Gone(t.Context(), two.holders().Holder()); gone || !errors.Is(err, storage.ErrClosed) {
			t.Errorf("Gone() = %v, %v, want ErrClosed", gone, err)
		}
	})},
	{"other handle works on after one is closed", sharing(func(t *testing.T, one, two store) {
		w := two.watch("")
		one.apply(storage.Put("k", []byte("1")))
		one.shut()
		two.holds("k", "1")
		if _, err := w.next(); err != nil {
			t.Errorf("Next() = %v", err)
		}
		w.expect(change("k", two.apply(storage.Put("k", []byte("2")))))
	})},
}
