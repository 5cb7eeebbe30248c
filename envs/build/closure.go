package build

import (
	"slices"

	"github.com/hopyard/hopyard/envs/lock"
)

// closure names a package of a lock and all that it needs in it, with their hashes, sorted; nothing where it is not there.
func closure(l *lock.Lock, name string) []string {
	parts := map[string]lockPart{}
	for _, p := range l.Packages {
		parts[lock.NormalName(p.Name)] = lockPart{p.SHA256, requiresOf(p)}
	}
	for _, w := range l.Wheels {
		parts[lock.NormalName(w.Name)] = lockPart{w.SHA256, w.Requires}
	}
	var hashes []string
	todo, seen := []string{name}, map[string]bool{}
	for len(todo) > 0 {
		name := lock.NormalName(todo[0])
		todo = todo[1:]
		if part, ok := parts[name]; ok && !seen[name] {
			seen[name] = true
			hashes = append(hashes, name+" "+part.sha256)
			todo = append(todo, part.requires...)
		}
	}
	slices.Sort(hashes)
	return hashes
}

type lockPart struct {
	sha256   string
	requires []string
}
