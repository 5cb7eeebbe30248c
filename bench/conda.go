package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// activator is a program that activates an environment and runs a command in it.
type activator struct {
	name string
	argv func(prefix string) []string // the command follows
	env  []string
}

// activators are those to start kernels by, the first of which is the peer of the goal: conda where there is one, then conda run's way
// with py-rattler.
func (b *benchmark) activators(ctx context.Context, s *site) ([]activator, error) {
	found, err := b.findConda(ctx)
	if err != nil {
		return nil, err
	}
	return append(found, activator{
		name: "conda run's way with py-rattler",
		argv: func(prefix string) []string { return []string{s.tools.Python, s.peer.script, "run", prefix} },
	}), nil
}

// findConda gives the conda that $HOPYARD_BENCH_CONDA names, or that of PATH, if there is one. It is not installed here: what
// the package index calls conda is too old to be compared with.
func (b *benchmark) findConda(ctx context.Context) ([]activator, error) {
	program := os.Getenv("HOPYARD_BENCH_CONDA")
	if program == "" {
		var err error
		if program, err = exec.LookPath("conda"); errors.Is(err, exec.ErrNotFound) {
			return nil, nil
		}
	}
	version, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", program, err)
	}
	return []activator{{
		name: strings.TrimSpace(string(version)) + " run",
		argv: func(prefix string) []string { return []string{program, "run", "--no-capture-output", "-p", prefix} },
		env:  []string{"TMPDIR=" + b.dir}, // it leaves its script there when it is killed
	}}, nil
}

// starts are three ways to start a kernel by an activator, in the order in which they follow each other on one prefix.
func (b *benchmark) starts(ctx context.Context, a activator, prefix string, goal float64) []*starting {
	argv := slices.Concat(a.argv(prefix), []string{"python"}, kernelArgs)
	reply := func(more ...string) func() (time.Duration, error) {
		return func() (time.Duration, error) { return b.firstReply(ctx, slices.Concat(a.env, more), argv) }
	}
	fresh := func() error { return uncompile(prefix) }
	return []*starting{
		{name: a.name + ", read-only environment", before: fresh, start: reply("PYTHONDONTWRITEBYTECODE=1"), goal: goal},
		{name: a.name + ", first start", before: fresh, start: reply(), goal: goal},
		{name: a.name + ", later starts", start: reply(), goal: goal},
	}
}
