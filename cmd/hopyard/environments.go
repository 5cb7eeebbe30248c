package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/makers"
	"github.com/hopyard/hopyard/envs/policy"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/gateway/console"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/kernels"
	"github.com/hopyard/hopyard/kernels/contents"
	"github.com/hopyard/hopyard/workloads"
)

// Environments is the part of the configuration that is about environments.
type Environments struct {
	// Rules say what environments may hold, and where it comes from.
	policy.Rules `yaml:",inline"`
	// Kind forces how new environments are made, conda or venv; empty lets what answers decide.
	Kind lock.Kind `yaml:"kind"`
	// Starter is a file with the environment.yml of projects' first environments; empty means Hopyard's own.
	Starter string `yaml:"starter"`
	// Credentials is a file with those of channels and indexes, in the form of RATTLER_AUTH_FILE, of mode 0600.
	Credentials string `yaml:"credentials"`
	// Builds is how many may be built at once; 0 means half of the processors.
	Builds int `yaml:"builds"`
	// Standby has a builder kept ready for who is at work on an environment, for a minute at a time; true where nothing is said.
	Standby bool `yaml:"standby"`
	// Keep is how many ready builds of each environment stay on disk; 0 means 3.
	Keep int `yaml:"keep"`
	// Memory bounds each program that solves or builds; 0 means 4 GiB.
	Memory policy.Size `yaml:"memory"`
	// Timeout bounds one build; 0 means an hour.
	Timeout policy.Duration `yaml:"timeout"`
}

// Validate reports all mistakes at once.
func (e *Environments) Validate() error {
	errs := []error{e.Rules.Validate()}
	if !slices.Contains([]lock.Kind{"", lock.Conda, lock.Venv}, e.Kind) {
		errs = append(errs, fmt.Errorf("kind: %q is neither conda nor venv", e.Kind))
	}
	for name, path := range map[string]string{"starter": e.Starter, "credentials": e.Credentials} {
		if path != "" && !filepath.IsAbs(path) {
			errs = append(errs, fmt.Errorf("%s: %q is not an absolute path", name, path))
		}
	}
	if e.Builds < 0 || e.Keep < 0 || e.Memory < 0 || e.Timeout.Duration < 0 {
		errs = append(errs, errors.New("builds, keep, memory and timeout are not negative"))
	}
	return errors.Join(append(errs, e.checkCredentials())...)
}

// checkCredentials sees to it that nobody else can read them.
func (e *Environments) checkCredentials() error {
	if e.Credentials == "" {
		return nil
	}
	info, err := os.Stat(e.Credentials)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("credentials: others may read %s: chmod 600 it", e.Credentials)
	}
	return nil
}

// newMakers makes what environments are made with. Prepare fetches and builds what is missing.
func newMakers(c Config, log *slog.Logger) (*makers.Makers, *store.Store, error) {
	dir := c.prepared()
	s, err := store.Open(dir.envs())
	if err != nil {
		return nil, nil, err
	}
	var starter []byte
	if e := c.Environments; e.Starter != "" {
		if starter, err = os.ReadFile(e.Starter); err != nil {
			return nil, nil, fmt.Errorf("starter: %w", err)
		}
	}
	builder, err := builderCommand()
	if err != nil {
		return nil, nil, err
	}
	return makers.New(makers.Config{
		Dir: string(dir), Store: s, Rules: c.Environments.Rules, Kind: c.Environments.Kind, Starter: starter, Python: c.Python,
		AuthFile: c.Environments.Credentials, MemoryBytes: int64(c.Environments.Memory), Timeout: solveLimit, Offline: c.Offline,
		Builder: builder, BuilderEnv: toolEnviron(), Log: log,
		Progress: func(line string) { progress("environments", line) },
	}), s, nil
}

// solveLimit bounds one solve.
const solveLimit = time.Minute

// builderCommand is this program as one that makes builds.
func builderCommand() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	return []string{self, "build"}, nil
}

// toolEnviron is the environment of programs that fetch and build: how to reach the network, and nothing else of ours.
func toolEnviron() []string {
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "HOME", "XDG_CACHE_HOME":
			env = append(env, kv)
		}
	}
	return env
}

// openEnvironments makes the domain of environments.
func (h *house) openEnvironments(c Config) error {
	m, s, err := newMakers(c, h.log)
	if err != nil {
		return err
	}
	builder, err := builderCommand()
	if err != nil {
		return err
	}
	e := c.Environments
	standbys := 0 // as many as is usual
	if !e.Standby {
		standbys = -1
	}
	h.makers = m
	h.envs = envs.New(envs.Config{
		Storage: h.site.db.Storage(), Queue: h.site.db.Queue(), Workloads: h.runs, Store: s, Drivers: m, Rules: e.Rules,
		Builder: builder, BuilderEnv: toolEnviron(), Starter: m.Starter, Order: m.Order, Audit: h.site.people, Log: h.log,
		Builds: e.Builds, Standbys: standbys, Keep: e.Keep, MemoryBytes: int64(e.Memory), Timeout: e.Timeout.Duration, Site: string(h.dir),
	})
	return nil
}

// provenance reads from a notebook which build it ran on.
func (h *house) provenance(ctx context.Context, project, notebook string) (console.Provenance, error) {
	item, err := h.files.Get(ctx, project, notebook, contents.Want{Content: true, Type: contents.Notebook})
	if err != nil {
		return console.Provenance{}, err
	}
	defer item.Content.Close()
	var text bytes.Buffer
	if err := item.Content.WriteJSON(&text); err != nil {
		return console.Provenance{}, err
	}
	var nb struct {
		Metadata map[string]json.RawMessage `json:"metadata"`
	}
	if err := json.Unmarshal(text.Bytes(), &nb); err != nil {
		return console.Provenance{}, problem.New(problem.Invalid, "%s is no notebook: %w", notebook, err)
	}
	var ran workloads.Environment
	if err := json.Unmarshal(nb.Metadata[contents.MetadataKey], &ran); err != nil || ran.Lock == "" {
		return console.Provenance{}, problem.New(problem.NotFound, "%s does not say which environment it ran in: it has not been saved since it ran here", notebook)
	}
	return console.Provenance{Environment: ran.Name, Build: ran.Build, Lock: ran.Lock}, nil
}

// resolver gives kernels the environments in their own words.
type resolver struct{ envs *envs.Service }

var _ kernels.EnvResolver = resolver{}

// Resolve implements kernels.EnvResolver.
func (r resolver) Resolve(ctx context.Context, project string) (kernels.Environment, error) {
	e, err := r.envs.Resolve(ctx, project)
	return environmentOf(e), err
}

// ResolveAll implements kernels.EnvResolver.
func (r resolver) ResolveAll(ctx context.Context, project string) ([]kernels.Environment, error) {
	all, err := r.envs.ResolveAll(ctx, project)
	if err != nil {
		return nil, err
	}
	out := make([]kernels.Environment, len(all))
	for i, e := range all {
		out[i] = environmentOf(e)
	}
	return out, nil
}

func environmentOf(e envs.Resolved) kernels.Environment {
	return kernels.Environment{
		Name: e.Name, Build: e.Build, ID: e.ID, Lock: e.Lock, Prefix: e.Prefix, Bin: e.Bin, Python: e.Python, Version: e.Version,
		Variables: e.Variables,
	}
}
