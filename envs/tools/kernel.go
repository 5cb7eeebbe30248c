package tools

import (
	"context"
	"io/fs"
)

// Driver builds the kernel environment, which is for all projects that have none of their own. It is safe for concurrent use,
// also by several processes.
type Driver struct {
	// Dir holds the environments, one folder each. Absolute.
	Dir string
	// Python is the interpreter to build on, a path or a name on PATH; empty means the newest fit one on PATH.
	Python string
	// Offline forbids downloads; wheels of the cache are used all the same.
	Offline bool
	// Cache is the folder of downloaded wheels; empty means the user's cache.
	Cache string

	locks fs.FS // instead of the embedded ones, for tests
}

// Versions are the Python versions that there is a lock of the kernel environment for, the one to prefer first.
var Versions = []string{"3.13", "3.12", "3.11"}

// Find returns the environment of the preferred Python version that is there, whole.
func (d *Driver) Find() (Prepared, bool) {
	for _, l := range d.all() {
		if env, ok := d.pinned().find(l); ok {
			return env, true
		}
	}
	return Prepared{}, false
}

// Build makes the environment unless it is there. One process builds, others wait for it.
func (d *Driver) Build(ctx context.Context, progress func(string)) (Prepared, error) {
	return d.pinned().build(ctx, progress, d.lockOf, d.all()...)
}

func (d *Driver) pinned() *pinned {
	p := &pinned{dir: d.Dir, python: d.Python, offline: d.Offline, cache: d.Cache, versions: Versions, named: true}
	if d.locks == nil {
		p.check = "import ipykernel.kernelapp, zmq"
	}
	return p
}

func (d *Driver) all() []lock {
	var all []lock
	for _, version := range Versions {
		if l, err := d.lockOf(version); err == nil {
			all = append(all, l)
		}
	}
	return all
}

func (d *Driver) lockOf(version string) (lock, error) {
	locks := d.locks
	if locks == nil {
		locks = lockFiles
	}
	return kernelLock(locks, version)
}
