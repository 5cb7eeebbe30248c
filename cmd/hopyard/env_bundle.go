package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/bundle"
	"github.com/hopyard/hopyard/envs/lock"
	"github.com/hopyard/hopyard/envs/tools"
	"github.com/hopyard/hopyard/envs/venv"
	"github.com/hopyard/hopyard/internal/wheels"
	uilab "github.com/hopyard/hopyard/ui/lab"
	"github.com/spf13/cobra"
)

// bundling are the settings of `hopyard env bundle`.
type bundling struct {
	*envCLI
	output, load, python, config, credentials string
	pythons                                   []string
}

func (cli *envCLI) bundleCommand() *cobra.Command {
	b := &bundling{envCLI: cli, pythons: tools.Versions}
	cmd := &cobra.Command{
		Use:   "bundle [NAME[@BUILD]...]",
		Short: "Carry environments to a host without a network",
		Long: "Bundle writes builds, the ones in use where none is named, everything that they are made of, and what a gateway needs to come up: the " +
			"tools, the pages and the first environment of a project, into one tar file. Without a name it writes that last part alone. " +
			"It fetches from where the artifacts came from, as whoever runs it; passwords of channels and indexes are read from the file of --credentials, " +
			"or the one that the gateway's configuration names, and never written.\n\n" +
			"On the other host, --load reads such a file into the caches of a data directory, whether a gateway serves it or not, and writes the " +
			"environments' locks; `hopyard env create NAME --lock FILE` then works there without a network. Load as the user who runs the gateway, " +
			"with its configuration: it says who may use private channels. That host needs a Python of its own for the tools.",
		Example: `  hopyard env bundle analysis report@7 -o team.tar --config /etc/hopyard.yaml
  hopyard env bundle --load team.tar --data /srv/hopyard --config /etc/hopyard.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case b.load != "" && len(args) > 0:
				return errors.New("a bundle is loaded whole: name no environment with --load")
			case b.load != "":
				return b.read(cmd)
			case b.output == "":
				return errors.New("name the file to write with -o, or one to read with --load")
			}
			return b.write(cmd, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&b.output, "output", "o", "", "the file to write; with --load, the folder for the locks (default: the bundle's)")
	flags.StringVar(&b.load, "load", "", "a bundle to read into the caches of the data directory")
	flags.StringVar(&b.config, "config", "", "the gateway's configuration file: for its credentials and, with --load, its private channels")
	flags.StringVar(&b.credentials, "credentials", "", "a file with those of channels and indexes, in the form of RATTLER_AUTH_FILE (default: $RATTLER_AUTH_FILE)")
	flags.StringSliceVar(&b.pythons, "pythons", b.pythons, "versions of Python of the other host, for the wheels of first environments")
	flags.StringVar(&b.python, "python", "", "the interpreter whose pip fetches, and on which tools are built (default: the newest fit one on PATH)")
	return cmd
}

// settings are those of the gateway on the data directory.
func (b *bundling) settings() (Config, error) {
	c := Default()
	if b.config != "" {
		if err := c.read(b.config); err != nil {
			return c, err
		}
	}
	if b.config == "" || b.data != Default().Data {
		c.Data = b.data
	}
	c.Python = cmp.Or(b.python, c.Python)
	if b.credentials = cmp.Or(b.credentials, os.Getenv("RATTLER_AUTH_FILE")); b.credentials != "" {
		path, err := filepath.Abs(b.credentials)
		if err != nil {
			return c, err
		}
		c.Environments.Credentials = path
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("the configuration has mistakes:\n%w", err)
	}
	return c, nil
}

// ownPins are the wheels that a gateway without a network needs in its cache.
func ownPins() ([]wheels.Wheel, error) {
	pins, err := tools.Pins()
	return append(pins, uilab.Pins()...), err
}

// starters are the wheels of first environments on some versions of Python.
func starters(pythons []string) (map[string][]wheels.Wheel, error) {
	all := map[string][]wheels.Wheel{}
	for _, python := range pythons {
		if !slices.Contains(tools.Versions, python) {
			return nil, fmt.Errorf("--pythons: first environments are made on Python %s, not on %q", strings.Join(tools.Versions, ", "), python)
		}
		pins, err := venv.StarterPins(python)
		if err != nil {
			return nil, err
		}
		all[python] = pins
	}
	return all, nil
}

func (b *bundling) write(cmd *cobra.Command, names []string) error {
	c, err := b.settings()
	if err != nil {
		return err
	}
	what, err := b.ask(cmd.Context(), names)
	if err != nil {
		return err
	}
	means, err := b.means(cmd.Context(), c)
	if err != nil {
		return err
	}
	if means.Dir, err = os.MkdirTemp(filepath.Dir(b.output), ".bundle-"); err != nil {
		return err
	}
	defer os.RemoveAll(means.Dir)
	n, err := whole(b.output, func(out io.Writer) error { return bundle.Write(cmd.Context(), out, what, means) })
	if err != nil {
		return told(err)
	}
	return b.say(cmd, nil, "%s holds %s, %s", b.output, holding(what), size(n))
}

// means are what a bundle is written with, but for a folder.
func (b *bundling) means(ctx context.Context, c Config) (bundle.Means, error) {
	m := bundle.Means{AuthFile: c.Environments.Credentials, Tell: func(line string) { progress("bundle", line) }}
	found, err := tools.FindPython(ctx, c.Python)
	if err != nil {
		return m, err
	}
	m.Fetcher = &wheels.Fetcher{Python: found.Path}
	if m.Pins, err = ownPins(); err != nil {
		return m, err
	}
	m.Starters, err = starters(b.pythons)
	return m, err
}

// holding says what is in a bundle.
func holding(b bundle.Bundle) string {
	var parts []string
	for _, e := range b.Environments {
		parts = append(parts, fmt.Sprintf("build %d of %s", e.Build, e.Name))
	}
	return strings.Join(append(parts, "what a gateway needs to come up"), ", ")
}

// ask asks the gateway what to carry.
func (b *bundling) ask(ctx context.Context, names []string) (bundle.Bundle, error) {
	var all bundle.Bundle
	if len(names) == 0 {
		return all, nil
	}
	s, err := b.open(ctx)
	if err != nil {
		return all, err
	}
	var policy envs.PolicyView
	if _, err := s.get(ctx, s.path("environments-policy"), nil, &policy); err != nil {
		return all, err
	}
	for _, name := range names {
		e, err := environmentOfBundle(ctx, s, name)
		if err != nil {
			return all, err
		}
		if domain := policy.Rules.Domain(e.Content); domain != "" {
			e.Private, e.Closed = strings.Split(domain, "+"), bundle.Closed(e.Content, policy.Rules.Domain)
		}
		all.Environments = append(all.Environments, e)
	}
	return all, nil
}

// environmentOfBundle asks for what NAME or NAME@BUILD is.
func environmentOfBundle(ctx context.Context, s *scope, asked string) (bundle.Environment, error) {
	var e bundle.Environment
	var number string
	var pinned bool
	e.Name, number, pinned = strings.Cut(asked, "@")
	var err error
	if e.Build, err = strconv.Atoi(number); pinned && (err != nil || e.Build < 1) {
		return e, fmt.Errorf("%q names no build: write NAME@12", asked)
	}
	if !pinned {
		if e.Build, err = s.inUse(ctx, e.Name); err != nil {
			return e, err
		}
	}
	export := s.env(e.Name, "builds", strconv.Itoa(e.Build), "export")
	locked, err := s.get(ctx, export, url.Values{"format": {"lock"}}, nil)
	if err != nil {
		return e, err
	}
	spec, err := s.get(ctx, export, url.Values{"format": {"spec"}}, nil)
	if err != nil {
		return e, err
	}
	e.Spec = string(spec)
	e.Content, err = lock.Decode(locked)
	return e, err
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
	if err := errors.Join(err, statErr, out.Chmod(0o600), out.Close()); err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(out.Name(), path)
}

func (b *bundling) read(cmd *cobra.Command) error {
	in, err := os.Open(b.load)
	if err != nil {
		return err
	}
	defer in.Close()
	c, err := b.settings()
	if err != nil {
		return err
	}
	c.Offline = true
	if _, err := openDataDir(string(c.prepared())); err != nil {
		return err
	}
	folder := cmp.Or(b.output, filepath.Dir(b.load))
	if err := os.MkdirAll(folder, 0o700); err != nil { // said before the long work, not after it
		return err
	}
	loaded, err := loadBundle(cmd.Context(), c, in)
	if err != nil {
		return told(err)
	}
	lines := []string{fmt.Sprintf("%s is in the caches of %s", holding(loaded), c.Data)}
	for _, e := range loaded.Environments {
		text, err := e.Content.Encode()
		if err != nil {
			return err
		}
		file := filepath.Join(folder, e.Name+".lock.json")
		// As a new file: one that somebody else has put there before us would stay theirs.
		if _, err := whole(file, func(out io.Writer) error { _, err := out.Write(text); return err }); err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("make %s with `hopyard env create %s --lock %s`", e.Name, e.Name, file))
	}
	return b.say(cmd, nil, "%s", strings.Join(lines, "\n"))
}

// loadBundle reads a bundle into the caches of a data directory.
func loadBundle(ctx context.Context, c Config, in io.Reader) (bundle.Bundle, error) {
	m, s, err := newMakers(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return bundle.Bundle{}, err
	}
	defer m.Close()
	dir, err := os.MkdirTemp(string(c.prepared()), ".bundle-")
	if err != nil {
		return bundle.Bundle{}, err
	}
	defer os.RemoveAll(dir)
	pins, err := ownPins()
	if err != nil {
		return bundle.Bundle{}, err
	}
	first, err := starters(tools.Versions)
	if err != nil {
		return bundle.Bundle{}, err
	}
	use, err := s.UseCaches(ctx)
	if err != nil {
		return bundle.Bundle{}, err
	}
	defer use.Close()
	return bundle.Load(ctx, in, bundle.Caches{
		Dir: dir, Domain: c.Environments.Domain, Packages: s.Packages, Wheels: s.Wheels, Fetcher: &wheels.Fetcher{}, Pins: pins, Starters: first,
		Installer: m.Unpacker, Tell: func(line string) { progress("bundle", line) },
	})
}
