package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hopyard/hopyard/internal/filelock"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/wheels"
	"golang.org/x/sys/unix"
)

// Prepared is a virtual environment of pinned wheels that is there, whole.
type Prepared struct {
	Name   string // shown to people
	Build  string // identifies the exact content
	Prefix string // the environment's root folder
	Bin    string // folder that goes first on PATH
	Python string // absolute path of the interpreter
}

// pinned builds virtual environments of exactly the wheels that a lock names. It is safe for concurrent use, also by several
// processes.
type pinned struct {
	dir      string // holds the environments, one folder each; absolute
	python   string // the interpreter that was asked for; empty means the newest fit one on PATH
	offline  bool
	cache    string
	versions []string // of Python that there are locks for, the one to prefer first
	check    string   // Python code that must run in the finished environment
	named    bool     // the interpreter that was asked for is part of an environment's name
}

// marker is written into an environment when it is whole.
type marker struct {
	Build  string    `json:"build"`
	Python Python    `json:"python"` // what it was built on
	Built  time.Time `json:"built"`
}

const markerName = "hopyard.json"

// find returns the environment of a lock if it is there, whole.
func (p *pinned) find(l lock) (Prepared, bool) {
	if env := p.environment(l); whole(env) {
		return env, true
	}
	return Prepared{}, false
}

// whole also follows bin/python to the interpreter below, which may have been removed from the host since.
func whole(env Prepared) bool {
	for _, path := range []string{filepath.Join(env.Prefix, markerName), env.Python} {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}

func (p *pinned) environment(l lock) Prepared {
	asked := ""
	if p.named {
		asked = p.python
	}
	build := l.build(asked)
	prefix := filepath.Join(p.dir, build)
	bin := filepath.Join(prefix, "bin")
	return Prepared{Name: l.title(), Build: build, Prefix: prefix, Bin: bin, Python: filepath.Join(bin, "python")}
}

// build makes the environment that lockFor has for the interpreter, unless it or one of the others is there.
func (p *pinned) build(ctx context.Context, tell func(string), lockFor func(version string) (lock, error), any ...lock) (Prepared, error) {
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return Prepared{}, fmt.Errorf("make the folder of environments: %w", err)
	}
	held, err := p.lock(ctx, tell)
	if err != nil {
		return Prepared{}, fmt.Errorf("wait for another build: %w", err)
	}
	defer held.Close()
	for _, l := range any {
		if env, ok := p.find(l); ok {
			return env, nil
		}
	}
	python, err := findPython(ctx, p.python, p.versions)
	if err != nil {
		return Prepared{}, err
	}
	l, err := lockFor(python.Version)
	if err != nil {
		return Prepared{}, err
	}
	env := p.environment(l)
	return env, p.make(ctx, env, l, python, tell)
}

func (p *pinned) lock(ctx context.Context, tell func(string)) (*filelock.Lock, error) {
	path := filepath.Join(p.dir, ".lock")
	held, err := filelock.Try(path)
	if !errors.Is(err, filelock.ErrHeld) {
		return held, err
	}
	tell("waiting for another process that builds it")
	return filelock.Wait(ctx, path)
}

func (p *pinned) make(ctx context.Context, env Prepared, l lock, python Python, tell func(string)) error {
	pip, err := installer()
	if err != nil {
		return err
	}
	got, err := p.fetch(ctx, python, l, pip, tell)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(env.Prefix); err != nil {
		return fmt.Errorf("remove a half-built environment: %w", err)
	}
	tell(fmt.Sprintf("making a virtual environment of Python %s", python.Full))
	if err := run(ctx, env.Prefix, python.Path, "-I", "-m", "venv", "--without-pip", env.Prefix); err != nil {
		return err
	}
	tell(fmt.Sprintf("installing %d packages", len(l.pins)))
	if err := install(ctx, env, l, got[len(got)-1], filepath.Dir(got[0])); err != nil {
		return err
	}
	if p.check != "" {
		tell("checking it")
		if err := run(ctx, env.Prefix, env.Python, "-I", "-c", p.check); err != nil {
			return err
		}
	}
	return finish(env, python)
}

// fetch brings the wheels of l, and pip's last.
func (p *pinned) fetch(ctx context.Context, python Python, l, pip lock, tell func(string)) ([]string, error) {
	pins := append(append([]wheels.Wheel{}, l.pins...), pip.pins...)
	count := counter{all: len(pins), bytes: l.bytes() + pip.bytes(), tell: tell}
	f := wheels.Fetcher{Python: python.Path, Cache: p.cache, Offline: p.offline, Progress: count.hear}
	return f.Fetch(ctx, pins)
}

// install has the pinned pip, straight from its wheel, install the lock's wheels; pip checks their hashes once more and compiles
// them.
func install(ctx context.Context, env Prepared, l lock, pip, cache string) error {
	reqs := filepath.Join(env.Prefix, "requirements.txt")
	if err := os.WriteFile(reqs, l.text, 0o644); err != nil {
		return fmt.Errorf("write requirements: %w", err)
	}
	return run(ctx, env.Prefix, env.Python, "-I", filepath.Join(pip, "pip"), "--isolated", "install",
		"--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "--no-warn-script-location", "--root-user-action=ignore",
		"--no-index", "--find-links", cache, "--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", reqs)
}

// finish makes sure that all of it is on disk before the marker says so.
func finish(env Prepared, python Python) error {
	dir, err := os.Open(env.Prefix)
	if err != nil {
		return fmt.Errorf("finish environment: %w", err)
	}
	defer dir.Close()
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return fmt.Errorf("bring environment to disk: %w", err)
	}
	text, err := json.MarshalIndent(marker{Build: env.Build, Python: python, Built: time.Now().UTC()}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode marker: %w", err)
	}
	draft := filepath.Join(env.Prefix, "."+markerName)
	if err := os.WriteFile(draft, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write marker: %w", err)
	}
	if err := os.Rename(draft, filepath.Join(env.Prefix, markerName)); err != nil {
		return fmt.Errorf("write marker: %w", err)
	}
	return dir.Sync()
}

// run starts a step of the build. The program inherits nothing that could steer Python or pip.
func run(ctx context.Context, prefix, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + prefix, "LANG=C.UTF-8", "PIP_CONFIG_FILE=/dev/null"}
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case strings.Contains(string(out), "No space left on device"):
		return problem.New(problem.NoSpace, "the disk of %s is full; an environment of tools needs about 500 MB", filepath.Dir(prefix))
	default:
		return problem.New(problem.Unavailable, "the Python environment could not be built: %s (%w)", lastWords(out), err)
	}
}

// lastWords are the last lines of a program's output, enough to tell what was wrong.
func lastWords(out []byte) string {
	const limit = 600
	text := strings.TrimSpace(string(out))
	if len(text) > limit {
		text = "…" + strings.ToValidUTF8(text[len(text)-limit:], "")
	}
	return text
}
