package testchannel

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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

// findPythons returns the interpreters to repack, one for each minor version that there is.
func findPythons(ctx context.Context) ([]python, error) {
	candidates := []string{"python3.11", "python3.12", "python3"}
	if asked := os.Getenv("HOPYARD_TEST_PYTHON_SRC"); asked != "" {
		candidates = filepath.SplitList(asked)
	}
	var found []python
	for _, name := range candidates {
		p, err := ask(ctx, name)
		same := func(other python) bool { return other.Minor == p.Minor }
		if err == nil && slices.Contains(minors, p.Minor) && !slices.ContainsFunc(found, same) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, &MissingError{"none of " + strings.Join(candidates, ", ") + " is a CPython 3.11 or 3.12"}
	}
	return found, nil
}

func ask(ctx context.Context, name string) (python, error) {
	var p python
	out, err := exec.CommandContext(ctx, name, "-I", "-c", probe).Output()
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(out, &p)
}
