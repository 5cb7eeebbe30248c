package spec

// MaxBytes is how long an environment.yml may be.
const MaxBytes = 256 << 10

// Parse reads an environment.yml. Its error is an *Error with all mistakes and their places.
func Parse(text []byte) (*Spec, error) { return nil, nil }

// Edit gives the spec that s is after a change. Comments, order and quoting stay. Its error is an *Error.
func (s *Spec) Edit(e Edit) (*Spec, error) { return nil, nil }

// FromRequirements makes a spec with the pip section that a requirements.txt asks for. Its error is an *Error.
func FromRequirements(name string, text []byte) (*Spec, error) { return nil, nil }

// Hash names what s asks for, in hex: specs that differ in comments, order of packages or name have the same.
func (s *Spec) Hash() string { return "" }
