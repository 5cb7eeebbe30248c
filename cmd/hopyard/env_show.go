package main

import (
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/hopyard/hopyard/envs"
	"github.com/spf13/cobra"
)

func (cli *envCLI) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List a project's environments",
		Example: "  hopyard env list --project demo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			v, err := all[envs.Environment](cmd.Context(), s, s.path("environments"))
			if err != nil {
				return err
			}
			if cli.json {
				return writeAsJSON(cmd.OutOrStdout(), v)
			}
			return writeEnvironments(cmd.OutOrStdout(), v.Items)
		},
	}
}

func writeEnvironments(w io.Writer, items []envs.Environment) error {
	rows := [][]string{{"NAME", "KIND", "BUILD", "PYTHON", "PACKAGES", "DISK", "LATEST"}}
	for _, e := range items {
		name, build, python, packages := e.Name, "-", "-", "-"
		if e.Default {
			name += " (default)"
		}
		if e.Active != nil {
			build, python, packages = strconv.Itoa(e.Active.Build), dash(e.Active.Python), strconv.Itoa(e.Active.Packages)
		}
		rows = append(rows, []string{name, string(e.Kind), build, python, packages, size(e.Exclusive), latest(e)})
	}
	return table(w, rows)
}

// latest says what the newest build does, where it is not simply the one in use.
func latest(e envs.Environment) string {
	if e.Latest == nil {
		return "-"
	}
	text := fmt.Sprintf("%d %s", e.Latest.Number, e.Latest.State)
	if e.Latest.State == envs.Building && e.Latest.Phase != "" {
		text += " (" + string(e.Latest.Phase) + ")"
	}
	return text
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// doer is who did something; what nobody asked for, Hopyard did.
func doer(user string) string {
	if user == "" {
		return "Hopyard"
	}
	return user
}

func (cli *envCLI) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show an environment and its builds",
		Example: `  hopyard env show analysis
  hopyard env show analysis --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			var e envs.Environment
			raw, err := s.get(cmd.Context(), s.env(args[0]), nil, &e)
			if err != nil {
				return err
			}
			if cli.json {
				return writeJSON(cmd.OutOrStdout(), raw)
			}
			var builds list[envs.Build]
			if _, err := s.get(cmd.Context(), s.env(args[0], "builds"), url.Values{"limit": {"10"}}, &builds); err != nil {
				return err
			}
			return writeEnvironment(cmd.OutOrStdout(), e, builds.Items)
		},
	}
}

func writeEnvironment(w io.Writer, e envs.Environment, builds []envs.Build) error {
	fact := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	name := e.Name
	if e.Default {
		name += ", the default of " + e.Project
	}
	fact("name", "%s", name)
	fact("kind", "%s: %s", e.Kind, e.Why)
	fact("revision", "%d", e.Revision)
	if a := e.Active; a != nil {
		fact("in use", "build %d of revision %d, Python %s, %d packages, since %s by %s", a.Build, a.Revision, dash(a.Python), a.Packages, moment(a.Since), doer(a.By))
		fact("prefix", "%s", a.Prefix)
	}
	fact("disk", "%s alone, %s shared", size(e.Exclusive), size(e.Shared))
	for _, u := range e.InUse {
		fact("programs", "%d on build %d", len(u.Workloads), u.Build)
	}
	if len(builds) == 0 {
		return nil
	}
	rows := [][]string{{"", "BUILD", "STATE", "REVISION", "PACKAGES", "BY", "WHEN", "WHY"}}
	for _, b := range builds {
		mark := ""
		if b.Active {
			mark = "*"
		}
		rows = append(rows, []string{mark, strconv.Itoa(b.Number), string(b.State), strconv.Itoa(b.Revision), strconv.Itoa(b.Packages), doer(b.By), moment(b.Created), b.Reason})
	}
	fmt.Fprintln(w)
	return table(w, rows)
}

func (cli *envCLI) historyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "history NAME",
		Short:   "Show which build was in use when, by whom and why",
		Example: "  hopyard env history analysis",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			v, err := all[envs.Activation](cmd.Context(), s, s.env(args[0], "history"))
			if err != nil {
				return err
			}
			if cli.json {
				return writeAsJSON(cmd.OutOrStdout(), v)
			}
			rows := [][]string{{"WHEN", "BUILD", "BEFORE", "BY", "WHY"}}
			for _, a := range v.Items {
				before := "-"
				if a.From > 0 {
					before = strconv.Itoa(a.From)
				}
				rows = append(rows, []string{moment(a.Created), strconv.Itoa(a.Build), before, doer(a.By), a.Reason})
			}
			return table(cmd.OutOrStdout(), rows)
		},
	}
}

func (cli *envCLI) deleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME [BUILD]",
		Short: "Remove an environment that nothing runs on, or one of its builds",
		Long: "Delete removes an environment with all its builds, or, with a number, that build: its log and its place in the history go at once, " +
			"its files with the next collection. A build that is in use or that programs run on stays.",
		Example: `  hopyard env delete analysis
  hopyard env delete analysis 11`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			what, below := args[0], []string{}
			if len(args) == 2 {
				n, err := number(args[1])
				if err != nil {
					return err
				}
				what, below = fmt.Sprintf("build %d of %s", n, what), []string{"builds", strconv.Itoa(n)}
			}
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			if _, err := s.do(cmd.Context(), "DELETE", s.env(args[0], below...), nil, nil, nil); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is removed\n", what)
			return nil
		},
	}
}

func (cli *envCLI) gcCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "gc",
		Short: "Remove the files of builds that nobody needs",
		Long: "Gc removes the files of old builds by the gateway's rule, which it prints, what nobody has used for long from the caches, and locks " +
			"that nothing has named for long. The locks of builds that are listed stay: activating such a build brings it back.",
		Example: "  hopyard env gc --project demo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			var freed envs.Report
			raw, err := s.do(cmd.Context(), "POST", s.path("environments-collect"), nil, nil, &freed)
			if err != nil {
				return err
			}
			if cli.json {
				return writeJSON(cmd.OutOrStdout(), raw)
			}
			var left envs.Usage
			if _, err := s.get(cmd.Context(), s.path("environments-usage"), nil, &left); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d builds removed, %s freed\n%d packages left the caches, %d locks left the storage (%s)\n"+
				"%d builds stay: %s alone, %s shared with other environments\nrule: %s\n",
				freed.Builds, size(freed.Bytes), freed.Packages, freed.Locks, size(freed.LockBytes), left.Builds, size(left.Exclusive), size(left.Shared), left.Rule)
			return err
		},
	}
}
