package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/internal/wheels"
	uilab "github.com/hopyard/hopyard/ui/lab"
	"github.com/spf13/cobra"
)

func prepareCommand() *cobra.Command {
	c := Default()
	var file string
	cmd := &cobra.Command{
		Use:   "prepare",
		Short: "Download and build what serve needs, and end",
		Long: "Prepare does ahead what the first serve does beside its work: it downloads and unpacks the pages of JupyterLab, and builds " +
			"the kernel environment. It prints where both are. Use it for images and for hosts that go offline afterwards.",
		Example: "  hopyard prepare --data /srv/hopyard",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := settle(cmd, &c, file); err != nil {
				return err
			}
			if _, err := openDataDir(string(c.prepared())); err != nil {
				return err
			}
			tree, err := prepareLab(cmd.Context(), c, func(line string) { progress("JupyterLab", line) })
			if err != nil {
				return err
			}
			defer tree.Close()
			resolver := newResolver(c, slog.New(slog.DiscardHandler))
			if err := resolver.Prepare(cmd.Context()); err != nil {
				return err
			}
			env, err := resolver.Resolve(cmd.Context(), "")
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "lab %s\npython %s\n", tree.Root().Name(), env.Python)
			return err
		},
	}
	preparationFlags(cmd, &c, &file)
	return cmd
}

// preparationFlags are those that serve and prepare share.
func preparationFlags(cmd *cobra.Command, c *Config, file *string) {
	flags := cmd.Flags()
	flags.StringVar(file, "config", "", "a YAML file with the same settings; flags win over it")
	flags.StringVar(&c.Data, "data", c.Data, "the data directory; it holds everything")
	flags.BoolVar(&c.Offline, "offline", c.Offline, "download nothing")
	flags.StringVar(&c.Python, "python", c.Python, "the interpreter that the kernel environment is built on (default: the newest fit one on PATH)")
}

// kernelDriver says what package tools built in the words of package envs.
type kernelDriver struct{ *tools.Driver }

func (d kernelDriver) Find() (envs.Prepared, bool) {
	env, ok := d.Driver.Find()
	return envs.Prepared(env), ok
}

func (d kernelDriver) Build(ctx context.Context, progress func(string)) (envs.Prepared, error) {
	env, err := d.Driver.Build(ctx, progress)
	return envs.Prepared(env), err
}

// newResolver makes the one that keeps the kernel environment.
func newResolver(c Config, log *slog.Logger) *envs.Resolver {
	return envs.NewResolver(envs.ResolverConfig{
		Driver:   kernelDriver{&tools.Driver{Dir: c.prepared().envs(), Python: c.Python, Offline: c.Offline}},
		Log:      log,
		Progress: func(line string) { progress("kernel environment", line) },
	})
}

// prepareLab fetches and unpacks the pages of JupyterLab and Notebook unless they are there.
func prepareLab(ctx context.Context, c Config, tell func(line string)) (*uilab.Tree, error) {
	lines := fetchLines{all: len(uilab.Pins()), tell: tell}
	return uilab.Prepare(ctx, string(c.prepared()), &wheels.Fetcher{Python: c.Python, Offline: c.Offline, Progress: lines.hear}, tell)
}

// fetchLines tells of downloads, a line a second at most.
type fetchLines struct {
	all  int
	tell func(line string)
	seen int
	last time.Time
}

func (f *fetchLines) hear(p wheels.Progress) {
	if p.Phase == wheels.Ready {
		return
	}
	f.seen++
	if time.Since(f.last) < time.Second && f.seen < f.all {
		return
	}
	f.last = time.Now()
	f.tell(fmt.Sprintf("downloading %s, %d of %d", p.Wheel.Filename, f.seen, f.all))
}

// progress writes a line for a person who waits.
func progress(what, line string) { fmt.Fprintf(os.Stderr, "%s: %s\n", what, line) }
