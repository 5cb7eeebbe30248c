package venv

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/envs/uv"
	"golang.org/x/sync/errgroup"
)

// asking the host's interpreters costs tens of milliseconds each, so what they said is kept for a while.
const basesKept = time.Minute

// newest and oldest are the minor versions of Python 3 that are looked for on PATH.
const newest, oldest = 16, 9

// bases are the interpreters of this host that environments can stand on.
type bases struct {
	asked []string

	mu    sync.Mutex // guards what is below, also while interpreters are asked
	found []tools.Python
	at    time.Time
}

// all gives the interpreters, the newest version first, one of each minor version.
func (b *bases) all(ctx context.Context) ([]tools.Python, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.found != nil && time.Since(b.at) < basesKept && !slices.ContainsFunc(b.found, gone) {
		return b.found, nil
	}
	found := probe(ctx, b.names())
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	b.found, b.at = found, time.Now()
	return found, nil
}

func gone(p tools.Python) bool {
	_, err := os.Stat(p.Path)
	return err != nil
}

func (b *bases) names() []string {
	if len(b.asked) > 0 {
		return slices.Clone(b.asked)
	}
	var names []string
	for minor := newest; minor >= oldest; minor-- {
		names = append(names, fmt.Sprintf("python3.%d", minor))
	}
	return append(names, "python3")
}

// probe asks several at once. Those that do not start, or that wheels of this platform do not fit, are left out.
func probe(ctx context.Context, names []string) []tools.Python {
	answers := make([]tools.Python, len(names))
	var group errgroup.Group
	group.SetLimit(4)
	for i, name := range names {
		group.Go(func() error {
			if p, err := tools.Probe(ctx, name); err == nil && p.Machine == "x86_64" && strings.HasPrefix(p.Libc, "glibc") {
				answers[i] = p
			}
			return nil
		})
	}
	_ = group.Wait()
	found := []tools.Python{}
	for _, p := range answers {
		if p.Path != "" && !slices.ContainsFunc(found, func(q tools.Python) bool { return q.Version == p.Version }) {
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(p, q tools.Python) int { return lock.CompareVersions(q.Full, p.Full) })
	return found
}

// choose takes the interpreter that is in use already where the spec allows it, else the newest that the spec allows. Python's
// very newest version is taken last of all unless the spec asks for it: many wheels come late.
func (b *bases) choose(ctx context.Context, w wanted, inUse *lock.Lock) (lock.Base, error) {
	all, err := b.all(ctx)
	if err != nil {
		return lock.Base{}, err
	}
	var fit []tools.Python
	for _, p := range all {
		if w.python.holds(p.Full) {
			fit = append(fit, p)
		}
	}
	if len(fit) == 0 {
		return lock.Base{}, none(all, w)
	}
	best := fit[0]
	for _, p := range fit {
		if slices.Contains(tools.Versions, p.Version) {
			best = p
			break
		}
	}
	if inUse != nil && inUse.Base != nil {
		for _, p := range fit {
			if p.Path == inUse.Base.Path {
				best = p
			}
		}
	}
	return lock.Base{Path: best.Path, Version: best.Full}, nil
}

// fit takes the interpreter that a lock's wheels are for: of the lock's version where it has one, else of the best one that all of
// them run on.
func (b *bases) fit(ctx context.Context, l *lock.Lock) (lock.Base, error) {
	all, err := b.all(ctx)
	if err != nil {
		return lock.Base{}, err
	}
	best := lock.Base{}
	for _, p := range all {
		known := slices.Contains(tools.Versions, p.Version)
		if (l.Python == "" || l.Python == p.Version) && uv.Fits(l.Wheels, p.Version, l.Platform) && (best.Path == "" || known) {
			best = lock.Base{Path: p.Path, Version: p.Full}
			if known {
				break
			}
		}
	}
	if best.Path != "" {
		return best, nil
	}
	var names []string
	for _, p := range all {
		names = append(names, p.Full)
	}
	f := driver.Failf(driver.PackageMissing, "the wheels of this lock are for another Python than this host has (%s): install the one that they are for, or solve anew",
		cmp.Or(strings.Join(names, ", "), "none"))
	f.Package, f.Near = "python", names
	return lock.Base{}, f
}

func none(all []tools.Python, w wanted) error {
	if len(all) == 0 {
		return driver.Failf(driver.PackageMissing, "there is no Python on this host to build on; install one and put it on PATH (on Debian: apt install python3)")
	}
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.Full
	}
	f := driver.Failf(driver.PackageMissing, "no Python of this host is %s; it has %s (this environment is built from the package index, which has no interpreters)", w.python.requirement(), strings.Join(names, ", "))
	f.Package, f.Near = "python", names
	return at(w.pythonAt, f)
}

// check makes sure that the interpreter of a lock is one of this host's, and still there. A lock may come from anybody, and what it
// names is started.
func (b *bases) check(ctx context.Context, base *lock.Base) error {
	if base == nil || base.Path == "" {
		return driver.Failf(driver.SpecInvalid, "the lock names no interpreter to build on")
	}
	path, err := filepath.EvalSymlinks(base.Path)
	if err != nil {
		return driver.Failf(driver.ToolFailed, "Python %s is no longer at %s; install it again, or solve anew (%w)", base.Version, base.Path, err)
	}
	if !b.has(ctx, path, minorVersion(base.Version)) {
		return driver.Failf(driver.PolicyDenied, "%s is none of the Pythons of this host that environments may stand on; solve anew", base.Path)
	}
	return nil
}

// has reports whether path, which is no link, is the interpreter that one of the names leads to. Names on PATH may be scripts that
// choose one, so that what is not found by its path is asked for; the likeliest first.
func (b *bases) has(ctx context.Context, path, minor string) bool {
	names := b.names()
	slices.SortStableFunc(names, func(x, y string) int {
		return -compareBool(x == "python"+minor, y == "python"+minor)
	})
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil && sameFile(found, path) {
			return true
		}
	}
	for _, name := range names {
		if p, err := tools.Probe(ctx, name); err == nil && sameFile(p.Path, path) {
			return true
		}
	}
	return false
}

func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// sameFile reports whether a path leads to one that is no link.
func sameFile(path, to string) bool {
	got, err := filepath.EvalSymlinks(path)
	return err == nil && got == to
}

// madeOn is the version of the interpreter that a virtual environment was made on, which must be of the lock's minor version:
// the host's may have been renewed since.
func madeOn(prefix string, base *lock.Base) (string, error) {
	text, err := os.ReadFile(filepath.Join(prefix, "pyvenv.cfg"))
	if err != nil {
		return "", fmt.Errorf("read what was made: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, "=")
		if key, value = strings.TrimSpace(key), strings.TrimSpace(value); key != "version_info" {
			continue
		}
		if minorVersion(value) != minorVersion(base.Version) {
			return "", driver.Failf(driver.ToolFailed, "%s is Python %s by now, and the lock is for %s; solve anew", base.Path, value, base.Version)
		}
		return value, nil
	}
	return "", driver.Failf(driver.ToolFailed, "the virtual environment does not say its version of Python")
}

// minorVersion is "3.11" for "3.11.7".
func minorVersion(full string) string {
	parts := strings.SplitN(full, ".", 3)
	return strings.Join(parts[:min(len(parts), 2)], ".")
}
