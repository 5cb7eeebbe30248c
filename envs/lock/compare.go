package lock

import (
	"cmp"
	"slices"
)

// Where an artifact comes from, in a Change.
const (
	fromConda = "conda"
	fromPip   = "pip"
)

// Compare says what differs from old to new; old may be nil, for nothing. What a channel had before and an index has now is
// one removed and one added.
func Compare(old, new *Lock) Diff {
	gone := artifacts(old)
	var d Diff
	take := func(key artifactKey, n artifact) {
		o, had := gone[key]
		delete(gone, key)
		switch {
		case !had:
			d.Added = append(d.Added, Change{Name: key.name, From: key.from, New: n.version, NewBuild: n.build, Bytes: n.bytes})
			d.Bytes += n.bytes
		case o.sha256 == n.sha256:
			d.Unchanged++
		default:
			d.Changed = append(d.Changed, changed(key, o, n))
			d.Bytes += n.bytes
		}
	}
	each(new, take)
	for key, o := range gone {
		d.Removed = append(d.Removed, Change{Name: key.name, From: key.from, Old: o.version, OldBuild: o.build})
	}
	sortChanges(d.Added, d.Removed, d.Changed)
	return d
}

// artifactKey says what is the same thing in two locks.
type artifactKey struct{ from, name string }

// artifact is what packages and wheels have in common.
type artifact struct {
	version, build, sha256 string
	bytes                  int64
}

func artifacts(l *Lock) map[artifactKey]artifact {
	if l == nil {
		return nil
	}
	all := make(map[artifactKey]artifact, len(l.Packages)+len(l.Wheels))
	each(l, func(key artifactKey, a artifact) { all[key] = a })
	return all
}

func each(l *Lock, do func(artifactKey, artifact)) {
	for i := range l.Packages {
		p := &l.Packages[i]
		do(artifactKey{fromConda, p.Name}, artifact{p.Version, p.Build, p.SHA256, p.Size})
	}
	for i := range l.Wheels {
		w := &l.Wheels[i]
		do(artifactKey{fromPip, w.Name}, artifact{w.Version, "", w.SHA256, w.Size})
	}
}

func changed(key artifactKey, o, n artifact) Change {
	direction := "build"
	switch c := CompareVersions(o.version, n.version); {
	case c < 0:
		direction = "up"
	case c > 0:
		direction = "down"
	}
	return Change{
		Name: key.name, From: key.from, Old: o.version, New: n.version, OldBuild: o.build, NewBuild: n.build,
		Direction: direction, Bytes: n.bytes,
	}
}

func sortChanges(lists ...[]Change) {
	for _, list := range lists {
		slices.SortFunc(list, func(a, b Change) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.From, b.From))
		})
	}
}
