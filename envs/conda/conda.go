// Package conda is the driver of environments whose packages come from conda channels, with wheels on top.
//
// The solver and the installer are py-rattler's, in a helper process that speaks JSON lines; the wheels are uv's. The helper
// is started when it is first needed and stays, so that what it has read of the channels stays warm.
package conda

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/tools"
)

// Config is what a driver needs. The zero value of a field is its default where one is named.
type Config struct {
	// Tools is the tool environment that holds py-rattler and uv.
	Tools tools.Tools
	// CacheDir is the folder for metadata of channels, the helper's program and uv's cache. Absolute; made where missing.
	CacheDir string
	// Alias is what a bare channel name is appended to; empty means the tool's default.
	Alias string
	// ChannelURLs are the addresses of channels by name. They win over the Alias.
	ChannelURLs map[string]string
	// AuthFile holds credentials in the form of RATTLER_AUTH_FILE; empty means none.
	AuthFile string
	// MemoryBytes bounds the helper's address space; default 4 GiB.
	MemoryBytes int64
	// Timeout bounds one solve or search; default one minute.
	Timeout time.Duration
	// Offline makes the helper use what it has read of the channels before, and nothing else.
	Offline bool
	// Log hears what the helper writes to its standard error; nil discards it.
	Log *slog.Logger
}

// Driver is the rattler driver. Make it with New.
type Driver struct{ c Config }

// New makes a driver; nothing is started.
func New(c Config) *Driver { return &Driver{c: c} }

var _ driver.Driver = (*Driver)(nil)

var errStarting = errors.New("the rattler driver is being written")

// Info implements driver.Driver.
func (d *Driver) Info(context.Context) (driver.Info, error) { return driver.Info{}, errStarting }

// Solve implements driver.Driver.
func (d *Driver) Solve(context.Context, driver.Request, driver.Sink) (*lock.Lock, error) {
	return nil, errStarting
}

// Search implements driver.Driver.
func (d *Driver) Search(context.Context, driver.Query) ([]driver.Found, error) {
	return nil, errStarting
}

// Install implements driver.Driver.
func (d *Driver) Install(context.Context, *lock.Lock, driver.Place, driver.Sink) error {
	return errStarting
}

// Close implements driver.Driver.
func (d *Driver) Close() error { return nil }
