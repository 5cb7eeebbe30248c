package makers

import (
	"context"
	"path/filepath"

	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/tools"
)

// Unpacker gets the tool environment and makes a driver that unpacks conda packages from files of this host, and asks no channel. The
// caller closes it.
func (m *Makers) Unpacker(ctx context.Context) (driver.Driver, error) {
	t, err := tools.Build(ctx, tools.Config{
		Dir: m.cfg.ToolsDir, Python: m.cfg.Python, Offline: m.cfg.Offline,
		Progress: func(line string) { m.tell("tools: %s", line) },
	})
	if err != nil {
		return nil, err
	}
	return conda.New(conda.Config{Tools: t, CacheDir: filepath.Join(m.cache("conda"), "bundles"), Offline: true, Log: m.cfg.Log}), nil
}
