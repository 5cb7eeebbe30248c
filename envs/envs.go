// Package envs is the domain of environments: the interpreter and the packages that a project's programs run on.
//
// All projects share one environment at present. A Driver knows how one kind of environment is made (package venv: a
// virtual environment from pinned wheels); the Resolver keeps it prepared and answers with it.
//
//	preparing ──► ready        Resolve answers with the environment
//	    ▲  └────► failed       Resolve says why, until the next Prepare
//	    └───────────┘
package envs

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/hopyard/hopyard/internal/problem"
)

// Prepared is where programs find their interpreter.
type Prepared struct {
	Name   string // shown to people
	Build  string // identifies the exact content
	Prefix string // the environment's root folder
	Bin    string // folder that goes first on PATH
	Python string // absolute path of the interpreter
}

// Driver makes environments of one kind. It is safe for concurrent use, also by several processes.
type Driver interface {
	// Find returns the environment if it is there, whole. It costs a few file look-ups and starts nothing.
	Find() (Prepared, bool)
	// Build makes the environment unless it is there. It calls progress with a short line for each slow step. Errors that a
	// person can mend are problems.
	Build(ctx context.Context, progress func(line string)) (Prepared, error)
}

// Resolver keeps the environment prepared and hands it out. It is safe for concurrent use.
type Resolver struct {
	driver   Driver
	log      *slog.Logger
	progress func(string)

	mu   sync.Mutex // guards what follows
	step string     // what Prepare does now, for people; empty when it does nothing
	last error      // why the last try ended without an environment
}

// ResolverConfig is what a Resolver needs.
type ResolverConfig struct {
	Driver Driver
	Log    *slog.Logger
	// Progress, when set, hears a line for each slow step.
	Progress func(line string)
}

// NewResolver makes a Resolver. Prepare makes the environment.
func NewResolver(c ResolverConfig) *Resolver {
	return &Resolver{driver: c.Driver, log: c.Log, progress: c.Progress}
}

// Resolve returns the project's environment. Without one it returns a problem.Unavailable that says how far the preparation
// is, or why it did not work.
func (r *Resolver) Resolve(_ context.Context, _ string) (Prepared, error) {
	if env, ok := r.driver.Find(); ok {
		return env, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.step != "":
		return Prepared{}, problem.New(problem.Unavailable, "the Python environment is being prepared (%s); try again in a moment", r.step)
	case r.last != nil:
		return Prepared{}, problem.New(problem.Unavailable, "there is no Python environment to run in: %w", r.last)
	default:
		return Prepared{}, problem.New(problem.Unavailable, "the Python environment has not been prepared yet; try again in a moment")
	}
}

// Prepare makes the environment unless it is there, and returns when it is, or with the reason why it is not.
func (r *Resolver) Prepare(ctx context.Context) error {
	if _, ok := r.driver.Find(); ok {
		return nil
	}
	r.note("looking for Python", nil)
	env, err := r.driver.Build(ctx, func(line string) {
		r.note(line, nil)
		if r.progress != nil {
			r.progress(line)
		}
	})
	r.note("", err)
	if err != nil {
		return err
	}
	r.log.InfoContext(ctx, "environment ready", "environment", env.Name, "build", env.Build)
	return nil
}

func (r *Resolver) note(step string, err error) {
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.step, r.last = step, err
}
