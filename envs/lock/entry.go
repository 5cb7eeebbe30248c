package lock

import (
	"cmp"
	"slices"
)

// entry is what packages and wheels have in common.
type entry struct {
	name, version, build, sha256 string
	bytes                        int64
}

type entryKey struct{ from, name string }

func entries(l *Lock) map[entryKey]entry {
	all := map[entryKey]entry{}
	if l == nil {
		return all
	}
	for _, p := range l.Packages {
		all[entryKey{"conda", p.Name}] = entry{p.Name, p.Version, p.Build, p.SHA256, p.Size}
	}
	for _, w := range l.Wheels {
		all[entryKey{"pip", w.Name}] = entry{w.Name, w.Version, "", w.SHA256, w.Size}
	}
	return all
}

func changed(from string, o, n entry) Change {
	direction := "build"
	switch c := CompareVersions(o.version, n.version); {
	case c < 0:
		direction = "up"
	case c > 0:
		direction = "down"
	}
	return Change{
		Name: n.name, From: from, Old: o.version, New: n.version, OldBuild: o.build, NewBuild: n.build,
		Direction: direction, Bytes: n.bytes,
	}
}

func (d *Diff) sort() {
	for _, list := range [][]Change{d.Added, d.Removed, d.Changed} {
		slices.SortFunc(list, func(a, b Change) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.From, b.From)) })
	}
}
