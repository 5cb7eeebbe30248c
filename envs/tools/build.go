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

// builder builds the tool environment of a lock. It is safe for concurrent use, also by several processes.
type builder struct {
	Config
	lock lock
}

// marker is written into an environment when it is whole.
type marker struct {
	Build  string    `json:"build"`
	Python Python    `json:"python"` // what it was built on
	Built  time.Time `json:"built"`
}

const markerName = "hopyard.json"

func (b *builder) prefix() string { return filepath.Join(b.Dir, b.lock.id()) }
func (b *builder) bin() string    { return filepath.Join(b.prefix(), "bin") }
func (b *builder) python() string { return filepath.Join(b.bin(), "python") }

// whole says whether the environment is there. It also follows bin/python to the interpreter below, which may have been removed
// from the host since.
func (b *builder) whole() bool {
	for _, path := range []string{filepath.Join(b.prefix(), markerName), b.python()} {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}

// build makes the environment unless it is there.
func (b *builder) build(ctx context.Context) error {
	if err := os.MkdirAll(b.Dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of tools: %w", err)
	}
	// Scripts name their interpreter for ever, so it must not be by a link that somebody removes.
	dir, err := filepath.EvalSymlinks(b.Dir)
	if err != nil {
		return fmt.Errorf("make the folder of tools: %w", err)
	}
	b.Dir = dir
	held, err := b.hold(ctx)
	if err != nil {
		return fmt.Errorf("wait for another build: %w", err)
	}
	defer held.Close()
	if b.whole() {
		return nil
	}
	python, err := findPython(ctx, b.Python, toolVersions)
	if err != nil {
		return err
	}
	return b.make(ctx, python)
}

func (b *builder) hold(ctx context.Context) (*filelock.Lock, error) {
	path := filepath.Join(b.Dir, ".lock")
	held, err := filelock.Try(path)
	if !errors.Is(err, filelock.ErrHeld) {
		return held, err
	}
	b.Progress("waiting for another process that builds it")
	return filelock.Wait(ctx, path)
}

func (b *builder) make(ctx context.Context, python Python) error {
	got, err := b.fetch(ctx, python)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(b.prefix()); err != nil {
		return fmt.Errorf("remove a half-built environment: %w", err)
	}
	b.Progress("making a virtual environment of Python " + python.Full)
	if err := b.run(ctx, python.Path, "-I", "-m", "venv", "--without-pip", b.prefix()); err != nil {
		return err
	}
	b.Progress(fmt.Sprintf("installing %d packages", len(b.lock.pins)))
	if err := b.install(ctx, got[len(got)-1], filepath.Dir(got[0])); err != nil {
		return err
	}
	b.Progress("checking it")
	if err := b.run(ctx, b.python(), "-I", "-c", toolCheck); err != nil {
		return err
	}
	return b.finish(python)
}

// fetch brings the wheels of the lock, and pip's last.
func (b *builder) fetch(ctx context.Context, python Python) ([]string, error) {
	pins, err := Pins()
	if err != nil {
		return nil, err
	}
	count := counter{all: len(pins), tell: b.Progress}
	for _, pin := range pins {
		count.bytes += pin.Size
	}
	f := wheels.Fetcher{Python: python.Path, Cache: b.Cache, Offline: b.Offline, Progress: count.hear}
	return f.Fetch(ctx, pins)
}

// install has the pinned pip, straight from its wheel, install the lock's wheels; pip checks their hashes once more and compiles
// them.
func (b *builder) install(ctx context.Context, pip, cache string) error {
	reqs := filepath.Join(b.prefix(), "requirements.txt")
	if err := os.WriteFile(reqs, b.lock.text, 0o644); err != nil {
		return fmt.Errorf("write requirements: %w", err)
	}
	return b.run(ctx, b.python(), "-I", filepath.Join(pip, "pip"), "--isolated", "install",
		"--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "--no-warn-script-location", "--root-user-action=ignore",
		"--no-index", "--find-links", cache, "--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", reqs)
}

// finish makes sure that all of it is on disk before the marker says so.
func (b *builder) finish(python Python) error {
	dir, err := os.Open(b.prefix())
	if err != nil {
		return fmt.Errorf("finish environment: %w", err)
	}
	defer dir.Close()
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return fmt.Errorf("bring environment to disk: %w", err)
	}
	text, err := json.MarshalIndent(marker{Build: b.lock.id(), Python: python, Built: time.Now().UTC()}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode marker: %w", err)
	}
	draft := filepath.Join(b.prefix(), "."+markerName)
	if err := os.WriteFile(draft, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write marker: %w", err)
	}
	if err := os.Rename(draft, filepath.Join(b.prefix(), markerName)); err != nil {
		return fmt.Errorf("write marker: %w", err)
	}
	return dir.Sync()
}

// run starts a step of the build. The program inherits nothing that could steer Python or pip.
func (b *builder) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + b.prefix(), "LANG=C.UTF-8", "PIP_CONFIG_FILE=/dev/null"}
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case strings.Contains(string(out), "No space left on device"):
		return problem.New(problem.NoSpace, "the disk of %s is full; the tools need about 300 MB", b.Dir)
	default:
		return problem.New(problem.Unavailable, "the tools could not be installed: %s (%w)", lastWords(out), err)
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
