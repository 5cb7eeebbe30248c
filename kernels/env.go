// Package kernels is the domain of notebooks: kernelspecs, kernels, notebook sessions, terminals and the files they work on.
package kernels

import "context"

// Environment is where a project's programs find their interpreter: for now one virtual environment for all.
type Environment struct {
	Name   string // shown to people
	Build  string // identifies the exact content
	Prefix string // the environment's root folder
	Bin    string // folder that goes first on PATH
	Python string // absolute path of the interpreter
}

// EnvResolver finds the environment that a new kernel or terminal of a project gets. It is safe for concurrent use.
type EnvResolver interface {
	// Resolve returns the project's environment; a problem.Unavailable with what to do if there is none that works.
	Resolve(ctx context.Context, project string) (Environment, error)
}
