// Package conda is the driver of environments whose packages come from conda channels, with wheels on top.
//
// The solver and the installer are py-rattler's, in a helper process that speaks JSON lines (folder helper); the wheels are uv's.
// Archives of packages are downloaded by package fetch, and looked into before they are unpacked (adr/0011).
// One helper for solving and searching is started when it is first needed and stays, so that what it has read of the channels
// stays warm. It answers several requests side by side, is restarted after it died, and ends with this process. Each
// installation has a helper of its own, which is killed where the installation is canceled.
package conda

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/envs/uv"
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
	// Hosts are addresses and hosts of package indexes and their files, and of what channels lead to, that may be inside of the network
	// around.
	Hosts []string
	// AuthFile holds credentials in the form of RATTLER_AUTH_FILE; empty means none.
	AuthFile string
	// MemoryBytes bounds the helper's address space; default 4 GiB.
	MemoryBytes int64
	// Timeout bounds one solve or search, and how long a download may stand still; default one minute.
	Timeout time.Duration
	// Offline makes the helper use what it has read of the channels before, and nothing else.
	Offline bool
	// Log hears what the helper writes to its standard error; nil discards it.
	Log *slog.Logger
}

const (
	defaultMemory  = 4 << 30
	defaultTimeout = time.Minute
	// Platform is the only one that environments are made for, in conda's word.
	platform = "linux-64"
)

// Driver is the rattler driver. Make it with New. It is safe for concurrent use.
type Driver struct {
	c  Config
	uv *uv.Tool

	mu     sync.Mutex
	live   *helper           // for solving and searching; nil until it is needed
	spare  *helper           // for the next installation; nil where none was made ready
	known  map[string]string // addresses of channels by name
	closed bool
}

var _ driver.Driver = (*Driver)(nil)

// New makes a driver; nothing is started.
func New(c Config) *Driver {
	if c.MemoryBytes == 0 {
		c.MemoryBytes = defaultMemory
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Driver{c: c, known: map[string]string{}, uv: &uv.Tool{
		Path: c.Tools.UV, Cache: filepath.Join(c.CacheDir, "uv"), AuthFile: c.AuthFile, Hosts: c.Hosts, Offline: c.Offline,
		MemoryBytes: c.MemoryBytes, Pinned: uv.Pinned{Python: c.Tools.Python},
	}}
}

// Info implements driver.Driver.
func (d *Driver) Info(ctx context.Context) (driver.Info, error) {
	var answer struct {
		Version string `json:"version"`
	}
	if err := d.ask(ctx, request{Op: "hello"}, func(m message) error { return m.into(&answer) }); err != nil {
		return driver.Info{}, err
	}
	return driver.Info{Kind: lock.Conda, Name: "rattler", Version: "py-rattler " + answer.Version}, nil
}

// Close ends the helper. It is idempotent; a closed driver fails all that is asked of it.
func (d *Driver) Close() error {
	d.mu.Lock()
	helpers := []*helper{d.live, d.spare}
	d.live, d.spare, d.closed = nil, nil, true
	d.mu.Unlock()
	for _, h := range helpers {
		if h != nil {
			h.end()
		}
	}
	return nil
}

// resident is the helper that stays, started anew where there is none or the last one died.
func (d *Driver) resident() (*helper, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, driver.Failf(driver.Canceled, "the driver is closed")
	}
	if d.live != nil && d.live.alive() {
		return d.live, nil
	}
	h, err := d.start()
	if err != nil {
		return nil, err
	}
	d.live = h
	return h, nil
}

// ask has the resident helper answer, in time. What asks changes nothing, so that it is asked once more where the helper was
// killed in the middle.
func (d *Driver) ask(ctx context.Context, r request, take func(message) error) error {
	err := d.askOnce(ctx, r, take)
	if isDeath(err) {
		err = d.askOnce(ctx, r, take)
	}
	return plain(err)
}

func (d *Driver) askOnce(ctx context.Context, r request, take func(message) error) error {
	h, err := d.resident()
	if err != nil {
		return err
	}
	late := driver.Failf(driver.TimedOut, "no answer within %s; ask for fewer packages or narrower versions, or look whether the channels are slow", d.c.Timeout)
	timed, stop := context.WithTimeoutCause(ctx, d.c.Timeout, late)
	defer stop()
	return h.call(timed, r, take, nil)
}

// addresses turns names of channels into what the helper understands.
func (d *Driver) addresses(channels []string) []string {
	list := make([]string, len(channels))
	for i, name := range channels {
		list[i] = name
		if address, ok := d.c.ChannelURLs[name]; ok {
			list[i] = address
		}
		if strings.HasPrefix(list[i], "/") {
			list[i] = "file://" + list[i]
		}
	}
	return list
}
