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
	// Dependencies are conda's, MatchSpecs as written, each with its place. What selectors keep from linux-64 is left out.
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
	Text string // without selector, comment and hashes
	Name string // normalised: lower case, and with PEP 503's dashes below pip
	Line int    // from 1
	Col  int    // from 1
	// Channel is the one that a MatchSpec names for itself, a name or an address; empty for most.
	Channel string
	// Hashes are those that a pip line allows its file to have, "sha256:…".
	Hashes []string
}

// Package is one to add to a Spec.
type Package struct {
	Name string `json:"name"` // below pip with its extras, if any: "uvicorn[standard]"
	From string `json:"from"` // "conda" or "pip"; empty means conda
	// Version is "2.4" for that one, a condition such as ">=2,<3" or "==2.4.6", or empty for any.
	Version string `json:"version,omitempty"`
}

// Edit is a change to a Spec.
type Edit struct {
	Add     []Package `json:"add,omitempty"`
	Remove  []string  `json:"remove,omitempty"`
	Upgrade []string  `json:"upgrade,omitempty"`
}

// Names are the normalised names of all that s asks for, conda's first.
func (s *Spec) Names() []string {
	names := make([]string, 0, len(s.Dependencies)+len(s.Pip))
	for _, r := range s.Dependencies {
		names = append(names, r.Name)
	}
	for _, r := range s.Pip {
		names = append(names, r.Name)
	}
	return names
}
