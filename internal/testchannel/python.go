package testchannel

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// python is an interpreter to repack.
type python struct {
	Path    string `json:"path"` // itself, no link, shim or virtual environment
	Version string `json:"version"`
	Minor   string `json:"minor"`
}

// Versions that the pinned wheels are there for, the preferred one first.
var minors = []string{"3.11", "3.12"}

const probe = `
import json, os, sys
v = sys.version_info
path = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
print(json.dumps({"path": path, "version": "%d.%d.%d" % v[:3], "minor": "%d.%d" % v[:2]}))`

// candidate is what may be an interpreter: a name or a path, and the minor version that it should be.
type candidate struct{ name, minor string }

// findPythons returns the interpreters to repack, one for each minor version that there is.
func findPythons(ctx context.Context) ([]python, error) {
	candidates := []candidate{{"python3.11", "3.11"}, {"python3.12", "3.12"}, {"python3", ""}}
	if asked := os.Getenv("HOPYARD_TEST_PYTHON_SRC"); asked != "" {
		candidates = nil
		for _, path := range filepath.SplitList(asked) {
			candidates = append(candidates, candidate{path, ""})
		}
	}
	var found []python
	for _, c := range candidates {
		p, err := ask(ctx, c)
		same := func(other python) bool { return other.Minor == p.Minor }
		if err == nil && slices.Contains(minors, p.Minor) && !slices.ContainsFunc(found, same) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, &MissingError{"there is no CPython 3.11 or 3.12 on PATH, nor named by HOPYARD_TEST_PYTHON_SRC"}
	}
	return found, nil
}

func ask(ctx context.Context, c candidate) (python, error) {
	cmd := exec.CommandContext(ctx, c.name, "-I", "-c", probe)
	if c.minor != "" {
		cmd.Env = append(os.Environ(), "PYENV_VERSION="+c.minor) // what is on PATH may be pyenv's shim, which asks for a choice
	}
	var p python
	out, err := cmd.Output()
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(out, &p)
}
