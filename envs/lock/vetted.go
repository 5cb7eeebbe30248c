package lock

import "slices"

// vetted is what was found out of a package once: that Check has nothing against it, and how it is written in an ID. It says so of the
// package that it holds a copy of, word for word, and of no other.
type vetted struct {
	of     Package
	record string
	text   []byte
}

// Vet is p with a note that Check has nothing against it, where that is so: locks of p are then checked and named much faster. The
// note counts for as long as p says what it says now. It is part of no text, so that only what this process has vetted has one.
func Vet(p Package) Package {
	p.vetted = nil
	c := checker{}
	c.checkPackage(&p)
	if c.err() != nil {
		return p
	}
	of := p
	of.Depends, of.Constrains, of.Record = slices.Clone(p.Depends), slices.Clone(p.Constrains), nil
	p.vetted = &vetted{of: of, record: string(p.Record), text: p.nameText()}
	return p
}

// fits reports whether what was found out is about p as it is now.
func (v *vetted) fits(p *Package) bool {
	return v != nil && v.of.Name == p.Name && v.of.Version == p.Version && v.of.Build == p.Build && v.of.BuildNumber == p.BuildNumber &&
		v.of.Subdir == p.Subdir && v.of.URL == p.URL && v.of.SHA256 == p.SHA256 && v.of.MD5 == p.MD5 && v.of.Size == p.Size &&
		v.of.License == p.License && v.of.Noarch == p.Noarch && v.of.Timestamp == p.Timestamp &&
		slices.Equal(v.of.Depends, p.Depends) && slices.Equal(v.of.Constrains, p.Constrains) && v.record == string(p.Record)
}
