package storagetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/hopyard/hopyard/plugins/storage"
)

// sorted are keys in byte order that a collation or a careless prefix would mix up.
var sorted = []string{"A", "B/", "B/1", "B/10", "B/2", "B/é", "B/日", "B0", "Z", "a", "b", "b%", "b_", "é", "日/1", "日本"}

func (s store) keys(want []string, q storage.Query) {
	s.tb.Helper()
	if got := s.all(q); !slices.Equal(got, want) {
		s.tb.Errorf("List(%+v) = %q, want %q", q, got, want)
	}
}

func reversed(keys []string) []string {
	keys = slices.Clone(keys)
	slices.Reverse(keys)
	return keys
}

var listCases = []testCase{
	{"empty store gives an empty page", on(func(t *testing.T, s store) {
		if p := s.list(storage.Query{}); len(p.Records) != 0 || p.Next != "" || p.Rev != 0 {
			t.Errorf("List() = %+v, want nothing", p)
		}
	})},
	{"keys come in byte order, both ways, in pages of any size", on(func(t *testing.T, s store) {
		for _, key := range reversed(sorted) {
			s.apply(storage.Put(key, []byte(key)))
		}
		for _, limit := range []int{0, 1, 2, 5, len(sorted) - 1, len(sorted), len(sorted) + 1, -1} {
			s.keys(sorted, storage.Query{Limit: limit})
			s.keys(reversed(sorted), storage.Query{Limit: limit, Reverse: true})
			s.keys(sorted[1:7], storage.Query{Prefix: "B/", Limit: limit})
			s.keys(reversed(sorted[1:7]), storage.Query{Prefix: "B/", Limit: limit, Reverse: true})
		}
	})},
	{"prefix is a prefix of bytes", on(func(t *testing.T, s store) {
		for _, key := range sorted {
			s.apply(storage.Put(key, nil))
		}
		prefixes := []string{"B", "b%", "b_", "%", "\xe6", "\xe6\x97", "日", "é", "\xff", "\xff\xff", "Z", "zz", "\x00"}
		for _, prefix := range prefixes {
			want := slices.DeleteFunc(slices.Clone(sorted), func(k string) bool { return !strings.HasPrefix(k, prefix) })
			s.keys(want, storage.Query{Prefix: prefix})
			s.keys(reversed(want), storage.Query{Prefix: prefix, Reverse: true, Limit: 1})
		}
	})},
	{"after need not be a key", on(func(t *testing.T, s store) {
		for _, key := range sorted {
			s.apply(storage.Put(key, nil))
		}
		for _, after := range []string{"A", "A0", "B", "B/", "B/1", "B/3", "B/\xff", "B00", "\x01", "\xff", "日本", "b\xff"} {
			for _, prefix := range []string{"", "B/", "b", "日", "x"} {
				var past, before []string
				for _, key := range sorted {
					if strings.HasPrefix(key, prefix) && key > after {
						past = append(past, key)
					}
					if strings.HasPrefix(key, prefix) && key < after {
						before = append(before, key)
					}
				}
				s.keys(past, storage.Query{Prefix: prefix, After: after, Limit: 2})
				s.keys(reversed(before), storage.Query{Prefix: prefix, After: after, Limit: 2, Reverse: true})
			}
		}
	})},
	{"records are whole", on(func(t *testing.T, s store) {
		rev := s.apply(storage.Put("a", []byte("1")), storage.Put("b", []byte("2")))
		p := s.list(storage.Query{})
		if len(p.Records) != 2 || string(p.Records[1].Value) != "2" || p.Records[1].Rev != rev || p.Rev != rev {
			t.Errorf("List() = %+v, want a and b at revision %d", p, rev)
		}
	})},
	{"last page has no next", on(func(t *testing.T, s store) {
		s.fill("k/", 4, nil)
		if p := s.list(storage.Query{Prefix: "k/", Limit: 4}); p.Next != "" || len(p.Records) != 4 {
			t.Errorf("List() = %d records, Next %q, want 4 and no next", len(p.Records), p.Next)
		}
		if p := s.list(storage.Query{Prefix: "k/", Limit: 3}); p.Next != "k/000002" || len(p.Records) != 3 {
			t.Errorf("List() = %d records, Next %q, want 3 and k/000002", len(p.Records), p.Next)
		}
	})},
	{"page holds no more than the limit of all backends", on(func(t *testing.T, s store) {
		s.fill("k/", storage.MaxPage+1, nil)
		for _, limit := range []int{0, storage.MaxPage, storage.MaxPage + 1, 1 << 40} {
			if p := s.list(storage.Query{Limit: limit}); len(p.Records) != storage.MaxPage || p.Next == "" {
				t.Errorf("List(limit %d) = %d records, Next %q, want %d and a next",
					limit, len(p.Records), p.Next, storage.MaxPage)
			}
		}
		if keys := s.all(storage.Query{}); len(keys) != storage.MaxPage+1 {
			t.Errorf("all pages hold %d records, want %d", len(keys), storage.MaxPage+1)
		}
	})},
	{"large values make short pages and lose nothing", on(func(t *testing.T, s store) {
		const n = 2 * storage.MaxPageBytes / storage.MaxValue
		for _, key := range sorted[:n] {
			s.apply(storage.Put(key, make([]byte, storage.MaxValue)))
		}
		if p := s.list(storage.Query{}); len(p.Records) >= n || p.Next == "" {
			t.Errorf("List() = %d records, Next %q, want fewer than %d and a next", len(p.Records), p.Next, n)
		}
		s.keys(sorted[:n], storage.Query{})
	})},
	{"page tells the revision that it shows", on(func(t *testing.T, s store) {
		s.apply(storage.Put("a", nil))
		rev := s.apply(storage.Put("b", nil))
		gone := s.apply(storage.Delete("a"))
		if p := s.list(storage.Query{Prefix: "nothing"}); gone <= rev || p.Rev != gone {
			t.Errorf("List().Rev = %d, want %d, that of the delete", p.Rev, gone)
		}
	})},
}
