package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

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
			"what a project's first environment is made of. It prints where all is. Use it for images and for hosts that go offline afterwards.",
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
			return prepareEnvironments(cmd.Context(), c, cmd.OutOrStdout(), tree.Root().Name())
		},
	}
	preparationFlags(cmd, &c, &file)
	return cmd
}

// prepareEnvironments fetches the tools and builds the first environment, and prints where all is.
func prepareEnvironments(ctx context.Context, c Config, out io.Writer, lab string) error {
	m, _, err := newMakers(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Prepare(ctx); err != nil {
		return err
	}
	first, ok := m.First()
	if !ok {
		return errors.New("the first environment is not there although it was built")
	}
	_, err = fmt.Fprintf(out, "lab %s\ntools %s\npython %s\n", lab, m.ToolsDir(), first.Python)
	return err
}

// preparationFlags are those that serve and prepare share.
func preparationFlags(cmd *cobra.Command, c *Config, file *string) {
	flags := cmd.Flags()
	flags.StringVar(file, "config", "", "a YAML file with the same settings; flags win over it")
	flags.StringVar(&c.Data, "data", c.Data, "the data directory; it holds everything")
	flags.BoolVar(&c.Offline, "offline", c.Offline, "download nothing")
	flags.StringVar(&c.Python, "python", c.Python, "the interpreter that environments without conda are built on (default: the newest fit one on PATH)")
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
