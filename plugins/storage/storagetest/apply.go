package storagetest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hopyard/hopyard/plugins/storage"
)

var applyCases = []testCase{
	{"revisions grow and are shared by a batch", on(func(t *testing.T, s store) {
		first := s.apply(storage.Put("a", nil))
		second := s.apply(storage.Put("b", nil), storage.Put("c", nil))
		if first == 0 || second <= first {
			t.Errorf("revisions = %d, %d, want growing from 1", first, second)
		}
		if b, c := s.get("b").Rev, s.get("c").Rev; b != second || c != second {
			t.Errorf("revisions of b, c = %d, %d, want %d", b, c, second)
		}
		if a := s.get("a").Rev; a != first {
			t.Errorf("revision of a = %d, want %d still", a, first)
		}
	})},
	{"apply of checks alone gives the present revision", on(func(t *testing.T, s store) {
		rev := s.apply(storage.Put("a", nil))
		if got := s.apply(storage.Check("a", storage.At(rev)), storage.Check("b", storage.Absent())); got != rev {
			t.Errorf("Apply(checks) = %d, want %d", got, rev)
		}
		if got, err := s.Apply(t.Context()); err != nil || got != rev {
			t.Errorf("Apply() = %d, %v, want %d", got, err, rev)
		}
	})},
	{"create keeps the first writer", on(func(t *testing.T, s store) {
		s.apply(storage.Create("k", []byte("first")))
		s.refuses(storage.ErrConflict, storage.Create("k", []byte("second")))
		s.holds("k", "first")
		s.apply(storage.Delete("k"))
		s.apply(storage.Create("k", []byte("third")))
		s.holds("k", "third")
	})},
	{"update needs the present revision", on(func(t *testing.T, s store) {
		rev := s.apply(storage.Put("k", []byte("1")))
		next := s.apply(storage.Update("k", []byte("2"), rev))
		s.refuses(storage.ErrConflict, storage.Update("k", []byte("3"), rev))
		s.refuses(storage.ErrConflict, storage.Update("k", []byte("3"), next+1))
		s.refuses(storage.ErrConflict, storage.Update("other", nil, next))
		s.refuses(storage.ErrConflict, storage.Update("other", nil, 0))
		s.holds("k", "2")
	})},
	{"delete may have conditions", on(func(t *testing.T, s store) {
		rev := s.apply(storage.Put("k", nil))
		s.refuses(storage.ErrConflict, storage.Delete("k").When(storage.At(rev+1)))
		s.refuses(storage.ErrConflict, storage.Delete("k").When(storage.Absent()))
		s.apply(storage.Delete("k").When(storage.At(rev)))
		s.absent("k")
	})},
	{"one failed condition stops the whole batch", on(func(t *testing.T, s store) {
		rev := s.apply(storage.Put("kept", []byte("v")), storage.Put("taken", nil))
		s.refuses(storage.ErrConflict, storage.Put("new", nil), storage.Update("kept", []byte("w"), rev),
			storage.Delete("taken"), storage.Check("nowhere", storage.At(rev)))
		s.refuses(storage.ErrConflict, storage.Put("new", nil), storage.Delete("kept"), storage.Create("taken", nil))
		s.absent("new")
		s.holds("kept", "v")
		s.holds("taken", "")
	})},
	{"conditions see the state before the batch", on(func(t *testing.T, s store) {
		rev := s.apply(storage.Put("from", []byte("v")))
		s.apply(storage.Delete("from").When(storage.At(rev)), storage.Create("to", []byte("v")))
		s.absent("from")
		s.holds("to", "v")
	})},
	{"malformed batches are refused", on(func(t *testing.T, s store) {
		put := func(key string) storage.Op { return storage.Put(key, nil) }
		s.refuses(storage.ErrInvalid, put("a"), put(""))
		s.refuses(storage.ErrInvalid, put("a"), put("b"), put("a"))
		s.refuses(storage.ErrInvalid, put("a"), storage.Check("a", storage.Absent()))
		s.refuses(storage.ErrInvalid, put("a"), put("\xff"))
		s.refuses(storage.ErrInvalid, put("a"), put("b\x00c"))
		s.refuses(storage.ErrInvalid, put("a"), storage.Op{Key: "b"})
		s.refuses(storage.ErrInvalid, put("a"), storage.Op{Key: "b", Kind: storage.OpCheck + 1})
		s.refuses(storage.ErrTooLarge, put("a"), put(strings.Repeat("k", storage.MaxKey+1)))
		s.refuses(storage.ErrTooLarge, put("a"), storage.Put("b", make([]byte, storage.MaxValue+1)))
		s.absent("a")
	})},
	{"batch of the greatest size is one step", on(func(t *testing.T, s store) {
		var ops []storage.Op
		for i := range storage.MaxOps {
			ops = append(ops, storage.Create(fmt.Sprintf("k%03d", i), []byte("v")))
		}
		s.refuses(storage.ErrTooLarge, append(ops, storage.Put("one more", nil))...)
		rev := s.apply(ops...)
		if keys := s.all(storage.Query{}); len(keys) != storage.MaxOps {
			t.Errorf("List() has %d records, want %d", len(keys), storage.MaxOps)
		}
		if got := s.get("k127").Rev; got != rev {
			t.Errorf("revision of the last one = %d, want %d", got, rev)
		}
	})},
	{"concurrent counters lose no update", on(func(t *testing.T, s store) {
		count(t, 8, 25, s)
	})},
	{"concurrent creates have one winner", on(func(t *testing.T, s store) {
		const rounds, workers = 20, 8
		for round := range rounds {
			key := fmt.Sprintf("round/%d", round)
			var wg sync.WaitGroup
			won := make(chan int, workers)
			for i := range workers {
				wg.Go(func() {
					_, err := s.Apply(t.Context(), storage.Create(key, []byte(strconv.Itoa(i))), storage.Put("other", nil))
					switch {
					case err == nil:
						won <- i
					case !errors.Is(err, storage.ErrConflict):
						t.Errorf("Create() = %v, want ErrConflict", err)
					}
				})
			}
			wg.Wait()
			if len(won) != 1 {
				t.Fatalf("%d winners, want 1", len(won))
			}
			s.holds(key, strconv.Itoa(<-won))
		}
	})},
	{"concurrent batches have revisions of their own", on(func(t *testing.T, s store) {
		const workers, each = 16, 20
		var wg sync.WaitGroup
		revs := make(chan storage.Revision, workers*each)
		for i := range workers {
			wg.Go(func() {
				last := storage.Revision(0)
				for range each {
					rev, err := s.Apply(t.Context(), storage.Put(fmt.Sprintf("w/%d", i), nil))
					if err != nil || rev <= last {
						t.Errorf("Apply() = %d, %v after %d", rev, err, last)
						return
					}
					last = rev
					revs <- rev
				}
			})
		}
		wg.Wait()
		close(revs)
		seen := map[storage.Revision]bool{}
		for rev := range revs {
			if seen[rev] {
				t.Errorf("revision %d was given twice", rev)
			}
			seen[rev] = true
		}
	})},
}

// count has workers add one to a shared counter, each so many times, spread over the handles.
func count(t *testing.T, workers, each int, handles ...store) {
	t.Helper()
	handles[0].apply(storage.Put("counter", []byte("0")))
	var wg sync.WaitGroup
	for i := range workers {
		s := handles[i%len(handles)]
		wg.Go(func() {
			for range each {
				if err := s.increment("counter"); err != nil {
					t.Errorf("increment: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	handles[0].holds("counter", strconv.Itoa(workers*each))
}

// increment adds one to the number at key, as often as a conflict asks for it.
func (s store) increment(key string) error {
	for {
		r, err := s.Get(s.ctx(), key)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(r.Value))
		if err != nil {
			return err
		}
		_, err = s.Apply(s.ctx(), storage.Update(key, []byte(strconv.Itoa(n+1)), r.Rev))
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}
