// Package tools builds the kernel environment: a virtual environment of exactly the wheels that the embedded locks name,
// each with its hash.
//
// A virtual environment cannot be moved, so it is built where it stays, below a name made from its content. A marker is
// written last: a folder without one is half built, is never used, and is thrown away by the next build.
package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hopyard/hopyard/envs"
	"github.com/hopyard/hopyard/internal/filelock"
	"github.com/hopyard/hopyard/internal/problem"
	"github.com/hopyard/hopyard/internal/wheels"
	"golang.org/x/sys/unix"
)

// Driver builds below Dir. It is safe for concurrent use, also by several processes.
type Driver struct {
	// Dir holds the environments, one folder each. Absolute.
	Dir string
	// Python is the interpreter to build on, a path or a name on PATH; empty means the newest fit one on PATH.
	Python string
	// Offline forbids downloads; wheels of the cache are used all the same.
	Offline bool
	// Cache is the folder of downloaded wheels; empty means the user's cache.
	Cache string

	locks fs.FS // instead of the embedded ones, for tests
}

var _ envs.Driver = (*Driver)(nil)

// marker is written into an environment when it is whole.
type marker struct {
	Build  string    `json:"build"`
	Python Python    `json:"python"` // what it was built on
	Built  time.Time `json:"built"`
}

const markerName = "hopyard.json"

// Find returns the environment of the preferred Python version that is there, whole.
func (d *Driver) Find() (envs.Prepared, bool) {
	for _, version := range Versions {
		l, err := d.lockOf(version)
		if err != nil {
			continue
		}
		if env := d.environment(l); whole(env) {
			return env, true
		}
	}
	return envs.Prepared{}, false
}

// whole also follows bin/python to the interpreter below, which may have been removed from the host since.
func whole(env envs.Prepared) bool {
	for _, path := range []string{filepath.Join(env.Prefix, markerName), env.Python} {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}

func (d *Driver) environment(l lock) envs.Prepared {
	build := l.build(d.Python)
	prefix := filepath.Join(d.Dir, build)
	bin := filepath.Join(prefix, "bin")
	return envs.Prepared{Name: "Python " + l.version, Build: build, Prefix: prefix, Bin: bin, Python: filepath.Join(bin, "python")}
}

// Build makes the environment unless it is there. One process builds, others wait for it.
func (d *Driver) Build(ctx context.Context, progress func(string)) (envs.Prepared, error) {
	if err := os.MkdirAll(d.Dir, 0o755); err != nil {
		return envs.Prepared{}, fmt.Errorf("make the folder of environments: %w", err)
	}
	held, err := d.lock(ctx, progress)
	if err != nil {
		return envs.Prepared{}, fmt.Errorf("wait for another build: %w", err)
	}
	defer held.Close()
	if env, ok := d.Find(); ok {
		return env, nil
	}
	python, err := FindPython(ctx, d.Python)
	if err != nil {
		return envs.Prepared{}, err
	}
	l, err := d.lockOf(python.Version)
	if err != nil {
		return envs.Prepared{}, err
	}
	env := d.environment(l)
	return env, d.make(ctx, env, l, python, progress)
}

func (d *Driver) lock(ctx context.Context, progress func(string)) (*filelock.Lock, error) {
	path := filepath.Join(d.Dir, ".lock")
	held, err := filelock.Try(path)
	if !errors.Is(err, filelock.ErrHeld) {
		return held, err
	}
	progress("waiting for another process that builds it")
	return filelock.Wait(ctx, path)
}

func (d *Driver) make(ctx context.Context, env envs.Prepared, l lock, python Python, progress func(string)) error {
	pip, err := d.installer()
	if err != nil {
		return err
	}
	got, err := d.fetch(ctx, python, l, pip, progress)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(env.Prefix); err != nil {
		return fmt.Errorf("remove a half-built environment: %w", err)
	}
	progress(fmt.Sprintf("making a virtual environment of Python %s", python.Full))
	if err := run(ctx, env.Prefix, python.Path, "-I", "-m", "venv", "--without-pip", env.Prefix); err != nil {
		return err
	}
	progress(fmt.Sprintf("installing %d packages", len(l.pins)))
	if err := install(ctx, env, l, got[len(got)-1], filepath.Dir(got[0])); err != nil {
		return err
	}
	if l.names("ipykernel") {
		progress("checking it")
		if err := run(ctx, env.Prefix, env.Python, "-I", "-c", "import ipykernel.kernelapp, zmq"); err != nil {
			return err
		}
	}
	return finish(env, python)
}

// fetch brings the wheels of l, and pip's last.
func (d *Driver) fetch(ctx context.Context, python Python, l, pip lock, progress func(string)) ([]string, error) {
	pins := append(append([]wheels.Wheel{}, l.pins...), pip.pins...)
	count := counter{all: len(pins), bytes: l.bytes() + pip.bytes(), tell: progress}
	f := wheels.Fetcher{Python: python.Path, Cache: d.Cache, Offline: d.Offline, Progress: count.hear}
	return f.Fetch(ctx, pins)
}

// install has the pinned pip, straight from its wheel, install the lock's wheels; pip checks their hashes once more and compiles
// them.
func install(ctx context.Context, env envs.Prepared, l lock, pip, cache string) error {
	reqs := filepath.Join(env.Prefix, "requirements.txt")
	if err := os.WriteFile(reqs, l.text, 0o644); err != nil {
		return fmt.Errorf("write requirements: %w", err)
	}
	return run(ctx, env.Prefix, env.Python, "-I", filepath.Join(pip, "pip"), "--isolated", "install",
		"--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "--no-warn-script-location", "--root-user-action=ignore",
		"--no-index", "--find-links", cache, "--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", reqs)
}

// finish makes sure that all of it is on disk before the marker says so.
func finish(env envs.Prepared, python Python) error {
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
		return problem.New(problem.NoSpace, "the disk of %s is full; the environment needs about 500 MB", filepath.Dir(prefix))
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
