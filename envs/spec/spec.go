// Package spec is environment.yml: what people ask for (CEP 24), read with the place of every mistake, edited without losing
// their comments.
package spec

// Spec is an environment.yml that has been read and checked. It is immutable.
type Spec struct {
	// Text is the file, as written.
	Text []byte
	// Name is the one in the file, which may be empty: the environment's own name counts.
	Name string
	// Channels, names or addresses, in order of priority; without "nodefaults", which NoDefaults tells.
	Channels   []string
	NoDefaults bool
	// Dependencies are conda's, MatchSpecs as written, each with its place.
	Dependencies []Requirement
	// Pip are requirements (PEP 508), each with its place.
	Pip []Requirement
	// Variables are operating-system variables of the environment.
	Variables map[string]string
	// Kernel says that the environment asks for a kernel, so that it must be able to start one: it names ipykernel.
	Kernel bool
}

// Requirement is one line of a spec.
type Requirement struct {
	Text string
	Name string // normalised: lower case
	Line int    // from 1
	Col  int    // from 1
}
