package lock

import (
	"fmt"
	"slices"
	"strings"
)

// Format is a form that a lock can be written in for other tools.
type Format string

// The formats.
const (
	Explicit     Format = "explicit"     // @EXPLICIT list of conda artifacts (CEP 23)
	CondaLock    Format = "conda-lock"   // conda-lock v1, YAML (CEP 37)
	Requirements Format = "requirements" // pip's requirements with hashes
	Environment  Format = "environment"  // environment.yml with every version pinned (CEP 24)
	CycloneDX    Format = "cyclonedx"    // CycloneDX 1.6, JSON
)

// Formats are all formats, in the order in which people are offered them.
var Formats = []Format{Explicit, CondaLock, Requirements, Environment, CycloneDX}

// Export writes the lock in a form for other tools; the same lock and name always give the same bytes. Name is the
// environment's name, where the form has a place for it.
//
// What a form cannot hold stands in it as comments that say so: wheels in an explicit list, packages of conda in requirements.
// A lock without any package of conda has no explicit list. Credentials are never written: a lock that holds one is refused.
func (l *Lock) Export(f Format, name string) ([]byte, error) {
	write, known := map[Format]func(*Lock, string) ([]byte, error){
		Explicit: explicit, CondaLock: condaLock, Requirements: requirements, Environment: environment, CycloneDX: cycloneDX,
	}[f]
	if !known {
		return nil, fmt.Errorf("%q is no format for locks; there are explicit, conda-lock, requirements, environment and cyclonedx", clip(string(f)))
	}
	canonical := l.canonical()
	if err := canonical.Check(); err != nil {
		return nil, fmt.Errorf("this lock cannot be exported: %w", err)
	}
	return write(canonical, oneLine(name))
}

// oneLine is a name for places where a line's end would begin something else.
func oneLine(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(name, ""), func(r rune) bool { return !printable(string(r)) }), " ")
}

// inOrder are the packages so that what one needs comes before it, and otherwise by name. Packages that need each other come
// by name.
func inOrder(packages []Package) []Package {
	byName := map[string]Package{}
	for _, p := range packages {
		byName[p.Name] = p
	}
	ordered := make([]Package, 0, len(packages))
	seen := map[string]bool{}
	var visit func(p Package)
	visit = func(p Package) {
		if seen[p.Name] {
			return
		}
		seen[p.Name] = true
		for _, name := range needs(p) {
			if needed, ok := byName[name]; ok {
				visit(needed)
			}
		}
		ordered = append(ordered, p)
	}
	for _, p := range packages {
		visit(p)
	}
	return ordered
}

// needs are the names that a package depends on, sorted.
func needs(p Package) []string {
	names := make([]string, 0, len(p.Depends))
	for _, spec := range p.Depends {
		name, _ := splitSpec(spec)
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// splitSpec splits a dependency of a package, "python_abi 3.11.* *_cp311", into its name and the rest.
func splitSpec(spec string) (name, rest string) {
	spec = strings.TrimSpace(spec)
	end := strings.IndexAny(spec, " =<>!~[")
	if end < 0 {
		return strings.ToLower(spec), ""
	}
	return strings.ToLower(spec[:end]), strings.TrimSpace(spec[end:])
}
