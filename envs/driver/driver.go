// Package driver is the contract of what makes environments of one kind: a solver, a search and an installer, with events
// while they work and failures that name their cause.
package driver

import (
	"context"

	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
)

// Info describes a driver on this host.
type Info struct {
	Kind    lock.Kind `json:"kind"`
	Name    string    `json:"name"`    // "rattler", "venv"
	Version string    `json:"version"` // of the tool behind it: "py-rattler 0.28.0"
}

// Driver makes environments of one kind. It is safe for concurrent use. Errors are *Failure where the cause is known.
//
// The gateway solves and searches; a build's own process installs. Both make a Driver of their own, which starts its helper
// when it is first needed.
type Driver interface {
	// Info names the driver. It starts the tool and fails where that cannot run.
	Info(ctx context.Context) (Info, error)
	// Solve finds the exact content for a spec. It changes nothing on disk but caches of metadata.
	Solve(ctx context.Context, req Request, tell Sink) (*lock.Lock, error)
	// Complete makes a lock that came from outside one of ours. Of l it believes what an artifact is called, where it is and which hash it
	// has; everything else comes from the channels that the addresses lie in, the index, and this host. l is not changed. What a channel does not
	// have is a PackageMissing. What its source does not say, or cannot be asked for because it does not answer, stays empty. Before it is
	// asked, the policy must have allowed all addresses in l.
	Complete(ctx context.Context, l *lock.Lock, index string) (*lock.Lock, error)
	// Places tells the addresses that stand behind names of channels, and that of the package index where none is configured. It asks no
	// network.
	Places(ctx context.Context, channels []string) (Places, error)
	// Search finds packages by a part of their name, the best match first, at most limit.
	Search(ctx context.Context, q Query) ([]Found, error)
	// Install makes the environment of l at its final place, an empty or absent folder, in the phases fetch, link and pip.
	Install(ctx context.Context, l *lock.Lock, at Place, tell Sink) error
	// Close ends the helper. It is idempotent.
	Close() error
}

// Request says what to solve.
type Request struct {
	Spec *spec.Spec
	// Channels are the channels to use, names or addresses, in order of priority; they replace those of the Spec.
	Channels []string
	// Index is the address of the package index for wheels; empty means the tool's default.
	Index string
	// Prefer are artifacts to stay with where the spec allows, so that a change touches little: the lock in use.
	Prefer *lock.Lock
	// Upgrade names packages that need not stay what they are in Prefer.
	Upgrade []string
	// MinimumAgeSeconds keeps out what was released more recently.
	MinimumAgeSeconds int64
}

// Places are canonical addresses, without credentials.
type Places struct {
	Channels map[string]string // by the name that was asked for
	Index    string            // the tool's own
}

// Query is a search.
type Query struct {
	Text     string
	Channels []string
	Index    string
	Limit    int
}

// Found is one package that a search found.
type Found struct {
	Name     string   `json:"name"`
	From     string   `json:"from"`     // "conda" or "pip"
	Versions []string `json:"versions"` // the newest first, at most 50
	Summary  string   `json:"summary,omitempty"`
	License  string   `json:"license,omitempty"`
	Channel  string   `json:"channel,omitempty"`
}

// Place is where Install works.
type Place struct {
	Prefix   string // the environment's final folder; absolute
	Packages string // cache of extracted conda packages, whose files are hard-linked
	Wheels   string // cache of downloaded wheels, by hash
	UVCache  string // uv's own cache of unpacked wheels, on the same filesystem
}
