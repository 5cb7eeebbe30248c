package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/makers"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/internal/doctor"
)

// channelPatience is how long channels may take to answer a doctor.
const channelPatience = 15 * time.Second

// environmentsCheck says how environments are made on this host, with what, and why so.
func environmentsCheck(ctx context.Context, c Config) doctor.Check {
	check := doctor.Check{Name: "Environments", Status: doctor.OK, Means: "every project's kernels run in environments of its own, which are solved and built with these tools"}
	m := makers.New(makers.Config{Dir: string(c.prepared())})
	t, ok := tools.Find(m.ToolsDir())
	if !ok {
		check.Status, check.Found = doctor.Warn, "the tools are not there yet"
		check.Mend = "`hopyard serve` or `hopyard prepare` fetches them; the first start needs the network, or the wheels in its cache"
		return check
	}
	refusal := askChannels(ctx, c, t)
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
	check.Found = fmt.Sprintf("%s, because %s; now %s; tools: %s", names[kind], strings.TrimSuffix(why, "."), answers(c.channels(), refusal), t.Version)
	switch {
	case refusal == nil || c.Environments.Kind == lock.Venv:
	case kind == lock.Conda:
		check.Status, check.Mend = doctor.Warn, "what is built works; to build anew, make the channels reachable, or name a mirror with environments.channels"
	default:
		check.Status = doctor.Warn
		check.Means += "; without channels they hold Python packages alone, on a Python of this host"
		check.Mend = "make the channels reachable, or name a mirror with environments.channels in the configuration file"
	}
	return check
}

// answers says whether channels do.
func answers(channels []string, refusal error) string {
	names := strings.Join(channels, ", ")
	if refusal == nil {
		return names + " answers"
	}
	line, _, _ := strings.Cut(driver.FailureOf(refusal).Message, "\n")
	return names + " does not answer: " + line
}

// channels are those of environments that name none.
func (c *Config) channels() []string { return c.Environments.Rules.Channels(&spec.Spec{}) }

// askChannels looks for a package in the channels, with a cache of its own that it removes.
func askChannels(ctx context.Context, c Config, t tools.Tools) error {
	cache, err := os.MkdirTemp("", "hopyard-doctor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	e := c.Environments
	d := conda.New(conda.Config{
		Tools: t, CacheDir: cache, Alias: e.ChannelAlias, ChannelURLs: e.ChannelURLs, AuthFile: e.Credentials,
		Timeout: channelPatience, Log: slog.New(slog.DiscardHandler),
	})
	defer d.Close()
	ctx, cancel := context.WithTimeout(ctx, channelPatience)
	defer cancel()
	_, err = d.Search(ctx, driver.Query{Text: "python", Channels: c.channels(), Limit: 1})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", channelPatience)
	}
	return err
}

// storeCheck says how environments share their files.
func storeCheck(c Config) doctor.Check {
	check := doctor.Check{Name: "Environment store", Status: doctor.OK, Means: "environments share the files of equal packages where the file system can"}
	dir := c.prepared().envs()
	if _, err := os.Stat(filepath.Join(dir, "b")); err != nil {
		check.Status, check.Found, check.Mend = doctor.Warn, "not made yet", "`hopyard serve` makes it"
		if len(dir) > store.MaxRoot {
			check.Status, check.Mend = doctor.Missing, fmt.Sprintf("its path has %d characters and may have %d: choose a shorter data directory", len(dir), store.MaxRoot)
		}
		return check
	}
	s, err := store.Open(dir)
	if err != nil {
		check.Status, check.Found, check.Mend = doctor.Warn, err.Error(), "see to it that this user may write there"
		return check
	}
	check.Found = "at " + dir + ", files are shared by " + s.Link()
	if s.Link() == "copy" {
		check.Status, check.Found = doctor.Warn, "at "+dir+", files are copied"
		check.Means = "each environment takes its whole size on this file system, and longer to build"
		check.Mend = "put the data directory on a file system with hard links, such as ext4 or xfs"
	}
	return check
}
