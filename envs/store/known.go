package store

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"time"
)

// Known are files of finished prefixes. Who finds one of them under another name knows that it is sealed, shared and how long it
// is without looking at it, as long as Valid says so.
type Known struct {
	// Bytes is what each takes on disk, by the number of its inode.
	Bytes map[uint64]int64

	lists []string // files that are there as long as their prefixes are
}

// Known gives the files of the n prefixes that were finished last: of all they are the most likely to have what the next one has.
func (s *Store) Known(n int) *Known {
	type aged struct {
		path string
		mod  time.Time
	}
	var all []aged
	entries, _ := os.ReadDir(s.path("m"))
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), ".inodes") {
			all = append(all, aged{s.path("m", e.Name()), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b aged) int { return cmp.Or(b.mod.Compare(a.mod), cmp.Compare(a.path, b.path)) })
	k := &Known{Bytes: map[uint64]int64{}}
	for _, a := range all[:min(n, len(all))] {
		b, err := os.ReadFile(a.path)
		if err != nil {
			continue
		}
		list, err := decodeInodes(b)
		if err != nil {
			continue
		}
		k.lists = append(k.lists, a.path)
		for _, f := range list {
			k.Bytes[f.Number] = f.Bytes
		}
	}
	return k
}

// Valid says whether all those prefixes are still there, so that none of the inodes can have become another file since Known.
// Their lists are the first that goes when they are removed.
func (k *Known) Valid() bool {
	for _, path := range k.lists {
		if _, err := os.Lstat(path); err != nil {
			return false
		}
	}
	return true
}
