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
	b, err := newBuilder(Config{Dir: dir})
	if err != nil || !b.whole() {
		return Tools{}, false
	}
	return b.tools(), true
}

// Build makes the tool environment unless it is there. One process builds, others wait for it. Errors that a person can mend
// are problems; offline, they name the wheels that are missing.
func Build(ctx context.Context, c Config) (Tools, error) {
	b, err := newBuilder(c)
	if err != nil {
		return Tools{}, err
	}
	if err := b.build(ctx); err != nil {
		return Tools{}, err
	}
	return b.tools(), nil
}

func newBuilder(c Config) (*builder, error) {
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	l, err := toolLock()
	return &builder{Config: c, lock: l}, err
}

func (b *builder) tools() Tools {
	var versions []string
	for _, name := range []string{"py-rattler", "uv", "conda-pack"} {
		versions = append(versions, name+" "+b.lock.versionOf(name))
	}
	return Tools{
		Python: b.python(), UV: filepath.Join(b.bin(), "uv"), CondaPack: filepath.Join(b.bin(), "conda-pack"),
		Version: strings.Join(versions, ", "),
	}
}
