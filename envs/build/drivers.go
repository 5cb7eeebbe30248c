package build

import (
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/envs/venv"
)

// Driver makes the installer that an order asks for. Nothing is started.
func Driver(s *store.Store, o *store.Order) (driver.Driver, error) {
	switch o.Lock.Kind {
	case lock.Conda:
		return conda.New(condaConfig(s, o)), nil
	case lock.Venv:
		return venv.New(venv.Config{
			UV: o.Tools.UV, Bases: o.Bases, CacheDir: filepath.Join(s.Metadata(o.Options.Domain), "uv"), AuthFile: o.AuthFile, Hosts: o.Hosts,
			MemoryBytes: o.Limits.MemoryBytes, Offline: o.Offline, Log: slog.Default(),
		}), nil
	default:
		return nil, fmt.Errorf("environments of kind %q are unknown", o.Lock.Kind)
	}
}

// condaConfig is the configuration of the driver of an order for packages of channels: orders with equal ones may have the same
// driver.
func condaConfig(s *store.Store, o *store.Order) conda.Config {
	return conda.Config{
		Tools: tools.Tools(o.Tools), CacheDir: filepath.Join(s.Metadata(o.Options.Domain), "conda"), Alias: o.Alias,
		ChannelURLs: o.ChannelURLs, AuthFile: o.AuthFile, Hosts: o.Hosts, MemoryBytes: o.Limits.MemoryBytes, Offline: o.Offline,
		Log: slog.Default(),
	}
}
