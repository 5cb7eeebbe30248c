// Package venv makes environments from wheels alone, on an interpreter of the host: for sites that no conda channel answers.
package venv

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
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

// New gives a driver.Driver of kind lock.Venv. It starts nothing.
func New(c Config) *Driver { return &Driver{config: c} }

// Driver makes environments of kind lock.Venv. It is safe for concurrent use.
type Driver struct{ config Config }

var errSoon = errors.New("being written")

// Info names the driver and uv's version.
func (d *Driver) Info(ctx context.Context) (driver.Info, error) { return driver.Info{}, errSoon }

// Solve finds the exact wheels for a spec on one of the host's interpreters.
func (d *Driver) Solve(ctx context.Context, req driver.Request, tell driver.Sink) (*lock.Lock, error) {
	return nil, errSoon
}

// Search looks for the exact name on the package index.
func (d *Driver) Search(ctx context.Context, q driver.Query) ([]driver.Found, error) {
	return nil, errSoon
}

// Install makes the environment of l.
func (d *Driver) Install(ctx context.Context, l *lock.Lock, at driver.Place, tell driver.Sink) error {
	return errSoon
}

// Close does nothing: no helper stays.
func (d *Driver) Close() error { return nil }

// Starter gives the first environment of new projects, as a spec and solved, for an interpreter of the host.
func Starter(base lock.Base) (specText []byte, l *lock.Lock, err error) { return nil, nil, errSoon }

var _ driver.Driver = (*Driver)(nil)
