package lock

// Compare says what differs from old to new; old may be nil, for nothing.
func Compare(old, new *Lock) Diff {
	was, is := entries(old), entries(new)
	var d Diff
	for key, n := range is {
		o, had := was[key]
		switch {
		case !had:
			d.Added = append(d.Added, Change{Name: n.name, From: key.from, New: n.version, NewBuild: n.build, Bytes: n.bytes})
			d.Bytes += n.bytes
		case o.sha256 == n.sha256:
			d.Unchanged++
		default:
			d.Changed = append(d.Changed, changed(key.from, o, n))
			d.Bytes += n.bytes
		}
	}
	for key, o := range was {
		if _, has := is[key]; !has {
			d.Removed = append(d.Removed, Change{Name: o.name, From: key.from, Old: o.version, OldBuild: o.build})
		}
	}
	d.sort()
	return d
}
