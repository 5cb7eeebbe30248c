package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/hopyard/hopyard/envs"
	"github.com/spf13/cobra"
)

// maxFile bounds what is read from a file to be sent, in bytes.
const maxFile = 16 << 20

// readFile reads a file, or standard input where its name is a dash.
func readFile(name string, stdin io.Reader) (string, error) {
	if name == "-" {
		text, err := io.ReadAll(io.LimitReader(stdin, maxFile+1))
		return string(text), err
	}
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if info.Size() > maxFile {
		return "", fmt.Errorf("%s is larger than %s", name, size(maxFile))
	}
	text, err := os.ReadFile(name)
	return string(text), err
}

func (cli *envCLI) createCommand() *cobra.Command {
	var src source
	var kind, message string
	var detach, plan bool
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an environment and build it",
		Long:  "Create makes an environment from an environment.yml, from one of another project, from a lock, from pip's requirements or from the notebook that ran in it.",
		Example: `  hopyard env create analysis -f environment.yml
  hopyard env create analysis --from research/analysis
  hopyard env create again --lock analysis-12-lock.json
  hopyard env create again --notebook reports/may.ipynb`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := src.check(); err != nil {
				return err
			}
			body, err := src.body(cmd.InOrStdin())
			if err != nil {
				return err
			}
			body["name"], body["build"] = args[0], !plan
			if kind != "" {
				body["kind"] = kind
			}
			if message != "" {
				body["message"] = message
			}
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			var e envs.Environment
			raw, err := s.do(cmd.Context(), "POST", s.path("environments"), nil, body, &e)
			if err != nil {
				return err
			}
			if e.Kind != "" && kind == "" { // nobody asked for it
				fmt.Fprintf(cmd.ErrOrStderr(), "%s is of kind %s: %s\n", e.Name, e.Kind, e.Why)
			}
			if e.Latest == nil || plan {
				return cli.say(cmd, raw, "%s is made; `hopyard env build %s` builds it", e.Name, e.Name)
			}
			return cli.settle(cmd, s, *e.Latest, raw, detach)
		},
	}
	src.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&kind, "kind", "", "how to make it: conda or venv (default: the gateway chooses)")
	flags.StringVarP(&message, "message", "m", "", "why, for its history")
	flags.BoolVar(&detach, "detach", false, "do not wait for the build")
	flags.BoolVar(&plan, "no-build", false, "do not build it yet")
	return cmd
}

// source is where the content of a new environment comes from.
type source struct{ file, from, lock, requirements, notebook string }

func (src *source) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&src.file, "file", "f", "", "an environment.yml; - reads standard input")
	flags.StringVar(&src.from, "from", "", "another environment: PROJECT/NAME, or PROJECT/NAME@BUILD")
	flags.StringVar(&src.lock, "lock", "", "a lock: what 'hopyard env export' writes as lock, explicit or conda-lock, or as requirements with addresses")
	flags.StringVar(&src.requirements, "requirements", "", "a requirements.txt of pip, which is solved anew")
	flags.StringVar(&src.notebook, "notebook", "", "a notebook of the project, whose environment is made again")
}

// check wants one source; a lock may come with the environment.yml that it was solved from.
func (src *source) check() error {
	named := 0
	for _, name := range []string{src.file + src.lock, src.from, src.requirements, src.notebook} {
		if name != "" {
			named++
		}
	}
	if named != 1 {
		return errors.New("say what it is made from, by one of --file, --lock, --from, --requirements and --notebook; --file and --lock may come together")
	}
	return nil
}

// body is the request's, as far as the source goes.
func (src *source) body(stdin io.Reader) (map[string]any, error) {
	body := map[string]any{}
	for field, name := range map[string]string{"text": src.file, "lock": src.lock, "requirements": src.requirements} {
		if name == "" {
			continue
		}
		text, err := readFile(name, stdin)
		if err != nil {
			return nil, err
		}
		body[field] = text
	}
	if src.notebook != "" {
		body["notebook"] = src.notebook
	}
	if src.from != "" {
		ref, err := parseRef(src.from)
		if err != nil {
			return nil, err
		}
		body["from"] = ref
	}
	return body, nil
}

// parseRef reads PROJECT/NAME or PROJECT/NAME@BUILD.
func parseRef(text string) (envs.Ref, error) {
	path, number, numbered := strings.Cut(text, "@")
	project, name, ok := strings.Cut(path, "/")
	ref := envs.Ref{Project: project, Environment: name}
	if numbered {
		n, err := strconv.Atoi(number)
		ok = ok && err == nil && n > 0
		ref.Build = n
	}
	if !ok || project == "" || name == "" || strings.Contains(name, "/") {
		return ref, fmt.Errorf("%q is not PROJECT/NAME or PROJECT/NAME@BUILD", text)
	}
	return ref, nil
}

// say prints the answer where programs read, else a sentence.
func (cli *envCLI) say(cmd *cobra.Command, raw json.RawMessage, format string, args ...any) error {
	if cli.json {
		return writeJSON(cmd.OutOrStdout(), raw)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...)
	return err
}

// settle waits for a build, unless nobody wants to wait, and says how it ended.
func (cli *envCLI) settle(cmd *cobra.Command, s *scope, b envs.Build, raw json.RawMessage, detach bool) error {
	if detach {
		return cli.say(cmd, raw, "build %d of %s is %s; `hopyard env log %s %d` follows it", b.Number, b.Environment, b.State, b.Environment, b.Number)
	}
	if !b.State.Ended() {
		var err error
		if b, raw, err = s.follow(cmd.Context(), b, cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	if err := errBuild(b); err != nil {
		if cli.json && raw != nil {
			return errors.Join(err, writeJSON(cmd.OutOrStdout(), raw))
		}
		return err
	}
	how := "is ready"
	if b.Reused {
		how = "was there already and is ready"
	}
	return cli.say(cmd, raw, "build %d of %s %s: %d packages, %s", b.Number, b.Environment, how, b.Packages, size(b.Bytes))
}

func (cli *envCLI) buildCommand() *cobra.Command {
	var file, message string
	var revision int
	var detach bool
	cmd := &cobra.Command{
		Use:   "build NAME",
		Short: "Build an environment, from a changed environment.yml if there is one",
		Example: `  hopyard env build analysis
  hopyard env build analysis -f environment.yml -m "newer pandas"
  hopyard env build analysis --revision 3`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := ""
			if file != "" {
				var err error
				if text, err = readFile(file, cmd.InOrStdin()); err != nil {
					return err
				}
			}
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			b, raw, err := s.startBuild(cmd.Context(), args[0], file != "", text, message, revision)
			if err != nil {
				return err
			}
			return cli.settle(cmd, s, b, raw, detach)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&file, "file", "f", "", "the new environment.yml; - reads standard input")
	flags.StringVarP(&message, "message", "m", "", "why, for its history")
	flags.IntVar(&revision, "revision", 0, "an older revision to build (default: the newest)")
	flags.BoolVar(&detach, "detach", false, "do not wait for the build")
	cmd.MarkFlagsMutuallyExclusive("file", "revision")
	return cmd
}

// startBuild asks for a build, of a new spec where there is one.
func (s *scope) startBuild(ctx context.Context, name string, change bool, text, message string, revision int) (envs.Build, json.RawMessage, error) {
	if !change {
		var b envs.Build
		raw, err := s.do(ctx, "POST", s.env(name, "builds"), nil, map[string]any{"revision": revision}, &b)
		return b, raw, err
	}
	var answer struct {
		Build *envs.Build `json:"build"`
	}
	raw, err := s.do(ctx, "PUT", s.env(name, "spec"), nil, map[string]any{"text": text, "message": message, "build": true}, &answer)
	if err == nil && answer.Build == nil {
		err = errors.New("the gateway took the text and started no build")
	}
	if err != nil {
		return envs.Build{}, raw, err
	}
	return *answer.Build, raw, nil
}

func (cli *envCLI) solveCommand() *cobra.Command {
	var file string
	var edit editFlags
	cmd := &cobra.Command{
		Use:   "solve NAME",
		Short: "Say what would change, with sizes, and change nothing",
		Long:  "Solve finds what an environment would hold and compares it with the build in use: for a file, for packages to add, remove or upgrade, or for the newest spec as it is.",
		Example: `  hopyard env solve analysis -f environment.yml
  hopyard env solve analysis --add pandas --add pip:requests --upgrade numpy`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := edit.edit()
			if err != nil {
				return err
			}
			var body any = change
			if file != "" {
				text, err := readFile(file, cmd.InOrStdin())
				if err != nil {
					return err
				}
				body = map[string]any{"text": text}
			}
			s, err := cli.open(cmd.Context())
			if err != nil {
				return err
			}
			var v envs.Solution
			raw, err := s.do(cmd.Context(), "POST", s.env(args[0], "solve"), nil, body, &v)
			if err != nil {
				return err
			}
			if cli.json {
				return writeJSON(cmd.OutOrStdout(), raw)
			}
			return writeSolution(cmd.OutOrStdout(), v)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "an environment.yml; - reads standard input")
	edit.flags(cmd)
	for _, name := range []string{"add", "remove", "upgrade"} {
		cmd.MarkFlagsMutuallyExclusive("file", name)
	}
	return cmd
}

func writeSolution(w io.Writer, v envs.Solution) error {
	if err := writeDiff(w, v.Diff); err != nil {
		return err
	}
	if v.Ready {
		fmt.Fprintln(w, "this is built already: a build of it is ready at once")
	} else {
		fmt.Fprintf(w, "to download: %s of %s\n", size(v.Download), size(v.Artifacts))
	}
	if len(v.Findings) == 0 {
		return nil
	}
	for _, f := range v.Findings {
		fmt.Fprintf(w, "refused: %s\n", explain(&f))
	}
	return fmt.Errorf("the policy refuses this: %d findings", len(v.Findings))
}
