package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/makers"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/envs/venv"
	"github.com/hopyard/hopyard/internal/doctor"
)

// channelPatience is how long channels, the index and tools may take to answer a doctor.
const channelPatience = 15 * time.Second

// environmentsCheck says how environments are made on this host, with what, and why so.
func environmentsCheck(ctx context.Context, c Config) doctor.Check {
	check := doctor.Check{Name: "Environments", Status: doctor.OK, Means: "every project's kernels run in environments of its own, which are solved and built with these tools"}
	m := makers.New(makers.Config{Dir: string(c.prepared())})
	t, ok := tools.Find(m.ToolsDir())
	if !ok {
		check.Status, check.Found = doctor.Warn, "the tools are not there yet"
		check.Mend = "`hopyard serve` or `hopyard prepare` fetches them; the first start needs the network, the wheels in its cache, or a bundle (`hopyard env bundle`)"
		return check
	}
	if err := tryTools(ctx, t); err != nil {
		check.Status, check.Found = doctor.Missing, err.Error()
		check.Means = "what is built runs; nothing can be solved or built"
		check.Mend = fmt.Sprintf("remove %s; `hopyard serve` or `hopyard prepare` makes the tools again", m.ToolsDir())
		return check
	}
	asked := askPlaces(ctx, c, t)
	refusal := asked.refusal(c.channels())
	kind, why, known := m.Kept()
	switch {
	case c.Environments.Kind != "":
		kind, why = c.Environments.Kind, "the configuration says so"
	case !known && refusal == nil:
		kind, why = lock.Conda, "the channels answer"
	case !known:
		kind, why = lock.Venv, "the channels cannot be used"
	}
	names := map[lock.Kind]string{lock.Conda: "rattler", lock.Venv: "venv"}
	check.Found = fmt.Sprintf("%s, because %s; now %s; tools: %s", names[kind], strings.TrimSuffix(why, "."), asked.since(why), t.Version)
	switch {
	case known && kind == lock.Venv && c.Environments.Kind == "" && refusal == nil:
		check.Status = doctor.Warn
		check.Mend = "the channels answer now, and are asked again by the first start a day after the last time; where they lack a package of the first environment, name what they have with environments.starter"
	case asked.refusal(nil) == nil, c.Offline, kind == lock.Venv && c.Environments.Kind == kind && asked.places[packageIndex] == nil:
	case kind == lock.Conda || refusal == nil:
		check.Status, check.Mend = doctor.Warn, "what is built works; to build anew, make what does not answer reachable, or name a mirror with environments.channels or environments.index"
	default:
		check.Status = doctor.Warn
		check.Means += "; without channels they hold Python packages alone, on a Python of this host"
		check.Mend = "make what does not answer reachable, or name a mirror with environments.channels in the configuration file; passwords go to environments.credentials"
	}
	return check
}

// tryTools starts each of the tools.
func tryTools(ctx context.Context, t tools.Tools) error {
	ctx, cancel := context.WithTimeout(ctx, 2*channelPatience)
	defer cancel()
	for _, argv := range [][]string{{t.Python, "-I", "-c", "from rattler import Gateway, install"}, {t.UV, "--version"}, {t.CondaPack, "--version"}} {
		out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
		if err == nil {
			continue
		}
		if last := strings.TrimSpace(string(out)); last != "" {
			lines := strings.Split(last, "\n")
			return fmt.Errorf("the tools are broken: %s: %s", argv[0], lines[len(lines)-1])
		}
		return fmt.Errorf("the tools are broken: %w", err)
	}
	return nil
}

// packageIndex is what the index is called among the places.
const packageIndex = "the package index"

// answers are what places said, nil for those that can be used.
type answers struct {
	names  []string
	places map[string]error
}

// refusal is the first reason of some places, or of all where none are named.
func (a answers) refusal(of []string) error {
	if of == nil {
		of = a.names
	}
	for _, name := range of {
		if err := a.places[name]; err != nil {
			return err
		}
	}
	return nil
}

// since says which answer, and why others do not, unless that has been said.
func (a answers) since(said string) string {
	var parts []string
	for _, name := range a.names {
		err := a.places[name]
		if err == nil {
			parts = append(parts, name+" answers")
			continue
		}
		line, _, _ := strings.Cut(driver.FailureOf(err).Message, "\n")
		if strings.Contains(said, line) {
			parts = append(parts, name+" still cannot be used")
			continue
		}
		parts = append(parts, name+" cannot be used: "+line)
	}
	return strings.Join(parts, ", ")
}

// channels are those of environments that name none.
func (c *Config) channels() []string { return c.Environments.Rules.Channels(&spec.Spec{}) }

// askPlaces asks each channel that the configuration names, and the package index, all at once.
func askPlaces(ctx context.Context, c Config, t tools.Tools) answers {
	a := answers{places: map[string]error{}}
	for _, name := range slices.Concat(c.channels(), slices.Sorted(maps.Values(c.Environments.ChannelURLs))) {
		if name = strings.TrimRight(name, "/"); !slices.Contains(a.names, name) {
			a.names = append(a.names, name)
		}
	}
	errs := make([]error, len(a.names)+1)
	var wg sync.WaitGroup
	for i, name := range a.names {
		wg.Go(func() { errs[i] = askChannel(ctx, c, t, name) })
	}
	wg.Go(func() { errs[len(a.names)] = askIndex(ctx, c, t) })
	wg.Wait()
	a.names = append(a.names, packageIndex)
	for i, name := range a.names {
		a.places[name] = errs[i]
	}
	return a
}

// askChannel looks for a package in a channel, with a cache of its own that it removes.
func askChannel(ctx context.Context, c Config, t tools.Tools, channel string) error {
	return asking(ctx, func(ctx context.Context, cache string) error {
		e := c.Environments
		d := conda.New(conda.Config{
			Tools: t, CacheDir: cache, Alias: e.ChannelAlias, ChannelURLs: e.ChannelURLs, AuthFile: e.Credentials,
			Timeout: channelPatience, Log: slog.New(slog.DiscardHandler),
		})
		defer d.Close()
		_, _ = d.Info(ctx) // first: how long our own tool takes to start on a busy host is no word of the channel's
		return inTime(ctx, func(ctx context.Context) error {
			_, err := d.Search(ctx, driver.Query{Text: "python", Channels: []string{channel}, Limit: 1})
			return err
		})
	})
}

// askIndex looks for a package on the package index.
func askIndex(ctx context.Context, c Config, t tools.Tools) error {
	return asking(ctx, func(ctx context.Context, cache string) error {
		d := venv.New(venv.Config{UV: t.UV, CacheDir: cache, AuthFile: c.Environments.Credentials, Hosts: []string{c.Environments.Index}, Timeout: channelPatience})
		defer d.Close()
		return inTime(ctx, func(ctx context.Context) error {
			_, err := d.Search(ctx, driver.Query{Text: "ipykernel", Index: c.Environments.Index, Limit: 1})
			return err
		})
	})
}

// asking gives a question a folder.
func asking(ctx context.Context, ask func(ctx context.Context, cache string) error) error {
	cache, err := os.MkdirTemp("", "hopyard-doctor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	return ask(ctx, cache)
}

// inTime gives a place some time to answer.
func inTime(ctx context.Context, ask func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, channelPatience)
	defer cancel()
	err := ask(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", channelPatience)
	}
	return err
}
