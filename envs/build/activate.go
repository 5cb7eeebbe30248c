package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/lock"
)

// Activation is captured once, when a prefix is built, so that starting a program on it costs nothing and is the same from
// every door. In conda's order (CEP 32): what the environment is, etc/conda/env_vars.d, activation scripts, conda-meta/state, which
// for us is what the spec says.

// variable is a name that a shell takes.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// reserved are variables that no package may set: what decides which programs run, what makes a loader or an interpreter run other
// code first, and what is ours or the user's.
var reserved = regexp.MustCompile(`^(LD_.*|PYTHON(HOME|PATH|STARTUP)|HOPYARD_.*|PATH|HOME|USER|SHELL)$`)

// ours are those that environment.yml may not set either.
var ours = regexp.MustCompile(`^(HOPYARD_.*|PATH)$`)

// activation gives the variables that activation sets without running anything, and the scripts that it would run.
func (b *builder) activation(root *os.Root) (vars map[string]string, scripts []string, err error) {
	vars = map[string]string{"PYTHONNOUSERSITE": "1"}
	if b.lock.Kind == lock.Venv {
		vars["VIRTUAL_ENV"] = b.prefix()
	} else {
		maps.Copy(vars, map[string]string{"CONDA_PREFIX": b.prefix(), "CONDA_DEFAULT_ENV": b.prefix(), "CONDA_SHLVL": "1"})
		if err := b.packageVariables(root, vars); err != nil {
			return nil, nil, err
		}
		if scripts, err = list(root, "etc/conda/activate.d", ".sh"); err != nil {
			return nil, nil, err
		}
	}
	b.ownVariables(vars)
	return vars, scripts, nil
}

// ownVariables sets what the spec says, which has the last word.
func (b *builder) ownVariables(vars map[string]string) {
	for name, value := range b.order.Options.Variables {
		if variable.MatchString(name) && !ours.MatchString(name) {
			vars[name] = value
		}
	}
}

// packageVariables adds those of etc/conda/env_vars.d, file by file in the order of their names. Reserved ones are left out, of which
// people are told.
func (b *builder) packageVariables(root *os.Root, vars map[string]string) error {
	files, err := list(root, "etc/conda/env_vars.d", ".json")
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := root.ReadFile(file)
		if err != nil {
			return broken("", "%s cannot be read: %v", file, err)
		}
		var add map[string]any
		if err := json.Unmarshal(text, &add); err != nil {
			return broken("", "%s is not a list of variables: %v", file, err)
		}
		for _, name := range slices.Sorted(maps.Keys(add)) {
			if reserved.MatchString(name) {
				b.events.say("A package may not set %s, which %s does: it is left out.", name, file)
				continue
			}
			if text, ok := add[name].(string); ok && variable.MatchString(name) && !strings.ContainsRune(text, 0) {
				vars[name] = text
			}
		}
	}
	return nil
}

// list gives the files with that ending in a folder of the prefix, sorted. A folder that is not there has none.
func list(root *os.Root, dir, ending string) ([]string, error) {
	f, err := root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, broken("", "%s cannot be read: %v", dir, err)
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, broken("", "%s cannot be read: %v", dir, err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ending) })
	slices.Sort(names)
	for i, n := range names {
		names[i] = path.Join(dir, n)
	}
	return names, nil
}

// scriptLimit is how long all activation scripts together may take.
const scriptLimit = 20 * time.Second

// runScripts adds what activation scripts would set. Scripts of packages are off: they are code that would run with the rights of
// the builder, who writes what all projects share, and activation is no exception to that. Where the order allows scripts the
// prefix is private, and they run once, in an empty shell; else people are told which ones did not.
func (b *builder) runScripts(ctx context.Context, scripts []string, vars map[string]string) error {
	if len(scripts) == 0 {
		return nil
	}
	if !b.order.Options.Scripts {
		b.events.say("Scripts of packages are off, so these were not run: %s. Set what they would set under variables: in environment.yml.",
			strings.Join(scripts, ", "))
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, scriptLimit,
		driver.Failf(driver.ScriptFailed, "the activation scripts took longer than %v", scriptLimit))
	defer cancel()
	before := maps.Clone(vars)
	before["PATH"] = filepath.Join(b.prefix(), "bin") + ":/usr/bin:/bin"
	after, err := b.source(ctx, scripts, before)
	if err != nil {
		return err
	}
	for name, value := range after {
		if before[name] != value && variable.MatchString(name) && !reserved.MatchString(name) && !slices.Contains([]string{"_", "SHLVL", "PWD", "OLDPWD"}, name) {
			vars[name] = value
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			delete(vars, name)
		}
	}
	b.ownVariables(vars)
	return nil
}

// shell sources the scripts it is given and writes its environment to file 3: what scripts print does not matter.
const shell = `for script; do . "$script"; done; exec env -0 >&3`

// source runs scripts in an empty shell and gives the environment that they leave.
func (b *builder) source(ctx context.Context, scripts []string, env map[string]string) (map[string]string, error) {
	args := []string{"--noprofile", "--norc", "-c", shell, "activate"}
	for _, s := range scripts {
		args = append(args, filepath.Join(b.prefix(), s))
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		return nil, driver.Failf(driver.ScriptFailed, "activation scripts need bash: %w", err)
	}
	out, err := os.CreateTemp(filepath.Dir(b.store.Events(b.id)), ".activation-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd := b.command(ctx, bash, args...)
	cmd.Env = nil
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Dir = b.prefix()
	cmd.ExtraFiles = []*os.File{out}
	var words bytes.Buffer
	cmd.Stderr = &words
	if err := b.run(cmd); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, driver.Failf(driver.ScriptFailed, "the activation scripts %s: %w: %s", strings.Join(scripts, ", "), err, lastLines(words.String()))
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		return nil, err
	}
	after := map[string]string{}
	for kv := range strings.SplitSeq(string(text), "\x00") {
		if name, value, ok := strings.Cut(kv, "="); ok {
			after[name] = value
		}
	}
	return after, nil
}
