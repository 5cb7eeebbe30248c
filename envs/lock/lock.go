// Package lock holds what a solved environment is, to the byte: every artifact with its address and hash.
//
// A Lock never changes. Its ID is the hash of all that decides what is installed, so that two projects whose locks are equal
// share one build, and an old environment comes back without a solver.
package lock

import (
	"encoding/json"
	"time"
)

// Kind says how an environment is made.
type Kind string

// The kinds.
const (
	Conda Kind = "conda" // packages of conda channels, and wheels on top
	Venv  Kind = "venv"  // wheels alone, on an interpreter of the host
)

// FormatVersion is the version of Lock's JSON form.
const FormatVersion = 1

// Lock is the exact content of an environment on one platform. It is immutable once made and safe to share.
type Lock struct {
	Version  int    `json:"version"`
	Kind     Kind   `json:"kind"`
	Platform string `json:"platform"` // conda's word: "linux-64"
	// Python is the minor version, "3.11"; empty where there is none.
	Python string `json:"python,omitempty"`
	// Base is the interpreter that an environment of kind Venv stands on.
	Base *Base `json:"base,omitempty"`
	// Channels and Indexes are the canonical addresses that the packages came from, in order of priority, without credentials.
	Channels []string `json:"channels,omitempty"`
	Indexes  []string `json:"indexes,omitempty"`
	// Virtual are the virtual packages that the solver took as given, "__glibc=2.36=0".
	Virtual []string `json:"virtual,omitempty"`
	// Packages of conda, sorted by name.
	Packages []Package `json:"packages,omitempty"`
	// Wheels, sorted by name.
	Wheels []Wheel `json:"wheels,omitempty"`
	// Solver and Created tell where the lock came from. They are no part of its ID.
	Solver  string    `json:"solver,omitempty"`
	Created time.Time `json:"created,omitzero"`

	claimed string // the ID that a bare lock had as it was sent
}

// Base is an interpreter of the host.
type Base struct {
	Path    string `json:"path"`    // absolute
	Version string `json:"version"` // "3.11.7"
}

// Package is one artifact of a conda channel (CEP 36).
type Package struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	Build       string   `json:"build"`
	BuildNumber int      `json:"build_number,omitempty"`
	Subdir      string   `json:"subdir"`
	URL         string   `json:"url"` // without credentials
	SHA256      string   `json:"sha256"`
	MD5         string   `json:"md5,omitempty"`
	Size        int64    `json:"size"` // bytes of the artifact
	Depends     []string `json:"depends,omitempty"`
	Constrains  []string `json:"constrains,omitempty"`
	License     string   `json:"license,omitempty"`
	Noarch      string   `json:"noarch,omitempty"`
	Timestamp   int64    `json:"timestamp,omitempty"` // when it was made, milliseconds since 1970
	// Record is the channel's record, as the installer wants it back. It is no part of the ID.
	Record json.RawMessage `json:"record,omitempty"`

	vetted *vetted // what Vet found out; nil of all that was read
}

// Wheel is one artifact of a Python package index (PEP 427, PEP 751).
type Wheel struct {
	Name     string   `json:"name"` // normalised (PEP 503)
	Version  string   `json:"version"`
	Filename string   `json:"filename"`
	URL      string   `json:"url"` // without credentials; empty means that the index is asked, by name and hash
	SHA256   string   `json:"sha256"`
	Size     int64    `json:"size"`
	Requires []string `json:"requires,omitempty"` // names of wheels and packages it needs here
	License  string   `json:"license,omitempty"`
	Uploaded string   `json:"uploaded,omitempty"` // RFC 3339, where the index says
}
