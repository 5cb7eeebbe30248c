package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/spec"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/spf13/cobra"
)

// editFlags are those that change a spec by packages.
type editFlags struct{ add, remove, upgrade []string }

func (f *editFlags) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.add, "add", nil, "a package to add: NAME, NAME=VERSION, or with pip: in front for one of the package index")
	flags.StringArrayVar(&f.remove, "remove", nil, "a package to remove")
	flags.StringArrayVar(&f.upgrade, "upgrade", nil, "a package to upgrade")
}

func (f *editFlags) edit() (spec.Edit, error) {
	e := spec.Edit{Remove: f.remove, Upgrade: f.upgrade}
	for _, text := range f.add {
		p, err := parsePackage(text, false)
		if err != nil {
			return e, err
		}
		e.Add = append(e.Add, p)
	}
	return e, nil
}

// parsePackage reads NAME, NAME=VERSION or NAME with a condition, such as "numpy>=2", and pip: in front.
func parsePackage(text string, pip bool) (spec.Package, error) {
	name, isPip := strings.CutPrefix(text, "pip:")
	p := spec.Package{From: "conda"}
	if isPip || pip {
		p.From = "pip"
	}
	at := strings.IndexAny(name, "=<>!~ ")
	if at < 0 {
		p.Name = name
	} else {
		p.Name, p.Version = name[:at], strings.TrimSpace(name[at:])
		if strings.HasPrefix(p.Version, "=") && !strings.HasPrefix(p.Version, "==") {
			p.Version = p.Version[1:]
		}
	}
	if p.Name == "" {
		return p, fmt.Errorf("%q names no package", text)
	}
	return p, nil
}

func (cli *envCLI) packagesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "packages",
		Short: "List, add, remove, upgrade and search packages",
		Example: `  hopyard env packages list analysis
  hopyard env packages add analysis pandas "numpy>=2"
  hopyard env packages remove analysis pandas`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(
		cli.packagesListCommand(), cli.searchCommand(),
		cli.editCommand("add", "Add packages and build", `  hopyard env packages add analysis pandas "numpy>=2"
  hopyard env packages add analysis --pip requests`, func(e *spec.Edit, p spec.Package) { e.Add = append(e.Add, p) }),
		cli.editCommand("remove", "Remove packages and build", "  hopyard env packages remove analysis pandas",
			func(e *spec.Edit, p spec.Package) { e.Remove = append(e.Remove, p.Name) }),
		cli.editCommand("upgrade", "Upgrade packages and build", "  hopyard env packages upgrade analysis numpy",
			func(e *spec.Edit, p spec.Package) { e.Upgrade = append(e.Upgrade, p.Name) }),
	)
	return cmd
}

func (cli *envCLI) packagesListCommand() *cobra.Command {
	build := 0
	cmd := &cobra.Command{
		Use:     "list NAME",
		Short:   "List the packages of the build in use; a star marks what the spec names",
		Example: "  hopyard env packages list analysis --build 12",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			query := url.Values{}
			if build > 0 {
				query.Set("build", strconv.Itoa(build))
			}
			var v list[store.Item]
			raw, err := s.get(cmd.Context(), s.env(args[0], "packages"), query, &v)
			if err != nil {
				return err
			}
			return cli.writePackages(cmd, raw, v.Items)
		},
	}
	cmd.Flags().IntVar(&build, "build", 0, "another build than the one in use")
	return cmd
}

func (cli *envCLI) searchCommand() *cobra.Command {
	from := ""
	limit := 20
	cmd := &cobra.Command{
		Use:     "search TEXT",
		Short:   "Find packages by a part of their name",
		Example: "  hopyard env packages search numpy --from conda",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			query := url.Values{"q": {args[0]}, "limit": {strconv.Itoa(limit)}}
			if from != "" {
				query.Set("from", from)
			}
			var v list[driver.Found]
			raw, err := s.get(cmd.Context(), s.path("packages"), query, &v)
			if err != nil || cli.json {
				return errors.Join(err, writeJSON(cmd.OutOrStdout(), raw))
			}
			if len(v.Items) == 0 {
				return fmt.Errorf("nothing has %q in its name; the package index is searched by whole names only", args[0])
			}
			rows := [][]string{{"NAME", "NEWEST", "FROM", "SUMMARY"}}
			for _, f := range v.Items {
				newest := "-"
				if len(f.Versions) > 0 {
					newest = f.Versions[0]
				}
				rows = append(rows, []string{f.Name, newest, f.From, f.Summary})
			}
			return table(cmd.OutOrStdout(), rows)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "conda or pip (default: both)")
	cmd.Flags().IntVar(&limit, "limit", limit, "how many to show, at most 100")
	return cmd
}

// editCommand is a command that changes packages and builds.
func (cli *envCLI) editCommand(verb, short, example string, put func(*spec.Edit, spec.Package)) *cobra.Command {
	var pip, detach bool
	var message string
	cmd := &cobra.Command{
		Use: verb + " NAME PACKAGE…", Short: short, Example: example, Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var body struct {
				spec.Edit
				Message string `json:"message,omitempty"`
			}
			body.Message = message
			for _, text := range args[1:] {
				p, err := parsePackage(text, pip)
				if err != nil {
					return err
				}
				put(&body.Edit, p)
			}
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			s.noteBase(cmd.Context(), args[0], cmd.ErrOrStderr())
			var b envs.Build
			raw, err := s.do(cmd.Context(), http.MethodPost, s.env(args[0], "packages"), nil, body, &b)
			if err != nil {
				return err
			}
			return cli.settle(cmd, s, b, raw, detach)
		},
	}
	if verb == "add" {
		cmd.Flags().BoolVar(&pip, "pip", false, "take them from the package index, not from conda channels")
	}
	cmd.Flags().StringVarP(&message, "message", "m", "", "why, for its history")
	cmd.Flags().BoolVar(&detach, "detach", false, "do not wait for the build")
	return cmd
}

// noteBase says what packages are changed in, where that is not what the build in use was made from: after a roll back, or after a
// build that failed.
func (s *scope) noteBase(ctx context.Context, name string, out io.Writer) {
	var e envs.Environment
	if _, err := s.get(ctx, s.env(name), nil, &e); err != nil || e.Active == nil || e.Active.Revision == e.Revision {
		return // the change itself says what is wrong
	}
	fmt.Fprintf(out, "revision %d of %s's environment.yml is changed; build %d, which is in use, is of revision %d\n", e.Revision, name, e.Active.Build, e.Active.Revision)
}

// channelName is a channel's name; of an address that has none, the last part.
func channelName(channel string) string {
	if strings.Contains(channel, "://") {
		return path.Base(channel)
	}
	return channel
}

// writePackages prints what a build holds.
func (cli *envCLI) writePackages(cmd *cobra.Command, raw json.RawMessage, items []store.Item) error {
	if cli.json {
		return writeJSON(cmd.OutOrStdout(), raw)
	}
	rows := [][]string{{"", "NAME", "VERSION", "BUILD", "FROM", "LICENCE", "SIZE"}}
	for _, p := range items {
		mark, from := "", p.From
		if p.Requested {
			mark = "*"
		}
		if p.Channel != "" {
			from += " " + channelName(p.Channel)
		}
		rows = append(rows, []string{mark, p.Name, p.Version, dash(p.Build), from, dash(p.License), size(p.Size)})
	}
	return table(cmd.OutOrStdout(), rows)
}
