// Package makers is what this host has to make environments with: the tool environment, the drivers that stand on it, which
// of them new environments get and why, and the content of a project's first environment.
//
//	preparing ──► ready        Driver and Starter answer
//	    ▲  └────► failed       they say why, until the next Prepare
//	    └───────────┘
package makers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/envs/venv"
	"github.com/hopyard/hopyard/internal/problem"
)

// Config is what Makers work with.
type Config struct {
	// Dir is where caches of metadata and the starter are kept. Absolute.
	Dir string
	// ToolsDir is where the tool environment is; below Dir by default.
	ToolsDir string
	Store    *store.Store
	Rules    policy.Rules // of the site
	// Kind forces how new environments are made; empty lets what answers decide.
	Kind lock.Kind
	// Starter is the environment.yml of projects' first environments; nil means the one that comes with Hopyard.
	Starter []byte
	// Python is the interpreter that the tools, and environments of kind Venv, stand on; empty means the newest fit one.
	Python string
	// AuthFile holds credentials of channels and indexes in the form of RATTLER_AUTH_FILE; empty means none.
	AuthFile string
	// MemoryBytes and Timeout bound one solve; 0 means the drivers' own defaults.
	MemoryBytes int64
	Timeout     time.Duration
	// Patience is how long channels may take to answer before environments are made without them; 15 s by default.
	Patience time.Duration
	Offline  bool
	// Builder is the command that makes builds, BuilderEnv its whole environment; as in envs.Config.
	Builder, BuilderEnv []string
	Log                 *slog.Logger
	// Progress, when set, hears a line for each slow step.
	Progress func(line string)
}

// Makers are the drivers of this host. They are safe for concurrent use.
type Makers struct {
	cfg Config

	mu      sync.Mutex // guards below
	step    string     // what Prepare does now, for people; empty when it does nothing
	failed  error      // why the last Prepare ended without tools
	tools   tools.Tools
	drivers map[lock.Kind]driver.Driver // nil until the tools are there
	choice  *choice                     // nil until it is known
}

var _ envs.Drivers = (*Makers)(nil)

// New makes Makers. Prepare gives them what they need.
func New(c Config) *Makers {
	c.ToolsDir = cmp.Or(c.ToolsDir, filepath.Join(c.Dir, "tools"))
	c.Patience = cmp.Or(c.Patience, patience)
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return &Makers{cfg: c}
}

// Prepare fetches the tools unless they are there, chooses how new environments are made, and builds the content of
// projects' first environments, so that they are there at once. It returns when all is done, or with the reason why it is not.
func (m *Makers) Prepare(ctx context.Context) error {
	err := m.prepare(ctx)
	m.mu.Lock()
	m.step = ""
	if m.failed = err; errors.Is(err, context.Canceled) {
		m.failed = nil
	}
	m.mu.Unlock()
	return err
}

func (m *Makers) prepare(ctx context.Context) error {
	if err := m.equip(ctx); err != nil {
		return fmt.Errorf("tools for environments: %w", err)
	}
	if err := m.choose(ctx); err != nil {
		return fmt.Errorf("first environment: %w", err)
	}
	return m.build(ctx)
}

// tell says what is being done, to whoever waits and to whoever asks.
func (m *Makers) tell(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	m.mu.Lock()
	m.step = line
	m.mu.Unlock()
	m.cfg.Progress(line)
}

// equip gets the tool environment and makes the drivers.
func (m *Makers) equip(ctx context.Context) error {
	m.mu.Lock()
	equipped := m.drivers != nil
	m.mu.Unlock()
	if equipped {
		return nil
	}
	t, err := tools.Build(ctx, tools.Config{
		Dir: m.cfg.ToolsDir, Python: m.cfg.Python, Offline: m.cfg.Offline,
		Progress: func(line string) { m.tell("tools: %s", line) },
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tools, m.drivers = t, m.make(t)
	return nil
}

func (m *Makers) make(t tools.Tools) map[lock.Kind]driver.Driver {
	c := m.cfg
	return map[lock.Kind]driver.Driver{
		lock.Conda: conda.New(conda.Config{
			Tools: t, CacheDir: m.cache("conda"), Alias: c.Rules.ChannelAlias, ChannelURLs: c.Rules.ChannelURLs, AuthFile: c.AuthFile, Hosts: m.hosts(),
			MemoryBytes: c.MemoryBytes, Timeout: c.Timeout, Offline: c.Offline, Log: c.Log,
		}),
		lock.Venv: venv.New(venv.Config{
			UV: t.UV, Bases: m.bases(), CacheDir: m.cache("uv"), AuthFile: c.AuthFile, Hosts: m.hosts(),
			MemoryBytes: c.MemoryBytes, Timeout: c.Timeout, Offline: c.Offline, Log: c.Log,
		}),
	}
}

// bases are the interpreters that environments of wheels may stand on; nil means those on PATH.
func (m *Makers) bases() []string {
	if m.cfg.Python == "" {
		return nil
	}
	return []string{m.cfg.Python}
}

// hosts are what the site has chosen to take wheels from.
func (m *Makers) hosts() []string {
	r := m.cfg.Rules
	return slices.Concat([]string{r.Index}, r.AllowedIndexes, r.WheelHosts)
}

// ToolsDir is where the tool environment is.
func (m *Makers) ToolsDir() string { return m.cfg.ToolsDir }

func (m *Makers) cache(name string) string { return filepath.Join(m.cfg.Dir, "cache", name) }

// Driver implements envs.Drivers.
func (m *Makers) Driver(kind lock.Kind) (driver.Driver, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.drivers == nil {
		return nil, m.unready()
	}
	d, ok := m.drivers[kind]
	if !ok {
		return nil, problem.New(problem.Unsupported, "environments of kind %q cannot be made here", kind)
	}
	return d, nil
}

// unready says why there is nothing to work with yet; mu is held.
func (m *Makers) unready() error {
	switch {
	case m.step != "":
		return problem.New(problem.Unavailable, "environments are being prepared (%s); try again in a moment", m.step)
	case m.failed != nil:
		return &problem.Problem{Code: problem.Unavailable, Message: m.failure().Message, Err: m.failure()}
	default:
		return problem.New(problem.Unavailable, "environments have not been prepared yet; try again in a moment")
	}
}

// failure is why the last Prepare came to nothing, and what to do; mu is held.
func (m *Makers) failure() *driver.Failure {
	text, tree := m.failed.Error(), driver.FailureOf(m.failed).Tree
	if tree != "" {
		text, _, _ = strings.Cut(text, "\n")
	}
	return &driver.Failure{Cause: driver.ToolFailed, Tree: tree, Err: m.failed, Message: fmt.Sprintf(
		"environments cannot be made: %s; this is tried again every few minutes: mend what `hopyard doctor` finds, and build again then", text)}
}

// Kind implements envs.Drivers.
func (m *Makers) Kind(context.Context) (kind lock.Kind, why string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.choice == nil {
		return "", "", m.unready()
	}
	return m.choice.Kind, m.choice.Why, nil
}

// Starter gives the content of a project's first environment; a problem.Unavailable while it is not known.
func (m *Makers) Starter(context.Context) (envs.Starter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.choice == nil {
		return envs.Starter{}, m.unready()
	}
	c := *m.choice
	return envs.Starter{Text: c.Text, Lock: c.Lock, Kind: c.Kind, Why: c.Why}, nil
}

// Tools gives the tool environment, if it is there.
func (m *Makers) Tools() (tools.Tools, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tools, m.drivers != nil
}

// Close ends the drivers' helpers. It is idempotent.
func (m *Makers) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	for _, d := range m.drivers {
		err = errors.Join(err, d.Close())
	}
	return err
}
