// Package tools builds what environments are made with: a virtual environment of ours with py-rattler, uv and conda-pack, of
// exactly the wheels that the embedded lock names, each with its hash.
//
// A virtual environment cannot be moved, so it is built where it stays, below a name made from its content. A marker is
// written last: a folder without one is half built, is never used, and is thrown away by the next build.
package tools

import (
	"context"
	"path/filepath"
	"strings"
)

// Tools is a tool environment that is there, whole. All paths are absolute.
type Tools struct {
	Python    string // the interpreter that has py-rattler
	UV        string
	CondaPack string
	// Version names what is in it: "py-rattler 0.28.0, uv 0.13.9, conda-pack 0.9.2".
	Version string
}

// Config says where and on what to build.
type Config struct {
	// Dir holds tool environments, one folder for each content. Absolute.
	Dir string
	// Python is the interpreter to build on, a path or a name on PATH; empty means the newest fit one on PATH.
	Python string
	// Cache is the folder of downloaded wheels; empty means the user's cache.
	Cache string
	// Offline forbids downloads; wheels of the cache are used all the same.
	Offline bool
	// Progress, when set, hears a line for each slow step.
	Progress func(line string)
}

// toolVersions are the Python versions that the lock of the tools is good for.
var toolVersions = []string{"3.13", "3.12", "3.11", "3.10"}

// toolCheck leaves without the interpreter's own end, in which py-rattler may crash.
const toolCheck = "import os, rattler, conda_pack; os._exit(0)"

// Find returns the tool environment below dir if it is there, whole. It costs a few file look-ups and starts nothing.
func Find(dir string) (Tools, bool) {
	l, err := readLock(lockFiles, "tools", "")
	if err != nil {
		return Tools{}, false
	}
	env, ok := toolset(Config{Dir: dir}).find(l)
	return toolsOf(env, l), ok
}

// Build makes the tool environment unless it is there. One process builds, others wait for it. Errors that a person can mend
// are problems; offline, they name the wheels that are missing.
func Build(ctx context.Context, c Config) (Tools, error) {
	l, err := readLock(lockFiles, "tools", "")
	if err != nil {
		return Tools{}, err
	}
	tell := c.Progress
	if tell == nil {
		tell = func(string) {}
	}
	env, err := toolset(c).build(ctx, tell, func(string) (lock, error) { return l, nil }, l)
	return toolsOf(env, l), err
}

// toolset is the tool environment as one of pinned wheels. Its name does not depend on the interpreter that was asked for, so
// that Find needs no more than the folder.
func toolset(c Config) *pinned {
	return &pinned{dir: c.Dir, python: c.Python, offline: c.Offline, cache: c.Cache, versions: toolVersions, check: toolCheck}
}

func toolsOf(env Prepared, l lock) Tools {
	if env.Bin == "" {
		return Tools{}
	}
	var versions []string
	for _, name := range []string{"py-rattler", "uv", "conda-pack"} {
		versions = append(versions, name+" "+l.versionOf(name))
	}
	return Tools{
		Python: env.Python, UV: filepath.Join(env.Bin, "uv"), CondaPack: filepath.Join(env.Bin, "conda-pack"),
		Version: strings.Join(versions, ", "),
	}
}
