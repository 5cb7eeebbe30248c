package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/store"
	"github.com/hopyard/hopyard/internal/apiclient"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// number reads a build's number from an argument.
func number(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not the number of a build", text)
	}
	return n, nil
}

func (cli *envCLI) activateCommand() *cobra.Command {
	reason := ""
	cmd := &cobra.Command{
		Use:     "activate NAME BUILD",
		Short:   "Make a build the one in use",
		Example: "  hopyard env activate analysis 12",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := number(args[1])
			if err != nil {
				return err
			}
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			return cli.activate(cmd, s, args[0], n, reason)
		},
	}
	cmd.Flags().StringVarP(&reason, "reason", "m", "", "why, for its history")
	return cmd
}

func (cli *envCLI) activate(cmd *cobra.Command, s *scope, name string, build int, reason string) error {
	var v envs.Activation
	raw, err := s.do(cmd.Context(), "POST", s.env(name, "activate"), nil, map[string]any{"build": build, "reason": reason}, &v)
	if err != nil {
		return err
	}
	if v.Pending {
		return cli.say(cmd, raw, "build %d of %s is being restored and in use when it is; `hopyard env log %s %d` follows that", v.Build, name, name, v.Build)
	}
	return cli.say(cmd, raw, "build %d of %s is in use for new programs", v.Build, name)
}

func (cli *envCLI) rollbackCommand() *cobra.Command {
	reason := "rolled back"
	cmd := &cobra.Command{
		Use:   "rollback NAME [BUILD]",
		Short: "Go back to an older build: without a number, to the one before that in use",
		Example: `  hopyard env rollback analysis
  hopyard env rollback analysis 11`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			n := 0
			if len(args) == 2 {
				n, err = number(args[1])
			} else {
				n, err = s.buildBefore(cmd.Context(), args[0])
			}
			if err != nil {
				return err
			}
			return cli.activate(cmd, s, args[0], n, reason)
		},
	}
	cmd.Flags().StringVarP(&reason, "reason", "m", reason, "why, for its history")
	return cmd
}

// buildBefore is the newest good build that is older than the one in use, so that rolling back twice goes back two.
func (s *scope) buildBefore(ctx context.Context, name string) (int, error) {
	var e envs.Environment
	if _, err := s.get(ctx, s.env(name), nil, &e); err != nil {
		return 0, err
	}
	if e.Active == nil {
		return 0, fmt.Errorf("%s has no build in use", name)
	}
	builds, err := all[envs.Build](ctx, s, s.env(name, "builds"))
	if err != nil {
		return 0, err
	}
	before := 0
	for _, b := range builds.Items {
		if good := b.State == envs.Ready || b.State == envs.Collected; good && b.Number < e.Active.Build {
			before = max(before, b.Number)
		}
	}
	if before == 0 {
		return 0, fmt.Errorf("%s has no good build before %d", name, e.Active.Build)
	}
	return before, nil
}

func (cli *envCLI) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel NAME [BUILD]",
		Short: "End a build: without a number, the newest",
		Example: `  hopyard env cancel analysis
  hopyard env cancel analysis 13`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, n, err := cli.openBuild(cmd.Context(), args)
			if err != nil {
				return err
			}
			var b envs.Build
			raw, err := s.do(cmd.Context(), "POST", s.env(args[0], "builds", strconv.Itoa(n), "cancel"), nil, nil, &b)
			if err != nil {
				return err
			}
			return cli.say(cmd, raw, "build %d of %s is being canceled", n, args[0])
		},
	}
}

// openBuild opens the scope and finds the build that the arguments name, or else the newest.
func (cli *envCLI) openBuild(ctx context.Context, args []string) (*scope, int, error) {
	n := 0
	if len(args) == 2 {
		var err error
		if n, err = number(args[1]); err != nil {
			return nil, 0, err
		}
	}
	s, err := cli.open(ctx)
	if err != nil || n > 0 {
		return s, n, err
	}
	var e envs.Environment
	if _, err := s.get(ctx, s.env(args[0]), nil, &e); err != nil {
		return nil, 0, err
	}
	if e.Latest == nil {
		return nil, 0, fmt.Errorf("%s has not been built yet", args[0])
	}
	return s, e.Latest.Number, nil
}

func (cli *envCLI) logCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "log NAME [BUILD]",
		Short: "Show what a build did, and follow it while it goes on: without a number, the newest",
		Example: `  hopyard env log analysis
  hopyard env log analysis 12 --json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, n, err := cli.openBuild(cmd.Context(), args)
			if err != nil {
				return err
			}
			if cli.json {
				return s.rawLog(cmd.Context(), args[0], n, cmd.OutOrStdout())
			}
			b, _, err := s.follow(cmd.Context(), envs.Build{Environment: args[0], Number: n}, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			if err := errBuild(b); err != nil {
				return err
			}
			return cli.say(cmd, nil, "build %d of %s is %s: %d packages, %s", n, args[0], b.State, b.Packages, size(b.Bytes))
		},
	}
}

// rawLog prints a build's events, one JSON object a line.
func (s *scope) rawLog(ctx context.Context, name string, n int, out io.Writer) error {
	err := s.Follow(ctx, s.env(name, "builds", strconv.Itoa(n), "events"), "", func(e apiclient.Event) bool {
		fmt.Fprintf(out, "%s\n", e.Data)
		return e.Name == string(driver.TypeResult)
	})
	return told(err)
}

func (cli *envCLI) exportCommand() *cobra.Command {
	format, file, build := "environment", "", 0
	cmd := &cobra.Command{
		Use:   "export NAME",
		Short: "Write a build in a form for other tools",
		Long: "Export writes the build in use, or another: as spec (environment.yml as written), environment (with every version pinned), " +
			"explicit (conda's list of addresses), conda-lock, requirements (pip's, with hashes), cyclonedx (a bill of materials) or lock (our own, with everything).",
		Example: `  hopyard env export analysis --format conda-lock -o conda-lock.yml
  hopyard env export analysis --format spec --build 11`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			if build == 0 {
				if build, err = s.inUse(cmd.Context(), args[0]); err != nil {
					return err
				}
			}
			query := url.Values{"format": {format}}
			text, err := s.get(cmd.Context(), s.env(args[0], "builds", strconv.Itoa(build), "export"), query, nil)
			if err != nil {
				return err
			}
			if file == "" || file == "-" {
				_, err = cmd.OutOrStdout().Write(text)
				return err
			}
			return os.WriteFile(file, text, 0o644)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&format, "format", format, "spec, environment, explicit, conda-lock, requirements, cyclonedx or lock")
	flags.StringVarP(&file, "output", "o", "", "the file to write (default: standard output)")
	flags.IntVar(&build, "build", 0, "another build than the one in use")
	return cmd
}

// inUse is the number of the build in use.
func (s *scope) inUse(ctx context.Context, name string) (int, error) {
	var e envs.Environment
	if _, err := s.get(ctx, s.env(name), nil, &e); err != nil {
		return 0, err
	}
	if e.Active == nil {
		return 0, fmt.Errorf("%s has no build in use yet", name)
	}
	return e.Active.Build, nil
}

// activation is what a program needs to run in an environment on this host.
type activation struct {
	Build     int               `json:"build"`
	Prefix    string            `json:"prefix"`
	Bin       string            `json:"bin"`
	Variables map[string]string `json:"variables"`
}

func (cli *envCLI) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run NAME -- PROGRAM [ARGUMENT…]",
		Short: "Run a program in an environment, on the gateway's host",
		Long: "Run starts a program as kernels of the project are started: with the environment's programs first on PATH and the variables " +
			"that its activation sets. All else stays as it is here. The program takes the place of this one, and so do its exit code and its signals.",
		Example: `  hopyard env run analysis -- python script.py
  hopyard env run analysis --project demo -- bash`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			var a activation
			if _, err := s.get(cmd.Context(), s.env(args[0], "activation"), nil, &a); err != nil {
				return err
			}
			return a.exec(args[1:])
		},
	}
}

// exec puts a program in the place of this one.
func (a activation) exec(argv []string) error {
	if _, err := os.Stat(a.Bin); err != nil {
		return fmt.Errorf("the files of build %d are not on this host: run this where the gateway runs (%w)", a.Build, err)
	}
	held, err := hold(a.Prefix)
	if err != nil {
		return fmt.Errorf("build %d: %w", a.Build, err)
	}
	defer held.Close()
	environ := a.environ(os.Environ())
	program, err := lookUp(argv[0], a.Bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if err != nil {
		return err
	}
	if err := syscall.Exec(program, argv, environ); err != nil {
		return fmt.Errorf("run %s: %w", program, err)
	}
	return errors.New("unreachable") // the program has taken our place
}

// hold keeps the files of an environment from being collected while the program runs that takes our place, and what that starts:
// no gateway knows of it. Where a filesystem has no locks the program runs without.
func hold(prefix string) (io.Closer, error) {
	f, err := store.Hold(prefix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("its files have just been collected; activate it again to restore them (%w)", err)
	}
	if err != nil {
		return io.NopCloser(nil), nil //nolint:nilerror // what was handed out stays for some minutes anyhow
	}
	// The descriptor goes on to the program, which keeps it open to its end.
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("hold environment: %w", err), f.Close())
	}
	return f, nil
}

// environ puts the activation over a program's environment. The user's own packages stay out: they would shadow the environment's.
func (a activation) environ(now []string) []string {
	ours := map[string]string{"PYTHONNOUSERSITE": "1"}
	maps.Copy(ours, a.Variables)
	path := ""
	var environ []string
	for _, entry := range now {
		name, value, _ := strings.Cut(entry, "=")
		if name == "PATH" {
			path = value
			continue
		}
		if _, replaced := ours[name]; !replaced && name != tokenVariable {
			environ = append(environ, entry)
		}
	}
	delete(ours, "PATH") // ours is made here
	for name, value := range ours {
		environ = append(environ, name+"="+value)
	}
	return append(environ, "PATH="+strings.TrimSuffix(a.Bin+string(os.PathListSeparator)+path, string(os.PathListSeparator)))
}

// lookUp finds a program on another PATH than this process's.
func lookUp(name, path string) (string, error) {
	if strings.ContainsRune(name, '/') {
		return name, nil
	}
	for _, dir := range filepath.SplitList(path) {
		if dir == "" {
			continue // the working directory is nowhere to take programs from
		}
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("there is no program %s in the environment or on PATH", name)
}
