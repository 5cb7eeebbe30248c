// Package kernels is the domain of notebooks: kernelspecs, kernels, notebook sessions, terminals and the files they work on.
package kernels

import (
	"context"
	"encoding/json"

	"github.com/hopyard/hopyard/workloads"
)

// Environment is where a project's programs find their interpreter: one build of one of its environments.
type Environment struct {
	Name    string // unique in the project
	Build   int    // the number of the build
	ID      string // identifies the files
	Lock    string // identifies the exact content, from which it can be made again
	Prefix  string // the environment's root folder
	Bin     string // folder that goes first on PATH
	Python  string // absolute path of the interpreter; empty where there is none
	Version string // of Python, "3.11.7"
	// Variables are what activating the environment sets, besides PATH.
	Variables map[string]string
}

// EnvResolver finds the environments that new kernels and terminals of a project get. It is safe for concurrent use.
type EnvResolver interface {
	// Resolve returns the project's default environment; a problem.Unavailable with what to do if there is none that works.
	Resolve(ctx context.Context, project string) (Environment, error)
	// ResolveAll returns all that work, the default one first; a problem.Unavailable with what to do if there is none.
	ResolveAll(ctx context.Context, project string) ([]Environment, error)
}

// workload is how a workload remembers it; nil for no environment.
func (e Environment) workload() *workloads.Environment {
	if e.ID == "" {
		return nil
	}
	return &workloads.Environment{Name: e.Name, Build: e.Build, ID: e.ID, Lock: e.Lock}
}

// mark adds to a kernelspec's metadata which build it comes from.
func (e Environment) mark(metadata json.RawMessage) json.RawMessage {
	fields := map[string]json.RawMessage{}
	if e.ID == "" || json.Unmarshal(metadata, &fields) != nil {
		return metadata
	}
	own, err := json.Marshal(e.workload())
	if err != nil { // strings and a number
		return metadata
	}
	fields["hopyard"] = own
	marked, err := json.Marshal(fields)
	if err != nil {
		return metadata
	}
	return marked
}
