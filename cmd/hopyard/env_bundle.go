package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/hopyard/hopyard/envs/bundle"
	"github.com/hopyard/hopyard/envs/conda"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/internal/wheels"
	uilab "github.com/hopyard/hopyard/ui/lab"
	"github.com/spf13/cobra"
)

func (cli *envCLI) bundleCommand() *cobra.Command {
	output, load, python, build := "", "", "", 0
	cmd := &cobra.Command{
		Use:   "bundle [NAME]",
		Short: "Carry an environment to a host without a network",
		Long: "Bundle writes a build, everything that it is made of, and the tools and pages that a gateway needs, into one tar file. " +
			"It fetches them from where they came from, as whoever runs it, without credentials.\n\n" +
			"On the other host, --load reads such a file into the caches of a data directory, whether a gateway serves it or not, and writes the " +
			"environment's lock beside it; `hopyard env create NAME --lock FILE` then works there without a network. That host needs a Python " +
			"of its own for the tools.",
		Example: `  hopyard env bundle analysis -o analysis.tar
  hopyard env bundle --load analysis.tar --data /srv/hopyard`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case load != "" && len(args) == 0:
				return cli.loadBundle(cmd, load, output, python)
			case load != "" || len(args) == 0:
				return errors.New("name an environment to bundle, or a file with --load")
			case output == "":
				return errors.New("name the file to write with -o")
			}
			return cli.writeBundle(cmd, args[0], build, output, python)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", "", "the file to write; with --load, where the lock goes (default: FILE with .lock.json)")
	flags.StringVar(&load, "load", "", "a bundle to read into the caches of the data directory")
	flags.IntVar(&build, "build", 0, "another build than the one in use")
	flags.StringVar(&python, "python", "", "the interpreter whose pip fetches, and on which tools are built (default: the newest fit one on PATH)")
	return cmd
}

// bundlePins are the wheels that a gateway without a network needs in its cache.
func bundlePins() ([]wheels.Wheel, error) {
	pins, err := tools.Pins()
	return append(pins, uilab.Pins()...), err
}

func (cli *envCLI) writeBundle(cmd *cobra.Command, name string, build int, output, python string) error {
	b, err := cli.bundleOf(cmd.Context(), name, build)
	if err != nil {
		return err
	}
	pins, err := bundlePins()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(output), ".bundle-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	found, err := tools.FindPython(cmd.Context(), python)
	if err != nil {
		return err
	}
	means := bundle.Means{
		Dir: dir, Fetcher: &wheels.Fetcher{Python: found.Path}, Pins: pins,
		Tell: func(line string) { progress("bundle", line) },
	}
	n, err := whole(output, func(out io.Writer) error { return bundle.Write(cmd.Context(), out, b, means) })
	if err != nil {
		return err
	}
	return cli.say(cmd, nil, "%s holds build %d of %s, %s", output, b.Build, name, size(n))
}

// bundleOf asks the gateway what to carry.
func (cli *envCLI) bundleOf(ctx context.Context, name string, build int) (bundle.Bundle, error) {
	var b bundle.Bundle
	s, err := cli.open(ctx)
	if err != nil {
		return b, err
	}
	if build == 0 {
		if build, err = s.inUse(ctx, name); err != nil {
			return b, err
		}
	}
	export := s.env(name, "builds", strconv.Itoa(build), "export")
	locked, err := s.get(ctx, export, url.Values{"format": {"lock"}}, nil)
	if err != nil {
		return b, err
	}
	spec, err := s.get(ctx, export, url.Values{"format": {"spec"}}, nil)
	if err != nil {
		return b, err
	}
	b.Environment, b.Build, b.Spec = name, build, string(spec)
	b.Content, err = lock.Decode(locked)
	return b, err
}

// whole writes a file complete or not at all, and gives its size.
func whole(path string, write func(io.Writer) error) (int64, error) {
	out, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(out.Name())
	err = write(out)
	info, statErr := out.Stat()
	if err := errors.Join(err, statErr, out.Chmod(0o644), out.Close()); err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(out.Name(), path)
}

func (cli *envCLI) loadBundle(cmd *cobra.Command, file, lockFile, python string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	c := Default()
	c.Data, c.Offline, c.Python = cli.data, true, python
	if _, err := openDataDir(c.Data); err != nil {
		return err
	}
	m, s, err := newMakers(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer m.Close()
	dir, err := os.MkdirTemp(string(c.prepared()), ".bundle-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	pins, err := bundlePins()
	if err != nil {
		return err
	}
	b, err := bundle.Load(cmd.Context(), in, bundle.Caches{
		Dir: dir, Packages: s.Packages(""), Wheels: s.Wheels(""), Fetcher: &wheels.Fetcher{}, Pins: pins,
		Installer: func(ctx context.Context) (driver.Driver, error) {
			return offlineInstaller(ctx, m.ToolsDir(), dir, python)
		},
		Tell: func(line string) { progress("bundle", line) },
	})
	if err != nil {
		return told(err)
	}
	if lockFile == "" {
		lockFile = file + ".lock.json"
	}
	text, err := b.Content.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(lockFile, text, 0o644); err != nil {
		return err
	}
	return cli.say(cmd, nil, "build %d of %s is in the caches of %s; make it with `hopyard env create %s --lock %s`", b.Build, b.Environment, c.Data, b.Environment, lockFile)
}

// offlineInstaller builds the tools from the cache and makes the driver that unpacks packages.
func offlineInstaller(ctx context.Context, dir, scratch, python string) (driver.Driver, error) {
	t, err := tools.Build(ctx, tools.Config{Dir: dir, Python: python, Offline: true, Progress: func(line string) { progress("tools", line) }})
	if err != nil {
		return nil, err
	}
	return conda.New(conda.Config{Tools: t, CacheDir: filepath.Join(scratch, "metadata"), Offline: true, Log: slog.New(slog.DiscardHandler)}), nil
}
