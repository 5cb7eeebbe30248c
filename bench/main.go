// Command bench measures Hopyard beside others, on this machine, in one run, and says for each goal whether it is met.
//
//	go run ./bench [flags] [CASE...]
//
// The cases are cell, flood, kill, restart, idle, memory and notebook, and, about environments, disk, reuse, change, solve,
// rollback, start, page and venv; without one all are run. The peers of environments are py-rattler alone, uv, and pip; those of the others are jupyter_server
// as shipped and, so that the comparison is honest, with Nagle's algorithm switched off on its websockets. Everybody runs
// the same kernels: a real ipykernel, and internal/testkernel, which answers at once and floods on request. What is compared is
// interleaved, because a machine is never equally busy for long. docs/benchmarks.md says how each figure is taken.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are what can be chosen on the command line.
type options struct {
	hopyard  string
	prepared string
	work     string
	out      string
	alone    bool

	cells    int
	messages int
	sessions int
	sockets  int

	killEvery time.Duration
}

// benchmark is one run: its options, its programs and what it found.
type benchmark struct {
	options
	cache string // kept between runs
	dir   string // of this run alone
	specs string // a folder that holds kernels/fake and kernels/ipykernel
	fake  []string
	real  []string
	site  *site // of the cases about environments, once there is one
	report
}

// step is one case: its name and what measures it.
type step struct {
	name string
	run  func(*benchmark, context.Context) error
}

var steps = []step{
	{"cell", (*benchmark).cell},
	{"flood", (*benchmark).flood},
	{"kill", (*benchmark).kill},
	{"restart", (*benchmark).restart},
	{"idle", (*benchmark).idle},
	{"memory", (*benchmark).memory},
	{"notebook", (*benchmark).notebook},
	{"disk", (*benchmark).disk}, // the first about environments: it needs a store that holds one alone
	{"reuse", (*benchmark).reuse},
	{"change", (*benchmark).change},
	{"solve", (*benchmark).solve},
	{"rollback", (*benchmark).rollback},
	{"start", (*benchmark).kernelStart},
	{"page", (*benchmark).page},
	{"venv", (*benchmark).venv},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var b benchmark
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.StringVar(&b.hopyard, "hopyard", "", "the `binary` to measure (default: build it)")
	flags.StringVar(&b.prepared, "prepared", os.Getenv("HOPYARD_TEST_PREPARED"), "a `folder` that hopyard prepare has filled")
	flags.StringVar(&b.work, "work", os.TempDir(), "the `folder` for data directories; its path must be short, for sockets")
	flags.StringVar(&b.out, "out", "bench/out", "the `folder` for the figures as JSON; empty means none")
	flags.BoolVar(&b.alone, "alone", false, "measure without the peers, for those who look for what costs time")
	flags.IntVar(&b.cells, "cells", 1000, "cells that are run for a latency")
	flags.IntVar(&b.messages, "messages", 1_000_000, "messages of a flood")
	flags.IntVar(&b.sessions, "sessions", 10_000, "stored sessions when the gateway is killed")
	flags.IntVar(&b.sockets, "sockets", 5_000, "idle websockets in one process")
	flags.DurationVar(&b.killEvery, "kill-every", 2*time.Second, "how often the gateway is killed under a flood")
	_ = flags.Parse(args) // ends the program by itself
	chosen, err := choose(flags.Args())
	if err != nil {
		return err
	}
	cleanEnvironment()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	defer func() {
		if b.site != nil {
			b.site.close()
		}
	}()
	for _, s := range chosen {
		b.begin(s.name)
		if err := s.run(&b, ctx); err != nil {
			b.fail(err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return b.finish(os.Stdout, b.out)
}

// cleanEnvironment drops what would change how every Python here behaves: PYTHONDONTWRITEBYTECODE alone trebles some starts.
func cleanEnvironment() {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "PYTHON") {
			_ = os.Unsetenv(name)
		}
	}
}

func choose(names []string) ([]step, error) {
	if len(names) == 0 {
		return steps, nil
	}
	var chosen []step
	for _, name := range names {
		i := slices.IndexFunc(steps, func(s step) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no case %q", name)
		}
		chosen = append(chosen, steps[i])
	}
	return chosen, nil
}

// progress writes a line for a person who waits.
func progress(format string, args ...any) {
	fmt.Fprintln(os.Stderr, strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
}

// cacheDir is where the project keeps what can be made again.
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir() // $XDG_CACHE_HOME, or ~/.cache
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "hopyard"), nil
}

// prepare builds and installs what the cases need.
func (b *benchmark) prepare(ctx context.Context) error {
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	b.cache, b.prepared = filepath.Join(cache, "bench"), cmp.Or(b.prepared, filepath.Join(cache, "prepared"))
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return err
	}
	python, err := installPeer(ctx, b.cache)
	if err != nil {
		return err
	}
	kernel, err := b.build(ctx)
	if err != nil {
		return err
	}
	b.fake = []string{kernel, "-f", "{connection_file}"}
	b.real = []string{python, "-m", "ipykernel_launcher", "-f", "{connection_file}"}
	if b.dir, err = os.MkdirTemp(b.work, "hyb"); err != nil {
		return err
	}
	b.specs = filepath.Join(b.dir, "specs")
	return b.writeSpecs()
}
