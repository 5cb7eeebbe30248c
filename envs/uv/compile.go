package uv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs/driver"
	"github.com/hopyard/hopyard/envs/fetch"
	"github.com/hopyard/hopyard/envs/lock"
)

// Compile solves the requirements into exact wheels, sorted by name: for each package the one wheel that pip would install.
// Licences and requirements are filled in where the index tells them without the wheel.
func (t *Tool) Compile(ctx context.Context, req Request) ([]lock.Wheel, error) {
	goal, err := targetOf(req.Python, req.Glibc, req.Platform)
	if err != nil {
		return nil, driver.Failf(driver.SpecInvalid, "%w", err)
	}
	if err := checkRequirements(slices.Concat(req.Requirements, req.Constraints)); err != nil {
		return nil, err
	}
	if len(req.Requirements) == 0 {
		return nil, nil
	}
	solved, err := t.solve(ctx, req, goal)
	if err != nil {
		return nil, err
	}
	wheels, err := choose(solved, goal, req)
	if err != nil {
		return nil, err
	}
	t.describe(t.inside(ctx, req.Index), wheels, req.Provided, goal)
	return wheels, nil
}

// solve runs uv in a folder of its own, where the lock file of preferences becomes the answer.
func (t *Tool) solve(ctx context.Context, req Request, goal target) ([]candidates, error) {
	dir, err := os.MkdirTemp("", "hopyard-solve-")
	if err != nil {
		return nil, fmt.Errorf("make room for a solve: %w", err)
	}
	defer os.RemoveAll(dir)
	in, err := t.compilation(dir, req, goal)
	if err != nil {
		return nil, err
	}
	if _, err := t.run(ctx, in); err != nil {
		return nil, t.failure(err, req.Python)
	}
	text, err := os.ReadFile(filepath.Join(dir, pylockName))
	if err != nil {
		return nil, fmt.Errorf("read uv's answer: %w", err)
	}
	solved, err := parsePylock(string(text), dir)
	if err != nil {
		return nil, driver.Failf(driver.ToolFailed, "uv's answer cannot be used: %w", err)
	}
	return solved, nil
}

const pylockName = "pylock.toml"

func (t *Tool) compilation(dir string, req Request, goal target) (invocation, error) {
	args := []string{
		"pip", "compile", "-", "--quiet", "--no-config", "--no-header", "--only-binary", ":all:",
		"--format", "pylock.toml", "--output-file", filepath.Join(dir, pylockName),
		"--python-version", fmt.Sprintf("3.%d", goal.minor), "--python-platform", goal.uvPlatform(),
	}
	if req.PythonPath != "" {
		args = append(args, "--python", req.PythonPath)
	}
	index, err := CleanIndex(req.Index)
	if err != nil {
		return invocation{}, err
	}
	if index != "" {
		args = append(args, "--default-index", index)
	}
	if len(req.Constraints) > 0 {
		path := filepath.Join(dir, "constraints.txt")
		if err := os.WriteFile(path, []byte(strings.Join(req.Constraints, "\n")+"\n"), 0o600); err != nil {
			return invocation{}, fetch.NoRoom("write constraints", err)
		}
		args = append(args, "--constraint", path)
	}
	if req.MinimumAge > 0 {
		args = append(args, "--exclude-newer", time.Now().Add(-req.MinimumAge).UTC().Format(time.RFC3339))
	}
	if len(req.Prefer) > 0 {
		if err := os.WriteFile(filepath.Join(dir, pylockName), []byte(preferences(req.Prefer)), 0o600); err != nil {
			return invocation{}, fetch.NoRoom("write preferences", err)
		}
	}
	for _, name := range req.Upgrade {
		if !validName.MatchString(name) {
			return invocation{}, driver.Failf(driver.SpecInvalid, "%q is not the name of a package", name)
		}
		args = append(args, "--upgrade-package", name)
	}
	if t.Offline {
		args = append(args, "--offline")
	}
	known, err := fetch.ReadCredentials(t.AuthFile)
	if err != nil {
		return invocation{}, err
	}
	netrc, err := known.Netrc(index)
	if err != nil {
		return invocation{}, err
	}
	return invocation{args: args, dir: dir, cache: t.Cache, netrc: netrc, stdin: strings.Join(req.Requirements, "\n") + "\n"}, nil
}

// CleanIndex is an index's address as it may stand in argv and in locks, without credentials; empty stays empty.
func CleanIndex(index string) (string, error) {
	if index == "" {
		return "", nil
	}
	address, err := cleanAddress(index)
	if err != nil {
		return "", driver.Failf(driver.SpecInvalid, "the package index is no address of http, https or file: %w", err)
	}
	return address, nil
}

// choose takes the best wheel of each package that is not there already.
func choose(solved []candidates, goal target, req Request) ([]lock.Wheel, error) {
	there := map[string]bool{}
	for _, name := range req.Provided {
		there[normalize(name)] = true
	}
	wheels := make([]lock.Wheel, 0, len(solved))
	for _, c := range solved {
		if there[c.name] {
			continue
		}
		names := make([]string, len(c.wheels))
		for i, w := range c.wheels {
			names[i] = w.Filename
		}
		best := goal.best(names)
		if best < 0 {
			return nil, &driver.Failure{
				Cause: driver.Unsatisfiable, Package: c.name,
				Message: fmt.Sprintf("%s %s has no wheel for Python %s on linux-64; source builds are off", c.name, c.version, req.Python),
			}
		}
		wheels = append(wheels, c.wheels[best])
	}
	slices.SortFunc(wheels, func(a, b lock.Wheel) int { return strings.Compare(a.Name, b.Name) })
	return wheels, nil
}

// DefaultIndex is the address of the package index that uv uses when none is named.
func (t *Tool) DefaultIndex(ctx context.Context) (string, error) {
	t.index.Lock()
	defer t.index.Unlock()
	if t.index.address != "" {
		return t.index.address, nil
	}
	got, err := t.run(ctx, invocation{args: []string{"pip", "compile", "-", "--no-config", "--no-header", "--offline", "--emit-index-url"}})
	if err != nil {
		return "", t.failure(err, "")
	}
	for line := range strings.Lines(got.stdout) {
		if address, found := strings.CutPrefix(strings.TrimSpace(line), "--index-url "); found {
			t.index.address, err = cleanAddress(address)
			return t.index.address, err
		}
	}
	return "", driver.Failf(driver.ToolFailed, "uv does not name its package index")
}
