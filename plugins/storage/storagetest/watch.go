package storagetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hopyard/hopyard/plugins/storage"
)

// watcher is a Watcher whose calls must succeed.
type watcher struct {
	storage.Watcher
	tb testing.TB
}

func (s store) watch(prefix string) watcher {
	s.tb.Helper()
	w, err := s.Watch(s.ctx(), prefix)
	if err != nil {
		s.tb.Fatalf("Watch(%q) = %v", prefix, err)
	}
	s.tb.Cleanup(func() { _ = w.Close() })
	return watcher{w, s.tb}
}

func (w watcher) next() (storage.Change, error) {
	ctx, cancel := context.WithTimeout(w.tb.Context(), patience)
	defer cancel()
	return w.Next(ctx)
}

func (w watcher) expect(want storage.Change) {
	w.tb.Helper()
	if got, err := w.next(); err != nil || got != want {
		w.tb.Errorf("Next() = %+v, %v, want %+v", got, err, want)
	}
}

func change(key string, rev storage.Revision) storage.Change {
	return storage.Change{Key: key, Rev: rev}
}

func deletion(key string, rev storage.Revision) storage.Change {
	return storage.Change{Key: key, Rev: rev, Deleted: true}
}

var watchCases = []testCase{
	{"watcher sees what is written from now on, in order", on(func(t *testing.T, s store) {
		s.apply(storage.Put("before", nil))
		w := s.watch("")
		a := s.apply(storage.Put("a", nil))
		b := s.apply(storage.Put("b", nil), storage.Delete("a"))
		w.expect(change("a", a))
		w.expect(change("b", b))
		w.expect(deletion("a", b))
	})},
	{"watcher sees its prefix alone", on(func(t *testing.T, s store) {
		w, all := s.watch("p/"), s.watch("")
		s.apply(storage.Put("p", nil), storage.Put("q/1", nil))
		rev := s.apply(storage.Put("p/1", nil))
		w.expect(change("p/1", rev))
		for range 2 {
			if c, err := all.next(); err != nil || c.Rev >= rev {
				t.Errorf("Next() = %+v, %v, want a change before %d", c, err, rev)
			}
		}
		all.expect(change("p/1", rev))
	})},
	{"refused, idle and checking batches make no change", on(func(t *testing.T, s store) {
		rev := s.apply(storage.Put("k", nil))
		w := s.watch("")
		s.refuses(storage.ErrConflict, storage.Put("other", nil), storage.Create("k", nil))
		s.apply(storage.Delete("nothing"), storage.Check("k", storage.At(rev)))
		w.expect(change("last", s.apply(storage.Put("last", nil))))
	})},
	{"waiting watcher wakes up", on(func(t *testing.T, s store) {
		w := s.watch("k")
		got := make(chan storage.Change, 1)
		go func() {
			c, err := w.next()
			if err != nil {
				t.Errorf("Next() = %v", err)
			}
			got <- c
		}()
		rev := s.apply(storage.Put("k", nil))
		if c := <-got; c != change("k", rev) {
			t.Errorf("Next() = %+v, want k at %d", c, rev)
		}
	})},
	{"expiry is told as a deletion in the end", on(func(t *testing.T, s store) {
		w := s.watch("k")
		rev := s.apply(storage.Put("k", nil).Until(time.Now().Add(20 * time.Millisecond)))
		w.expect(change("k", rev))
		if c, err := w.next(); err != nil || !c.Deleted || c.Key != "k" || c.Rev <= rev {
			t.Errorf("Next() = %+v, %v, want a deletion after %d", c, err, rev)
		}
	})},
	{"ended context gives its cause and spends nothing", on(func(t *testing.T, s store) {
		w := s.watch("")
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		cancel(cause)
		if _, err := w.Next(ctx); !errors.Is(err, cause) {
			t.Errorf("Next() = %v, want the cause", err)
		}
		w.expect(change("k", s.apply(storage.Put("k", nil))))
	})},
	{"close wakes a waiting watcher", on(func(t *testing.T, s store) {
		one, two := s.watch(""), s.watch("")
		errs := make(chan error, 2)
		go func() { _, err := one.next(); errs <- err }()
		go func() { _, err := two.next(); errs <- err }()
		for range 2 {
			if err := one.Close(); err != nil {
				t.Errorf("Watcher.Close() = %v", err)
			}
		}
		if err := <-errs; !errors.Is(err, storage.ErrClosed) {
			t.Errorf("Next() = %v, want ErrClosed", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
		if err := <-errs; !errors.Is(err, storage.ErrClosed) {
			t.Errorf("Next() = %v, want ErrClosed", err)
		}
	})},
	{"watcher that sleeps misses changes, is told, and goes on", on(func(t *testing.T, s store) {
		w := s.watch("flood/")
		// No backend keeps this many for one that does not read.
		for range 3 {
			s.fill("flood/", 10*storage.MaxOps, nil)
		}
		last := s.apply(storage.Put("flood/last", nil))
		missed := 0
		for rev := storage.Revision(0); rev != last; {
			c, err := w.next()
			if errors.Is(err, storage.ErrMissed) {
				missed++
				continue
			}
			if err != nil || c.Rev < rev {
				t.Fatalf("Next() = %+v, %v after revision %d", c, err, rev)
			}
			rev = c.Rev
		}
		if missed == 0 {
			t.Error("Next() never said ErrMissed")
		}
		w.expect(change("flood/after", s.apply(storage.Put("flood/after", nil))))
	})},
	{"list and watcher together follow every key", on(func(t *testing.T, s store) {
		s.fill("k/", 50, nil)
		w := s.watch("k/")
		known := map[string]bool{}
		for _, key := range s.all(storage.Query{Prefix: "k/"}) {
			known[key] = true
		}
		go func() {
			for i := range 50 {
				_, err := s.Apply(t.Context(), storage.Delete(fmt.Sprintf("k/%06d", i)), storage.Put(fmt.Sprintf("k/new%d", i), nil))
				if err != nil {
					t.Errorf("Apply() = %v", err)
				}
			}
		}()
		for len(known) != 50 || !known["k/new49"] || known["k/000049"] {
			c, err := w.next()
			if err != nil {
				t.Fatalf("Next() = %v with %d keys known", err, len(known))
			}
			if known[c.Key] = true; c.Deleted {
				delete(known, c.Key)
			}
		}
	})},
}
