package sqlite_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/internal/memory"
	"github.com/hopyard/hopyard/plugins/storage"
)

// FuzzList compares pages of the file with those of memory, for prefixes and cursors as a client may send them.
func FuzzList(f *testing.F) {
	file, mem := open(f, filepath.Join(f.TempDir(), "hopyard.db")).Storage(), memory.NewStorage()
	for key := range strings.FieldsSeq("a a/ a/1 a/10 a/2 a/é a/日本 a0 b é 日 \x7f \U0010ffff") {
		for _, s := range []storage.Backend{file, mem} {
			if _, err := s.Apply(f.Context(), storage.Put(key, []byte(key))); err != nil {
				f.Fatal(err)
			}
		}
	}
	f.Add("", "", 0, false)
	f.Add("a/", "a/1", 2, false)
	f.Add("a/", "a/2", 1, true)
	f.Add("\xff", "\x00", -1, true)
	f.Add("a\xff\xff", "a/\x00", 3, false)
	f.Add("日", "b", 1000, true)
	f.Fuzz(func(t *testing.T, prefix, after string, limit int, reverse bool) {
		q := storage.Query{Prefix: prefix, After: after, Limit: limit, Reverse: reverse}
		want, err := mem.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := file.List(t.Context(), q); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("List(%+v) = %+v, %v, want %+v", q, got, err, want)
		}
	})
}

// FuzzPut checks that what is taken comes back as it was, whatever it is, and that the rest is refused by name.
func FuzzPut(f *testing.F) {
	s := open(f, filepath.Join(f.TempDir(), "hopyard.db")).Storage()
	f.Add("k", []byte("v"))
	f.Add("", []byte(nil))
	f.Add("a\x00b", []byte("\x00"))
	f.Add("\xff", []byte("\xff"))
	f.Add(strings.Repeat("k", storage.MaxKey+1), []byte{})
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		rev, err := s.Apply(t.Context(), storage.Put(key, value))
		if errors.Is(err, storage.ErrInvalid) || errors.Is(err, storage.ErrTooLarge) {
			return
		}
		if err != nil {
			t.Fatalf("Apply(%q) = %v", key, err)
		}
		if r, err := s.Get(t.Context(), key); err != nil || !bytes.Equal(r.Value, value) || r.Rev != rev {
			t.Errorf("Get(%q) = %q at %d, %v, want %q at %d", key, r.Value, r.Rev, err, value, rev)
		}
		page, err := s.List(t.Context(), storage.Query{Prefix: key, Limit: 1})
		if err != nil || len(page.Records) != 1 || page.Records[0].Key != key {
			t.Errorf("List(%q) = %+v, %v, want the key itself first", key, page, err)
		}
	})
}
