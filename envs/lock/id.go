package lock

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"
)

// ID names the lock by its content: the SHA-256, in hex, of its canonical form without what does not decide what is installed
// (Solver, Created and the records of packages). Locks with one ID install the same bytes.
func (l *Lock) ID() string {
	rest := *l
	rest.Packages, rest.Solver, rest.Created = nil, "", time.Time{}
	c := rest.canonical()
	wheels := c.Wheels
	c.Wheels = nil
	// Packages are many, and the texts of most are known: they are put between the members before and after them.
	sum := sha256.New()
	sum.Write(bytes.TrimSuffix(text(c), []byte("}")))
	opening := `,"packages":[`
	for _, p := range l.inOrder() {
		sum.Write([]byte(opening))
		sum.Write(p.nameText())
		opening = ","
	}
	if len(l.Packages) > 0 {
		sum.Write([]byte("]"))
	}
	if len(wheels) > 0 {
		sum.Write([]byte(`,"wheels":`))
		sum.Write(text(wheels))
	}
	sum.Write([]byte("}"))
	return hex.EncodeToString(sum.Sum(nil))
}

// inOrder are the packages in the order of the canonical form.
func (l *Lock) inOrder() []*Package {
	all := make([]*Package, len(l.Packages))
	for i := range l.Packages {
		all[i] = &l.Packages[i]
	}
	slices.SortFunc(all, func(a, b *Package) int {
		if a.Name != b.Name {
			return cmp.Compare(a.Name, b.Name)
		}
		return cmp.Compare(a.URL, b.URL)
	})
	return all
}

// nameText is how a package is written in a lock's ID.
func (p *Package) nameText() []byte {
	if p.vetted.fits(p) {
		return p.vetted.text
	}
	bare := *p
	bare.Record = nil
	return text(bare)
}

// text is the JSON of what can be written in it: of a package's Record nobody knows.
func text(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("lock: " + err.Error())
	}
	return b
}

// Bytes is the sum of the sizes of all artifacts.
func (l *Lock) Bytes() int64 {
	var sum int64
	for _, p := range l.Packages {
		sum += p.Size
	}
	for _, w := range l.Wheels {
		sum += w.Size
	}
	return sum
}
