// Package venv makes environments from wheels alone, on an interpreter of the host: for sites that no conda channel answers.
//
// A spec is written for conda channels; its dependencies are asked of the package index by the same names, and what only a
// channel could answer is refused with its line.
package venv

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/uv"
)

// Config is what a driver needs. UV alone must be set.
type Config struct {
	// UV is the uv program. Absolute.
	UV string
	// Bases are interpreters of the host to stand on, paths or names; empty means those on PATH.
	Bases []string
	// CacheDir keeps what uv learnt of package indexes.
	CacheDir string
	// WheelCache is the shared cache of wheels that are pinned without an address; empty means the user's own.
	WheelCache string
	// Hosts are addresses and hosts of indexes and files that may be inside of the network around.
	Hosts []string
	// AuthFile names credentials per host in the form of RATTLER_AUTH_FILE.
	AuthFile string
	// MemoryBytes limits the solver's address space, Timeout its time; 0 means uv.Tool's defaults.
	MemoryBytes int64
	Timeout     time.Duration
	// Offline forbids all network access.
	Offline bool
	// Log takes what only operators want to know; nil means nothing is said.
	Log *slog.Logger
}

// platform is the one that environments are made for.
const platform = "linux-64"

// Driver makes environments of kind lock.Venv. It is safe for concurrent use.
type Driver struct {
	config Config
	tool   *uv.Tool
	bases  *bases
	log    *slog.Logger
}

// New gives a driver.Driver of kind lock.Venv. It starts nothing.
func New(c Config) *Driver {
	d := &Driver{config: c, tool: toolOf(c, ""), bases: &bases{asked: c.Bases}, log: c.Log}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	return d
}

// toolOf is uv as configured. python fetches wheels without an address.
func toolOf(c Config, python string) *uv.Tool {
	return &uv.Tool{
		Path: c.UV, Cache: c.CacheDir, AuthFile: c.AuthFile, Hosts: c.Hosts, Offline: c.Offline, MemoryBytes: c.MemoryBytes, Timeout: c.Timeout,
		Pinned: uv.Pinned{Python: python, Cache: c.WheelCache},
	}
}

// Interpreters are the absolute paths of the interpreters that environments may stand on, as this process finds them: another one
// may have another PATH.
func (d *Driver) Interpreters(ctx context.Context) ([]string, error) {
	all, err := d.bases.all(ctx)
	paths := make([]string, len(all))
	for i, p := range all {
		paths[i] = p.Path
	}
	return paths, err
}

// Info names the driver and uv's version.
func (d *Driver) Info(ctx context.Context) (driver.Info, error) {
	version, err := d.tool.Version(ctx)
	if err != nil {
		return driver.Info{}, err
	}
	return driver.Info{Kind: lock.Venv, Name: "venv", Version: "uv " + version}, nil
}

// Solve finds the exact wheels for a spec on one of the host's interpreters.
func (d *Driver) Solve(ctx context.Context, req driver.Request, tell driver.Sink) (*lock.Lock, error) {
	say(tell, driver.Event{Type: driver.TypeState, Phase: driver.Solve})
	want, err := translate(req.Spec)
	if err != nil {
		return nil, err
	}
	if len(want.renamed) > 0 {
		say(tell, logLine(driver.Solve, "the package index has other names: "+strings.Join(want.renamed, ", ")))
	}
	base, err := d.bases.choose(ctx, want, req.Prefer)
	if err != nil {
		return nil, err
	}
	say(tell, logLine(driver.Solve, "on Python "+base.Version+" of this host, "+base.Path))
	wheels, err := d.tool.Compile(ctx, compilation(req, want, base))
	if err != nil {
		if f, ok := errors.AsType[*driver.Failure](err); ok {
			place(req.Spec, f)
		}
		return nil, err
	}
	return d.lockOf(ctx, req, base, wheels)
}

func compilation(req driver.Request, want wanted, base lock.Base) uv.Request {
	ask := uv.Request{
		Requirements: want.requirements, Python: minorVersion(base.Version), PythonPath: base.Path, Platform: platform,
		Index: req.Index, MinimumAge: time.Duration(req.MinimumAgeSeconds) * time.Second, Upgrade: req.Upgrade,
	}
	if req.Prefer != nil {
		ask.Prefer = req.Prefer.Wheels
	}
	return ask
}

func (d *Driver) lockOf(ctx context.Context, req driver.Request, base lock.Base, wheels []lock.Wheel) (*lock.Lock, error) {
	version, err := d.tool.Version(ctx)
	if err != nil {
		return nil, err
	}
	index := req.Index
	if index == "" {
		if index, err = d.tool.DefaultIndex(ctx); err != nil {
			return nil, err
		}
	}
	if index, err = uv.CleanIndex(index); err != nil {
		return nil, err
	}
	return &lock.Lock{
		Version: lock.FormatVersion, Kind: lock.Venv, Platform: platform, Python: minorVersion(base.Version), Base: &base,
		Indexes: []string{index}, Wheels: wheels, Solver: "uv " + version, Created: time.Now().UTC().Truncate(time.Second),
	}, nil
}

// Complete implements driver.Driver. The lock stands on an interpreter of this host whose version its wheels are for.
func (d *Driver) Complete(ctx context.Context, l *lock.Lock, index string) (*lock.Lock, error) {
	if l.Kind != lock.Venv {
		return nil, driver.Failf(driver.SpecInvalid, "the lock is for an environment of conda packages")
	}
	l = l.Bare()
	base, err := d.bases.fit(ctx, l)
	if err != nil {
		return nil, err
	}
	python := minorVersion(base.Version)
	wheels, err := d.tool.Complete(ctx, uv.Completion{Wheels: l.Wheels, Python: python, Platform: l.Platform, Index: index})
	if err != nil {
		return nil, err
	}
	return d.lockOf(ctx, driver.Request{Index: index}, base, wheels)
}

// Places implements driver.Driver. Channels mean nothing here.
func (d *Driver) Places(ctx context.Context, _ []string) (driver.Places, error) {
	index, err := d.tool.DefaultIndex(ctx)
	return driver.Places{Index: index}, err
}

// Search looks for the exact name on the package index.
func (d *Driver) Search(ctx context.Context, q driver.Query) ([]driver.Found, error) {
	return d.tool.Search(ctx, q.Index, q.Text)
}

// Install makes the environment of l.
func (d *Driver) Install(ctx context.Context, l *lock.Lock, at driver.Place, tell driver.Sink) error {
	if l.Kind != lock.Venv || len(l.Packages) > 0 {
		return driver.Failf(driver.SpecInvalid, "the lock is for an environment of conda packages")
	}
	if err := d.bases.check(ctx, l.Base); err != nil {
		return err
	}
	tool := toolOf(d.config, l.Base.Path)
	say(tell, driver.Event{Type: driver.TypeState, Phase: driver.Fetch})
	if err := tool.Fetch(ctx, l.Wheels, l.Indexes, at.Wheels, tell); err != nil {
		return err
	}
	say(tell, driver.Event{Type: driver.TypeState, Phase: driver.Link})
	if err := tool.Venv(ctx, l.Base.Path, at.Prefix); err != nil {
		return err
	}
	version, err := madeOn(at.Prefix, l.Base)
	if err != nil {
		return err
	}
	if version != l.Base.Version {
		say(tell, logLine(driver.Link, "Python "+l.Base.Version+" has become "+version+" since this was solved"))
	}
	say(tell, driver.Event{Type: driver.TypeProgress, Phase: driver.Link, Done: 1, Total: 1, Package: "python"})
	say(tell, driver.Event{Type: driver.TypeState, Phase: driver.Pip})
	d.log.DebugContext(ctx, "installing wheels", "prefix", at.Prefix, "wheels", len(l.Wheels))
	return tool.Install(ctx, uv.InstallRequest{
		Python: filepath.Join(at.Prefix, "bin", "python"), Wheels: l.Wheels, Dir: at.Wheels, UVCache: at.UVCache,
	}, tell)
}

// Close does nothing: no helper stays.
func (d *Driver) Close() error { return nil }

func say(tell driver.Sink, e driver.Event) {
	if tell != nil {
		tell(e)
	}
}

func logLine(phase driver.Phase, text string) driver.Event {
	return driver.Event{Type: driver.TypeLog, Phase: phase, Text: text}
}

// check refuses a requirement for pip that is not one by name, with its place.
func check(r spec.Requirement) error {
	err := uv.CheckRequirement(r.Text)
	if f, ok := errors.AsType[*driver.Failure](err); ok {
		return at(r, f)
	}
	return err
}

var separators = regexp.MustCompile(`[-_.]+`)

// normalize gives a name's one spelling (PEP 503).
func normalize(name string) string { return separators.ReplaceAllString(strings.ToLower(name), "-") }

func sortWheels(wheels []lock.Wheel) {
	slices.SortFunc(wheels, func(a, b lock.Wheel) int { return strings.Compare(a.Name, b.Name) })
}

var _ driver.Driver = (*Driver)(nil)
