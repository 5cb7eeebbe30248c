package lock

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// ID names the lock by its content: the SHA-256, in hex, of its canonical form without what does not decide what is installed
// (Solver, Created and the records of packages). Locks with one ID install the same bytes.
func (l *Lock) ID() string {
	canonical := l.canonical()
	canonical.Solver, canonical.Created = "", time.Time{}
	for i := range canonical.Packages {
		canonical.Packages[i].Record = nil
	}
	text, err := json.Marshal(canonical)
	if err != nil {
		panic("lock: " + err.Error()) // nothing but a Record can fail, and there is none
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
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
