package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Usage is what a set of prefixes takes on disk, each file counted once however many names it has. What only the caches hold is
// not in it.
type Usage struct {
	// Exclusive are the bytes of files that only these prefixes have, Shared those that other prefixes have too.
	Exclusive int64
	Shared    int64
}

// Total is what the prefixes take together.
func (u Usage) Total() int64 { return u.Exclusive + u.Shared }

// Usage tells what the prefixes take on disk together. It reads what was noted when they were built, about 160 kB for a prefix of
// 10,000 files, of every prefix in the store.
func (s *Store) Usage(ids ...string) (Usage, error) {
	all, err := s.Usages(ids)
	if err != nil {
		return Usage{}, err
	}
	return all[0], nil
}

// Usages is Usage for many sets in one reading.
func (s *Store) Usages(sets ...[]string) ([]Usage, error) {
	lists, err := s.inodes()
	if err != nil {
		return nil, err
	}
	holders := count(lists)
	out := make([]Usage, len(sets))
	for i, ids := range sets {
		out[i] = usage(lists, holders, ids)
	}
	return out, nil
}

// inodes reads the lists of all prefixes.
func (s *Store) inodes() (map[string]Inodes, error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	lists := make(map[string]Inodes, len(ids))
	for _, id := range ids {
		b, err := os.ReadFile(s.inodesPath(id))
		if errors.Is(err, fs.ErrNotExist) {
			continue // collected meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("measure environments: %w", err)
		}
		if lists[id], err = decodeInodes(b); err != nil {
			return nil, fmt.Errorf("measure environment %s: %w", id, err)
		}
	}
	return lists, nil
}

// count is how many prefixes have each file.
func count(lists map[string]Inodes) map[uint64]int32 {
	most := 0
	for _, l := range lists {
		most = max(most, len(l))
	}
	holders := make(map[uint64]int32, 2*most)
	for _, l := range lists {
		for _, n := range l {
			holders[n.Number]++
		}
	}
	return holders
}

func usage(lists map[string]Inodes, holders map[uint64]int32, ids []string) (u Usage) {
	seen := map[string]bool{}
	var ours map[uint64]int32
	if len(ids) > 1 {
		ours = make(map[uint64]int32)
	}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		for _, n := range lists[id] {
			have := int32(1)
			if ours != nil {
				ours[n.Number]++
				have = ours[n.Number]
			}
			if have == 1 {
				u.Shared += n.Bytes // until all its holders turn out to be ours
			}
			if have == holders[n.Number] {
				u.Shared -= n.Bytes
				u.Exclusive += n.Bytes
			}
		}
	}
	return u
}
